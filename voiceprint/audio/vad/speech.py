"""The speech in a clip: the detector judges its windows, and they become segments."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from voiceprint.audio import SAMPLE_RATE, Waveform
from voiceprint.audio.vad.network import CONTEXT, HIDDEN, WINDOW, build_network
from voiceprint.audio.vad.segments import Segment, to_segments
from voiceprint.onnx_runtime import open_session

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

_TOGETHER = 1024  # windows (33 s) that pass through the detector at once; memory stays bounded

# Quiet clips are turned up for the detector, which otherwise misses speech below about -35 dBFS.
_LOUD = 0.2  # what the loudest second should reach with all but its 0.5 % highest samples
_MAX_GAIN = 30.0  # 30 dB; what is quieter still is hiss

State = tuple[NDArray[np.float32], NDArray[np.float32]]
"""What the recurrent detector remembers of the sound so far."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Speech:
    """The speech of a clip.

    Parameters
    ----------
    samples : ndarray of float32, shape (m,)
        The speech alone, its segments joined; m is 0 where there is none.
    segments : tuple of Segment
        Where it lies in the clip, in order, without overlap.
    """

    samples: NDArray[np.float32]
    segments: tuple[Segment, ...]

    @property
    def seconds(self) -> float:
        """Seconds of speech."""
        return len(self.samples) / SAMPLE_RATE


def find_speech(waveform: Waveform) -> Speech:
    """Find the speech in a clip; no samples and no segments where there is none.

    Examples
    --------
    >>> from voiceprint import read_audio
    >>> speech = find_speech(read_audio(clip))
    >>> 2.0 < speech.seconds <= 3.0
    True
    """
    samples = waveform.samples
    segments = to_segments(speech_probabilities(samples), len(samples))
    parts = [samples[segment.start : segment.stop] for segment in segments]
    return Speech(samples=np.concatenate(parts) if parts else samples[:0], segments=segments)


def speech_probabilities(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Judge each window of 512 samples.

    Parameters
    ----------
    samples : ndarray of float32, shape (n,)
        At 16 kHz, in [-1, 1].

    Returns
    -------
    ndarray of float32, shape (ceil(n / 512),)
        Probability that the window holds speech.

    Examples
    --------
    >>> probabilities = speech_probabilities(samples)
    >>> probabilities.shape, bool(probabilities.max() > 0.9)
    ((94,), True)
    """
    if not len(samples):
        return samples
    windows = -(-len(samples) // WINDOW)
    padded = np.zeros(CONTEXT + windows * WINDOW, dtype=np.float32)
    seconds = (samples[start : start + SAMPLE_RATE] for start in range(0, len(samples), SAMPLE_RATE))
    gain = gain_for(max(map(loudness, seconds)))
    np.multiply(samples, gain, out=padded[CONTEXT : CONTEXT + len(samples)])
    return judge_windows(padded)[0]


def loudness(second: NDArray[np.float32]) -> float:
    """Return the level that all but the 0.5 % highest samples (n,) of a second or less stay below."""
    levels = np.abs(second)
    # As np.quantile does, which loads numpy.ma: that takes longer than the rest of the search for speech.
    below, share = divmod(0.995 * (len(levels) - 1), 1.0)
    place = int(below)
    low, high = np.partition(levels, (place, min(place + 1, len(levels) - 1)))[
        [place, min(place + 1, len(levels) - 1)]
    ]
    return float(low + (high - low) * share if share < 0.5 else high - (high - low) * (1.0 - share))


def gain_for(loudest: float) -> np.float32:
    """Choose the factor that makes speech of a loudness as loud as the detector expects; at least 1."""
    return np.float32(np.clip(_LOUD / max(loudest, 1e-9), 1.0, _MAX_GAIN))


def judge_windows(
    padded: NDArray[np.float32], state: State | None = None
) -> tuple[NDArray[np.float32], State]:
    """Pass windows through the recurrent detector, which remembers the windows before.

    Parameters
    ----------
    padded : ndarray of float32, shape (64 + n * 512,)
        Windows one after the other, and the samples before the first. What exceeds [-1, 1] is clipped.
    state : State, optional
        What it remembered behind the window before them; None at the beginning of the sound.

    Returns
    -------
    ndarray of float32, shape (n,)
        Probability that each window holds speech.
    State
        What it remembers behind the last.
    """
    session = _session()
    windows = sliding_window_view(np.clip(padded, -1.0, 1.0), CONTEXT + WINDOW)[::WINDOW]  # (n, 576)
    silence = np.zeros((1, 1, HIDDEN), dtype=np.float32)
    h, c = (silence, silence) if state is None else state
    probabilities = [silence[0, 0, :0]]
    for start in range(0, len(windows), _TOGETHER):
        some = np.ascontiguousarray(windows[start : start + _TOGETHER])
        judged, h, c = session.run(None, {"windows": some, "h": h, "c": c})
        probabilities.append(judged)
    return np.concatenate(probabilities), (h, c)


@cache
def _session() -> InferenceSession:
    # Beyond it, sums are taken in another order and probabilities differ from Silero's in the fifth digit.
    session: InferenceSession = open_session(build_network(), level="ORT_ENABLE_EXTENDED")
    return session
