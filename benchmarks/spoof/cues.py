"""Shortcuts: what tells people from machines without listening to what a machine did, each cue alone.

A countermeasure that had learned one of them would be as good as it, and no better.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from voiceprint.audio import SAMPLE_RATE
from voiceprint.metrics import det_curve, eer_interpolated

Samples = NDArray[np.float32]

_FRAME = 320  # samples, 20 ms


def _powers(clip: Samples) -> NDArray[np.float64]:
    frames = clip[: clip.size // _FRAME * _FRAME].reshape(-1, _FRAME).astype(np.float64)
    return np.asarray(np.square(frames).mean(axis=1) + 1e-12)


def _level(clip: Samples) -> float:
    return float(10 * np.log10(np.mean(_powers(clip))))


def _offset(clip: Samples) -> float:
    return float(abs(np.mean(clip)) / (np.std(clip) + 1e-9))


def _seconds(clip: Samples) -> float:
    return clip.size / SAMPLE_RATE


def _floor(clip: Samples) -> float:
    """The tenth part of its frames that is quietest, below the mean, in dB."""
    powers = _powers(clip)
    return float(10 * np.log10(np.quantile(powers, 0.1) / powers.mean()))


def _silence(clip: Samples) -> float:
    """Share of frames 40 dB below the loudest: pauses, and how clean they are."""
    powers = _powers(clip)
    return float(np.mean(powers < 1e-4 * powers.max()))


def _band(clip: Samples) -> float:
    """The frequency below which 99.5 % of the energy lies."""
    power = np.square(np.abs(np.fft.rfft(clip)))
    return float(np.searchsorted(np.cumsum(power), 0.995 * power.sum()) / power.size)


def _bass(clip: Samples) -> float:
    """Share of the energy below 100 Hz."""
    power = np.square(np.abs(np.fft.rfft(clip)))
    return float(power[: power.size // 80].sum() / (power.sum() + 1e-12))


def _crest(clip: Samples) -> float:
    return float(np.max(np.abs(clip)) / (np.std(clip) + 1e-9))


CUES: Mapping[str, Callable[[Samples], float]] = {
    "level": _level,
    "constant offset": _offset,
    "length": _seconds,
    "quietest tenth of it": _floor,
    "share of silence": _silence,
    "upper edge of the band": _band,
    "share below 100 Hz": _bass,
    "peak over level": _crest,
}
"""Each gives a number of a clip (n,)."""


def cue_rate(cue: str, people: Sequence[Samples], spoofs: Sequence[Samples]) -> float:
    """Return the equal error rate of a cue alone, whichever way round is better."""
    measure = CUES[cue]
    rate = eer_interpolated(det_curve([measure(clip) for clip in people], [measure(clip) for clip in spoofs]))
    return min(rate, 1.0 - rate)
