"""Two people in one clip: its stretches compared with each other, by the model's calibration.

A voiceprint of two people is near to neither and rejects both. So every enrollment clip is cut into stretches
of speech, and if two of them are too unlikely to be of one person, the clip is set aside.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voiceprint.audio import SAMPLE_RATE
from voiceprint.audio.clips import Clip
from voiceprint.calibration import TrialShape
from voiceprint.model import SpeakerModel
from voiceprint.scoring import cosine, normalize

__all__ = ["FALSE_ALARM", "TwoVoices", "find_two_voices"]

FALSE_ALARM = 0.03
"""How often a clip of one person may be taken for one of two, at the most."""

_STRETCH = 3.0  # seconds of speech that are compared
_LENGTH = round(_STRETCH * SAMPLE_RATE)
_HOP = 1.0  # seconds between the beginnings of two stretches
_MOST = 200  # stretches of a clip; further apart in a longer one


@dataclass(frozen=True, slots=True, kw_only=True)
class TwoVoices:
    """The two stretches of a clip that are least alike.

    Parameters
    ----------
    first, second : float
        Where they begin in the clip, in seconds.
    llr : float
        Natural-log likelihood ratio of the two being of one person over two.
    chance : float
        How often at the most a clip of one person holds two stretches so unlike each other.
    """

    first: float
    second: float
    llr: float
    chance: float

    def __str__(self) -> str:
        """Say it in a sentence."""
        return (
            f"two voices: the one at {self.first:.0f} s is unlike the one at {self.second:.0f} s "
            f"(log-likelihood ratio {self.llr:+.1f})"
        )


def find_two_voices(clip: Clip, model: SpeakerModel, *, false_alarm: float = FALSE_ALARM) -> TwoVoices | None:
    """Look for a second person in a clip.

    Parameters
    ----------
    model : SpeakerModel
        The encoder; without a calibration nothing is found.
    false_alarm : float
        How often a clip of one person may be taken for one of two.

    Returns
    -------
    TwoVoices or None
        None where one person may have said it all, or there are under 6 s of speech, too little to decide.

    Notes
    -----
    Compared are every two stretches, which finds people who take turns, and what lies before with what lies
    behind each change that there may be, which finds two who speak one after the other by all they say. A
    likelihood ratio of r or less comes up with a probability of at most r where one person speaks, so the
    least one of n comparisons with at most n r; either kind of comparison has half of the bound.
    How often it is in truth: ``scripts/measure_clip_checks``.
    """
    starts = _starts(len(clip.speech))
    earlier, later = np.nonzero(starts[None, :] - starts[:, None] >= _LENGTH)
    if not len(earlier):
        return None
    embeddings = model.embed([clip.speech[start : start + _LENGTH] for start in starts])
    decider, noise = model.decider(), clip.quality.snr_db
    pairs = np.einsum("ij,ij->i", embeddings[earlier], embeddings[later])
    pair_llrs = decider.llrs(pairs, TrialShape(n_enroll=1, seconds=_STRETCH, snr_db=noise))
    before, behind, scores, shape = _changes(embeddings, starts, noise)
    change_llrs = decider.llrs(scores, shape)
    if pair_llrs is None or change_llrs is None:
        return None
    llrs = np.concatenate([pair_llrs, change_llrs])
    counts = len(pair_llrs), len(change_llrs)
    chances = 2.0 * np.repeat(counts, counts) * np.exp(llrs)
    worst = int(chances.argmin())
    chance = float(chances[worst])
    if chance > false_alarm:
        return None
    places = np.concatenate([earlier, before])[worst], np.concatenate([later, behind])[worst]
    first, second = (clip.time_of(int(starts[place])) for place in places)
    return TwoVoices(first=first, second=second, llr=float(llrs[worst]), chance=chance)


def _changes(
    embeddings: NDArray[np.float32], starts: NDArray[np.int64], snr_db: float | None
) -> tuple[NDArray[np.signedinteger], NDArray[np.signedinteger], NDArray[np.floating], TrialShape]:
    """Compare all before a change with all behind it, for every change between two stretches.

    Returns the last stretch before and the first one behind each change, the scores, and what they are of.
    """
    behind = np.searchsorted(starts, starts + _LENGTH)
    before = np.flatnonzero(behind < len(starts))
    behind = behind[before]
    sums = np.cumsum(embeddings, axis=0, dtype=np.float64)
    rests = np.cumsum(embeddings[::-1], axis=0, dtype=np.float64)[::-1]
    scores = cosine(normalize(sums[before]), normalize(rests[behind]))
    spans = np.stack([starts[before] - starts[0], starts[-1] - starts[behind]]) + _LENGTH  # samples
    shorter, longer = spans.min(axis=0) / SAMPLE_RATE, spans.max(axis=0) / SAMPLE_RATE
    n_enroll = np.maximum(1, np.round(longer / _STRETCH)).astype(np.int64)
    return before, behind, scores, TrialShape(n_enroll=n_enroll, seconds=shorter, snr_db=snr_db)


def _starts(samples: int) -> NDArray[np.int64]:
    """Return where stretches begin in so many samples of speech, the last one reaching to its end."""
    last = samples - _LENGTH
    if last < 0:
        return np.zeros(0, dtype=np.int64)
    count = min(_MOST, 1 + round(last / (_HOP * SAMPLE_RATE)))
    return np.round(np.linspace(0, last, count)).astype(np.int64)
