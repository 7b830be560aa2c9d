"""Conditions under which models are measured: degradations of fixed parameters, the same every time.

A condition changes the recording, before anything looks for speech in it, and depends on the clip's name and
the seed alone. So two models, or two days, are measured on the same samples.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voiceprint.audio.degrade import (
    OPUS_KBPS,
    add_background,
    babble,
    decaying_echo,
    gsm,
    opus,
    pink_noise,
    reverberate,
    telephone,
    within_full_scale,
)
from voiceprint.errors import AudioError

Samples = NDArray[np.float32]
Change = Callable[[Samples, Sequence[Samples], np.random.Generator], Samples]

BABBLE_VOICES = 5
"""How many other people talk at once in babble."""

EDITION = 2
"""A new number wherever what the conditions do to a clip changes; caches of embeddings go by it."""

_TELEPHONE_BAND = (300.0, 3400.0)  # Hz (ITU-T G.712)
_TELEPHONE_PEAK_DB = -6.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """A way to degrade a clip.

    Parameters
    ----------
    kind : str
        What it belongs to: ``noise``, ``babble``, ``line``, ``codec`` or ``room``.
    change : callable
        From samples (n,), the clips of other people, and a generator, to samples (n,).
    others : int
        How many clips of other people it needs.
    """

    name: str
    kind: str
    change: Change
    others: int = 0


def degrade(
    samples: Samples, condition: Condition, *, clip: str, others: Sequence[Samples] = (), seed: int = 0
) -> Samples:
    """Degrade a clip.

    Parameters
    ----------
    samples : ndarray of shape (n,), float32
        Mono at 16 kHz, in [-1, 1].
    clip : str
        The clip's name: with `seed` it decides what is drawn.
    others : sequence of ndarray of shape (m,), float32
        As many clips of other people as the condition needs, of any lengths.

    Returns
    -------
    ndarray of shape (n,), float32
        In [-1, 1].

    Raises
    ------
    AudioError
        If there are not as many clips of other people.
    """
    if len(others) != condition.others:
        raise AudioError(
            f"{clip}: {condition.name} takes {condition.others} clips of other people, not {len(others)}",
            source=clip,
        )
    digest = hashlib.sha256(f"{seed} {condition.name} {clip}".encode()).digest()
    changed = condition.change(samples, others, np.random.default_rng(list(digest[:16])))
    return within_full_scale(changed).astype(np.float32, copy=False)


def _noise(snr_db: float) -> Change:
    def change(samples: Samples, others: Sequence[Samples], generator: np.random.Generator) -> Samples:
        return add_background(samples, pink_noise(len(samples), generator), snr_db=snr_db)

    return change


def _babble(snr_db: float) -> Change:
    def change(samples: Samples, others: Sequence[Samples], generator: np.random.Generator) -> Samples:
        voices = [np.roll(other, generator.integers(len(other))) for other in others]
        return add_background(samples, babble(voices, len(samples)), snr_db=snr_db)

    return change


def standard_telephone(samples: Samples) -> Samples:
    """Pass a clip (n,) through the telephone that models are measured by: 300 to 3400 Hz, mu-law at -6 dB."""
    low, high = _TELEPHONE_BAND
    return telephone(samples, low=low, high=high, peak_db=_TELEPHONE_PEAK_DB)


def _room(seconds: float) -> Change:
    def change(samples: Samples, others: Sequence[Samples], generator: np.random.Generator) -> Samples:
        return reverberate(samples, decaying_echo(seconds, generator))

    return change


_SNRS = (20.0, 10.0, 5.0)

_ALL = (
    *(Condition(name=f"noise {snr:g} dB", kind="noise", change=_noise(snr)) for snr in _SNRS),
    *(
        Condition(name=f"babble {snr:g} dB", kind="babble", change=_babble(snr), others=BABBLE_VOICES)
        for snr in _SNRS
    ),
    Condition(name="telephone", kind="line", change=lambda samples, *_: standard_telephone(samples)),
    # As mobile telephones of the first digital kind have it, and voice messages on a poor connection.
    Condition(name="GSM", kind="codec", change=lambda samples, *_: gsm(samples)),
    Condition(
        name="Opus 6 kbit/s", kind="codec", change=lambda samples, *_: opus(samples, kbps=OPUS_KBPS[0])
    ),
    Condition(name="room 0.4 s", kind="room", change=_room(0.4)),
    Condition(name="room 0.8 s", kind="room", change=_room(0.8)),
)

CONDITIONS: Mapping[str, Condition] = {condition.name: condition for condition in _ALL}
"""The conditions by name: dB are SNR over active speech, rooms go by their reverberation time."""
