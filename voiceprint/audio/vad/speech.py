"""What the detector hears becomes segments of speech."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from voiceprint.audio import SAMPLE_RATE, Waveform
from voiceprint.audio.vad.network import CONTEXT, HIDDEN, WINDOW, build_network
from voiceprint.onnx_runtime import load_runtime

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

__all__ = ["Segment", "Speech", "find_speech", "speech_probabilities", "to_segments"]

_TOGETHER = 1024  # windows (33 s) that pass through the detector at once; memory stays bounded

# In windows of 32 ms.
_TAIL = 8  # silence after the clip, so that a word may fill it; before it, noise would set in as speech does
_MIN_SPEECH = 5  # a shorter burst is a click or a knock
_HANGOVER = 3  # kept on both sides: consonants fade in and out below the threshold
_MAX_GAP = (
    2 * _HANGOVER
)  # a pause up to this belongs to the speech around it; beyond it, hangovers cannot overlap

# Quiet clips are turned up for the detector, which otherwise misses speech below about -35 dBFS.
_LOUD = 0.2  # what the loudest second should reach with all but its 0.5 % highest samples
_MAX_GAIN = 30.0  # 30 dB; what is quieter still is hiss

# Speech begins at the upper probability and lasts while it stays above the lower one.
_BEGIN, _LAST = 0.5, 0.35


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A stretch of speech.

    Parameters
    ----------
    start, stop : int
        First sample, and the one after the last, at 16 kHz.
    """

    start: int
    stop: int

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return (self.stop - self.start) / SAMPLE_RATE


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
    """Find the speech in a clip.

    Parameters
    ----------
    waveform : Waveform

    Returns
    -------
    Speech
        With no samples and no segments where the clip holds no speech.
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
    """
    windows = -(-len(samples) // WINDOW)
    padded = np.zeros(CONTEXT + (windows + _TAIL) * WINDOW, dtype=np.float32)
    np.multiply(samples, _gain(samples), out=padded[CONTEXT : CONTEXT + len(samples)])
    np.clip(padded, -1.0, 1.0, out=padded)
    return _run(padded)[:windows]


def _gain(samples: NDArray[np.float32]) -> np.float32:
    """Choose the factor that makes quiet speech as loud as the detector expects; 1 for what is loud."""
    seconds = (samples[start : start + SAMPLE_RATE] for start in range(0, len(samples), SAMPLE_RATE))
    loudest = max((np.quantile(np.abs(second), 0.995) for second in seconds), default=0.0)
    return np.float32(np.clip(_LOUD / max(loudest, 1e-9), 1.0, _MAX_GAIN))


def _run(padded: NDArray[np.float32]) -> NDArray[np.float32]:
    """Pass the windows through the recurrent detector, which remembers what it heard."""
    session = _session()
    windows = sliding_window_view(padded, CONTEXT + WINDOW)[::WINDOW]  # (n, 576)
    h = c = np.zeros((1, 1, HIDDEN), dtype=np.float32)
    probabilities = []
    for start in range(0, len(windows), _TOGETHER):
        some = np.ascontiguousarray(windows[start : start + _TOGETHER])
        judged, h, c = session.run(None, {"windows": some, "h": h, "c": c})
        probabilities.append(judged)
    return np.concatenate(probabilities)


@cache
def _session() -> InferenceSession:
    runtime = load_runtime()
    options = runtime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    # Beyond it, sums are taken in another order and probabilities differ from Silero's in the fifth digit.
    options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    # Lengths differ from call to call, so remembered memory patterns would only hold memory.
    options.enable_mem_pattern = False
    session: InferenceSession = runtime.InferenceSession(
        build_network(), options, providers=["CPUExecutionProvider"]
    )
    return session


def to_segments(probabilities: NDArray[np.float32], length: int) -> tuple[Segment, ...]:
    """Join windows of speech over short pauses, drop bursts, and keep about 0.1 s on both sides.

    Parameters
    ----------
    probabilities : ndarray of float32, shape (windows,)
        Probability that each window of 512 samples holds speech.
    length : int
        Samples in the clip.

    Returns
    -------
    tuple of Segment
    """
    runs = [(a, b) for a, b in _joined(_runs(probabilities)) if b - a >= _MIN_SPEECH]
    return tuple(
        Segment(start=max(0, a - _HANGOVER) * WINDOW, stop=min(length, (b + _HANGOVER) * WINDOW))
        for a, b in runs
    )


def _runs(probabilities: NDArray[np.float32]) -> list[tuple[int, int]]:
    """Find runs of windows at or above the lower threshold that reach the upper one: (start, stop) each."""
    above = np.concatenate(([False], probabilities >= _LAST, [False]))
    edges = np.flatnonzero(above[1:] != above[:-1])
    pairs = zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)
    return [(start, stop) for start, stop in pairs if probabilities[start:stop].max() >= _BEGIN]


def _joined(runs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Join runs over short pauses."""
    joined: list[tuple[int, int]] = []
    for start, stop in runs:
        if joined and start - joined[-1][1] <= _MAX_GAP:
            joined[-1] = (joined[-1][0], stop)
        else:
            joined.append((start, stop))
    return joined
