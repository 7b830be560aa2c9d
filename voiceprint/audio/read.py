"""File, bytes, stream or array -> :class:`Waveform`: mono float32 at 16 kHz, or an :class:`AudioError`.

Decoding is libsndfile's (soundfile) and FFmpeg's (PyAV), resampling soxr's. All run block by block, so memory
is bounded by the 16 kHz result whatever rate, channel count and length a header claims: headers lie, and a
few kilobytes of FLAC can unpack to hours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray

from voiceprint.arguments import check_count, check_number
from voiceprint.audio.channels import ChannelSurvey, one_channel
from voiceprint.audio.clipping import ClippingMeter, clipped_fraction
from voiceprint.audio.containers import Link, find_links
from voiceprint.audio.decoding import BLOCK, Decoder, open_link
from voiceprint.audio.sources import AudioSource, is_array, open_source, source_name
from voiceprint.audio.waveform import (
    MAX_SECONDS,
    MIN_SECONDS,
    SAMPLE_RATE,
    Waveform,
    check_length,
    check_original_rate,
    check_samples,
    check_work,
    fault,
    full_scale,
)

_MAX_OFFSET = 0.005  # of full scale; more is a fault of the recorder, and would be taken for noise
_OFFSET_FRAME = SAMPLE_RATE // 20  # samples of whose means the offset is the median
_OFFSET_ERRORS = 4.0  # standard errors of the mean that an offset lies beyond
_OFFSET_FRAMES = 10  # fewer of them, half a second, tell no offset from a slow sound


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioInfo:
    """What a file says of itself before it is decoded.

    Parameters
    ----------
    seconds : float or None
        Its length; None where the file does not say, as one that was written to a pipe.
    channels : int
        How many it has; the most, where several recordings stand one after another in it.
    sample_rate : int
        In Hz; the highest, likewise.
    format : str
        Container and codec, such as ``WAV/PCM_16`` or ``matroska/opus``.

    Examples
    --------
    >>> from voiceprint.audio import probe_audio
    >>> about = probe_audio("door.wav")
    >>> about.seconds, about.channels, about.sample_rate, about.format
    (3.0, 1, 16000, 'WAV/PCM_16')
    """

    seconds: float | None
    channels: int
    sample_rate: int
    format: str


def probe_audio(source: AudioSource) -> AudioInfo:
    """Say how much sound a file holds, without decoding it.

    Parameters
    ----------
    source : str, path, bytes or binary file object
        As for :func:`read_audio`. A file object that can be sought in stands where it stood afterwards.

    Raises
    ------
    AudioError
        The file is missing, is no audio, or is damaged or cut short as far as that is seen without decoding.

    Examples
    --------
    >>> probe_audio("door.wav")
    AudioInfo(seconds=3.0, channels=1, sample_rate=16000, format='WAV/PCM_16')
    """
    name = source_name(source)
    if is_array(source):
        raise fault(name, "is an array, which is decoded already; give a file")
    with _left_in_place(source), open_source(source, name) as stream:
        found = [_info(link, name) for link in find_links(stream, name)]
    lengths = [info.seconds for info in found]
    return AudioInfo(
        seconds=None if None in lengths else sum(length or 0.0 for length in lengths),
        channels=max(info.channels for info in found),
        sample_rate=max(info.sample_rate for info in found),
        format=found[0].format,
    )


@contextmanager
def _left_in_place(source: AudioSource) -> Iterator[None]:
    stream: Any = source if hasattr(source, "seekable") and source.seekable() else None
    place = None if stream is None else stream.tell()
    try:
        yield
    finally:
        if stream is not None:
            stream.seek(place)


def _info(link: Link, name: str) -> AudioInfo:
    with open_link(link, name) as sound:
        check_original_rate(sound.sample_rate, name)
        return AudioInfo(
            seconds=None if sound.frames is None else sound.frames / sound.sample_rate,
            channels=sound.channels,
            sample_rate=sound.sample_rate,
            format=sound.format,
        )


def read_audio(
    source: AudioSource,
    *,
    sample_rate: int | None = None,
    channel: int | None = None,
    max_seconds: float = MAX_SECONDS,
) -> Waveform:
    """Read a clip as mono float32 at 16 kHz.

    Channels that hold the same sound are averaged; where that would harm it (one is inverted, or the
    microphones stand apart), the loudest is taken. A constant offset of over 0.5 % of full scale, as poor
    sound cards add, is subtracted. Several recordings one after another in a file are read so.

    Parameters
    ----------
    source : str, path, bytes, binary file object or ndarray
        A path (``-`` is standard input), the bytes of an audio file, a file object that holds one, or samples
        of shape (n,) or (n, channels): floats in [-1, 1], or 8-, 16- or 32-bit integers (unsigned 8-bit ones
        are centred on 128). Files may be WAV, FLAC, Ogg Vorbis, Opus, MP3, AIFF, AU or CAF; with the `media`
        extra also m4a, mp4, webm, aac, amr and wma.
    sample_rate : int, optional
        Of an array, in Hz. Given for arrays, and only for them.
    channel : int, optional
        The channel to take, counted from 1, where each holds another sound.
    max_seconds : float
        Longest clip that is read, in seconds.

    Raises
    ------
    ArgumentError
        `max_seconds` is no number above 0, or `sample_rate` or `channel` no whole number from 1 on.
    AudioError
        The clip is missing, cannot be decoded, is damaged or cut short, is shorter than 0.1 s or longer than
        `max_seconds`, has a sample rate outside 8 to 192 kHz, holds samples that are NaN, infinite or far
        above full scale, or different sounds in its channels while `channel` is not given.

    Examples
    --------
    >>> read_audio(np.zeros(8000, dtype=np.float32), sample_rate=8000).seconds
    1.0
    """
    _check_arguments(sample_rate, channel, max_seconds)
    parts, meter, rate = [np.zeros(0, dtype=np.float32)], ClippingMeter(), SAMPLE_RATE
    for block, rate in _blocks(source, sample_rate, channel, max_seconds, meter):  # noqa: B007
        parts.append(block)
    return _waveform(np.concatenate(parts), source_name(source), rate, meter)


def _check_arguments(sample_rate: int | None, channel: int | None, max_seconds: float) -> None:
    check_number("max_seconds", max_seconds, above=0.0)
    if sample_rate is not None:
        check_count("sample_rate", sample_rate)
    if channel is not None:
        check_count("channel", channel)


def stream_audio(
    source: AudioSource,
    *,
    sample_rate: int | None = None,
    channel: int | None = None,
    max_seconds: float = MAX_SECONDS,
) -> Iterator[NDArray[np.float32]]:
    """Read a recording block by block, as :func:`read_audio` reads it whole, for what is too long for memory.

    A constant offset is left in, for only all of a recording tells it.

    Parameters
    ----------
    source, sample_rate, channel, max_seconds
        As of :func:`read_audio`.

    Yields
    ------
    ndarray of float32, shape (n,)
        Mono at 16 kHz; of any lengths, also 0.

    Raises
    ------
    ArgumentError, AudioError
        As of :func:`read_audio`, but for a recording that is too short; what was yielded before is sound.

    Examples
    --------
    >>> from voiceprint.audio import SAMPLE_RATE, stream_audio
    >>> sum(len(block) for block in stream_audio("meeting.wav")) / SAMPLE_RATE
    32.0
    """
    _check_arguments(sample_rate, channel, max_seconds)
    for block, _ in _blocks(source, sample_rate, channel, max_seconds, ClippingMeter()):
        yield np.clip(block, -1.0, 1.0)


def _blocks(
    source: AudioSource,
    sample_rate: int | None,
    channel: int | None,
    max_seconds: float,
    meter: ClippingMeter,
) -> Iterator[tuple[NDArray[np.float32], int]]:
    """Yield blocks (n,) at 16 kHz, each with the rate that the recording had."""
    if is_array(source):
        yield from _array_mono(np.asarray(source), sample_rate, channel, max_seconds, meter)
        return
    name = source_name(source)
    if sample_rate is not None:
        raise fault(
            name, f"was given with sample_rate={sample_rate}; only an array needs one, files carry theirs"
        )
    with open_source(source, name) as stream:
        links = find_links(stream, name)
        found = _check_headers(links, name, max_seconds)
        done = 0
        for link, info in zip(links, found, strict=True):
            blocks = partial(_link_blocks, link, name, max_seconds - done / SAMPLE_RATE)
            for block in _mono(
                blocks, channels=info.channels, rate=info.sample_rate, channel=channel, name=name, meter=meter
            ):
                done += len(block)
                yield block, found[0].sample_rate


def _check_headers(links: Sequence[Link], name: str, max_seconds: float) -> list[AudioInfo]:
    """Refuse by its headers what is too long, before anything is decoded; return what they say."""
    found = [_info(link, name) for link in links]
    check_length(sum(info.seconds or 0.0 for info in found), name, max_seconds)
    return found


def _mono(
    blocks: Callable[[], Iterator[NDArray[np.float32]]],
    *,
    channels: int,
    rate: int,
    channel: int | None,
    name: str,
    meter: ClippingMeter,
) -> Iterator[NDArray[np.float32]]:
    """Bring blocks (frames, channels) to one channel at 16 kHz, block by block (n,).

    They are asked for twice where only all of them tell how to mix the channels.
    """
    if channel is not None:
        weights = one_channel(channels, channel, name)
    elif channels == 1:
        weights = np.ones(1, dtype=np.float32)
    else:
        survey = ChannelSurvey(channels, rate)
        for block in blocks():
            survey.add(block)
        weights = survey.weights(name)
    return _resampled((meter.add(block @ weights) for block in blocks()), rate)


def _link_blocks(link: Link, name: str, max_seconds: float) -> Iterator[NDArray[np.float32]]:
    with open_link(link, name) as sound:
        yield from _checked_blocks(sound, name, max_seconds)


def _checked_blocks(sound: Decoder, name: str, max_seconds: float) -> Iterator[NDArray[np.float32]]:
    """Decode block by block, (frames, channels), and check that all the header promised is there."""
    done = 0
    for block in sound.blocks():
        done += len(block)
        check_length(done / sound.sample_rate, name, max_seconds)
        check_work(done, sound.channels, name, max_seconds)
        check_samples(block, name)
        yield block
    if sound.frames is not None and done + sound.spare < sound.frames:
        have, want = done / sound.sample_rate, sound.frames / sound.sample_rate
        raise fault(name, f"is cut short: {have:.2f} of {want:.2f} s are there; copy it again")


def _resampled(blocks: Iterable[NDArray[np.float32]], rate: int) -> Iterator[NDArray[np.float32]]:
    """Bring blocks (frames,) of one channel to 16 kHz, block by block (n,)."""
    if rate == SAMPLE_RATE:
        yield from blocks
        return
    resampler = soxr.ResampleStream(rate, SAMPLE_RATE, 1, dtype="float32")
    for block in blocks:
        yield resampler.resample_chunk(block)
    yield resampler.resample_chunk(np.zeros(0, dtype=np.float32), last=True)


def _without_offset(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Subtract a constant offset (n,) -> (n,), where it is sure: loud noise has means of its own."""
    frames = samples[: len(samples) // _OFFSET_FRAME * _OFFSET_FRAME].reshape(-1, _OFFSET_FRAME)
    if len(frames) < _OFFSET_FRAMES:
        return samples
    means = frames.mean(axis=1)
    ordered = np.sort(means)
    # np.median would do, but loads numpy.ma, which takes longer than to read the clip.
    offset = ordered[(len(means) - 1) // 2 : len(means) // 2 + 1].mean()
    chance = _OFFSET_ERRORS * means.std() / np.sqrt(len(means))
    return samples - offset if abs(offset) > max(_MAX_OFFSET, chance) else samples


def _waveform(samples: NDArray[np.float32], name: str, rate: int, meter: ClippingMeter) -> Waveform:
    seconds = len(samples) / SAMPLE_RATE
    if seconds < MIN_SECONDS:
        raise fault(name, f"lasts {seconds:.3f} s; the shortest clip that can be used is {MIN_SECONDS} s")
    samples = _without_offset(samples)
    # Resampling a loud clip overshoots full scale a little.
    samples = np.clip(samples, -1.0, 1.0)
    clipped = max(meter.fraction, clipped_fraction(samples))
    return Waveform(samples=samples, source=name, original_rate=rate, clipped=clipped)


def _array_mono(
    array: NDArray[Any], rate: int | None, channel: int | None, max_seconds: float, meter: ClippingMeter
) -> Iterator[tuple[NDArray[np.float32], int]]:
    name = "<array>"
    if rate is None:
        raise fault(name, "carries no sample rate; give sample_rate=, in Hz")
    check_original_rate(rate, name)
    if array.ndim not in (1, 2) or (array.ndim == 2 and not 0 < array.shape[1] <= max(1, array.shape[0])):
        raise fault(name, f"of shape {array.shape} is not a clip; give (samples,) or (samples, channels)")
    check_length(len(array) / rate, name, max_seconds)
    frames = array.reshape(len(array), -1) if array.size else array.reshape(0, 1)
    blocks = partial(_array_blocks, frames, name)
    for block in _mono(blocks, channels=frames.shape[1], rate=rate, channel=channel, name=name, meter=meter):
        yield block, rate


def _array_blocks(frames: NDArray[Any], name: str) -> Iterator[NDArray[np.float32]]:
    step = max(1, BLOCK // frames.shape[1])
    for start in range(0, len(frames), step):
        block = full_scale(frames[start : start + step], name)
        check_samples(block, name)
        yield block
