"""Where anybody speaks in a recording, and where two people do: the detector and the network."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voiceprint.audio import SAMPLE_RATE
from voiceprint.audio.spooled import SpooledRecording
from voiceprint.audio.vad import WINDOW as DETECTOR_WINDOW
from voiceprint.audio.vad import speech_probabilities
from voiceprint.diarization.segmentation import FRAME, WINDOW, Segmentation, members

__all__ = ["HOP", "Activity", "find_activity", "main_share", "runs_of"]

HOP = 4 * SAMPLE_RATE
"""Samples from one window of the network to the next."""

_BLOCK = 120 * SAMPLE_RATE  # that the detector judges at a time
_LEAD = 2 * SAMPLE_RATE  # before each block, so that it knows what came before
_TOGETHER = 8  # windows of the network in a batch

_OVERLAP = 0.35  # probability from which on two people speak
_NEAR = 25  # frames (0.5 s) from what the detector takes for speech, beyond which there is none
_FRAMES = WINDOW // FRAME  # of a window


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rules:
    """What makes speech of probabilities."""

    begin: float  # speech begins at it
    last: float  # and lasts while at or above it
    shortest: int  # shorter speech is a click
    pause: int  # a shorter pause is part of speech


_DETECTED = _Rules(begin=0.5, last=0.35, shortest=10, pause=12)
_JUDGED = _Rules(begin=0.45, last=0.45, shortest=6, pause=5)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Activity:
    """Who is active, frame by frame.

    Parameters
    ----------
    speech : ndarray of bool, shape (frames,)
        Whether anybody speaks.
    overlap : ndarray of bool, shape (frames,)
        Whether two people do.
    windows : ndarray of uint8, shape (windows, frames of a window)
        The network's class in each frame of each window, the windows `HOP` apart; (0, ...) without a network.
    """

    speech: NDArray[np.bool_]
    overlap: NDArray[np.bool_]
    windows: NDArray[np.uint8]


def find_activity(
    recording: SpooledRecording,
    network: Segmentation | None,
    *,
    progress: Callable[[float], None] = lambda seconds: None,
) -> Activity:
    """Find speech and overlap in a recording, in bounded memory but for some bytes a frame.

    Parameters
    ----------
    progress : callable
        ``progress(seconds)``, how much is judged.
    """
    frames = -(-recording.samples // FRAME)
    detected = _tidied(_detected(recording, frames), _DETECTED)
    if network is None:
        progress(recording.seconds)
        empty = np.zeros((0, _FRAMES), dtype=np.uint8)
        return Activity(speech=detected, overlap=np.zeros(frames, dtype=np.bool_), windows=empty)
    counts = np.zeros((2, frames + _FRAMES), dtype=np.float32)
    weight = np.zeros(frames + _FRAMES, dtype=np.float32)
    taper = np.hamming(_FRAMES).astype(np.float32)
    size, windows = members().sum(axis=1), []
    for first, judged in _judged(recording, network):
        for place, window in enumerate(judged):
            start = (first + place * HOP) // FRAME
            counts[0, start : start + _FRAMES] += taper * window[:, size >= 1].sum(axis=1)
            counts[1, start : start + _FRAMES] += taper * window[:, size >= 2].sum(axis=1)
            weight[start : start + _FRAMES] += taper
            windows.append(window.argmax(axis=1).astype(np.uint8))
        progress((first + (len(judged) - 1) * HOP + WINDOW) / SAMPLE_RATE)
    any_speech, two = counts[:, :frames] / np.maximum(weight[:frames], np.float32(1e-6))
    spoken = _tidied(any_speech, _JUDGED)
    # The network knows better where phrases end; the detector knows more of what is speech and what is none.
    for start, stop in runs_of(detected):
        spoken[start:stop] |= not spoken[start:stop].any()
    spoken &= _near(detected)
    overlap = _kept(two >= _OVERLAP, shortest=5) & spoken
    return Activity(speech=spoken, overlap=overlap, windows=np.stack(windows))


def runs_of(mask: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """List the runs of true values of a mask (n,): (start, stop) each."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], mask, [False])).astype(np.int8)))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def main_share(activity: Activity, middles: NDArray[np.int64], *, reach: int) -> NDArray[np.float64]:
    """Say how much of what the network finds around frames is of one local speaker.

    Parameters
    ----------
    middles : ndarray of int64, shape (n,)
        Frames, rising.
    reach : int
        Frames to each side.

    Returns
    -------
    ndarray of float64, shape (n,)
        Mean over the windows that hold all of it; 1 where none does.
    """
    shares, seen = np.zeros(len(middles)), np.zeros(len(middles))
    length = activity.windows.shape[1]
    for place, classes in enumerate(activity.windows):
        begin = place * HOP // FRAME
        inside = slice(*np.searchsorted(middles, (begin + reach, begin + length - reach)).tolist())
        until = np.pad(np.cumsum(members()[classes], axis=0), ((1, 0), (0, 0)))
        here = middles[inside] - begin
        active = until[here + reach + 1] - until[here - reach]
        shares[inside] += active.max(axis=1) / np.maximum(active.sum(axis=1), 1)
        seen[inside] += 1
    return np.where(seen > 0, shares / np.maximum(seen, 1), 1.0)


def _detected(recording: SpooledRecording, frames: int) -> NDArray[np.float32]:
    """Let the detector judge the recording block by block; probabilities of speech, (frames,)."""
    found = np.zeros(frames, dtype=np.float32)
    middles = (np.arange(frames) * FRAME).clip(max=recording.samples - 1)
    for start in range(0, recording.samples, _BLOCK):
        lead = min(start, _LEAD // DETECTOR_WINDOW * DETECTOR_WINDOW)
        judged = speech_probabilities(recording.read(start - lead, start + _BLOCK))
        inside = slice(-(-start // FRAME), -(-min(start + _BLOCK, recording.samples) // FRAME))
        found[inside] = judged[(middles[inside] - start + lead) // DETECTOR_WINDOW]
    return found


def _judged(recording: SpooledRecording, network: Segmentation) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Yield batches of windows' probabilities (batch, frames, 7), each with the first sample of its first."""
    count = max(1, 1 + -(-(recording.samples - WINDOW) // HOP))
    for first in range(0, count, _TOGETHER):
        some = range(first * HOP, min(count, first + _TOGETHER) * HOP, HOP)
        batch = np.zeros((len(some), WINDOW), dtype=np.float32)
        for row, start in zip(batch, some, strict=True):
            samples = recording.read(start, start + WINDOW)
            row[: len(samples)] = samples
        yield first * HOP, network.judge(batch)


def _tidied(probabilities: NDArray[np.float32], rules: _Rules) -> NDArray[np.bool_]:
    """Make speech of probabilities (frames,): hysteresis, short pauses filled, bursts dropped."""
    speech = np.zeros(len(probabilities), dtype=np.bool_)
    for start, stop in runs_of(probabilities >= rules.last):
        speech[start:stop] = probabilities[start:stop].max() >= rules.begin
    return _kept(~_kept(~speech, shortest=rules.pause), shortest=rules.shortest)


def _near(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Widen the true runs of a mask by `_NEAR` frames on both sides."""
    wide = mask.copy()
    for start, stop in runs_of(mask):
        wide[max(0, start - _NEAR) : stop + _NEAR] = True
    return wide


def _kept(mask: NDArray[np.bool_], *, shortest: int) -> NDArray[np.bool_]:
    """Drop the runs of a mask that are shorter than so many frames."""
    kept = mask.copy()
    for start, stop in runs_of(mask):
        if stop - start < shortest:
            kept[start:stop] = False
    return kept
