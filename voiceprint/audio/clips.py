"""Clip: one recording as the engine uses it, and the samples of it that are embedded."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from numbers import Real
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from voiceprint.audio import (
    MAX_SECONDS,
    SAMPLE_RATE,
    AudioSource,
    Waveform,
    is_array,
    read_audio,
)
from voiceprint.audio.excerpt import Excerpt, read_excerpt
from voiceprint.audio.quality import ClipQuality, QualityNote, QualityReport, measure_quality, quality_notes
from voiceprint.audio.vad import Segment, Speech, find_speech
from voiceprint.errors import ArgumentError

if TYPE_CHECKING:
    from typing_extensions import TypeIs  # of typing itself from Python 3.13 on

__all__ = [
    "MARGIN",
    "MAX_SECONDS",
    "MIN_SPEECH",
    "Clip",
    "ClipSource",
    "as_waveform",
    "check_sample_rate",
    "is_one_clip",
    "list_clips",
    "pool_clips",
    "read_clip",
    "samples_to_embed",
    "widened",
    "with_margins",
]

ClipSource = AudioSource | Waveform | Excerpt
"""What the library takes for a clip: what `read_audio` reads, what it gave, or stretches of a recording."""

MIN_SPEECH = 0.5
"""Seconds of speech below which nobody is verified, identified or enrolled by a clip.

Half a second is two or three syllables. Below it the encoder says more about the sounds than the speaker.
"""

MARGIN = 0.2
"""Seconds on both sides of speech that are embedded with it; chosen on dev speakers (explanation/vad.md).

Onsets, decays and breaths below the detector's threshold say something of the speaker, and a network that was
trained on recordings as they are takes a voice without its pauses for another one.
"""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Clip:
    """A clip that was read and searched for speech.

    Attributes
    ----------
    sha256 : str
        Hash of its samples, by which a clip that comes twice is known; empty while it is still being spoken.
    quality : ClipQuality
        Its length, speech, level, clipping and signal-to-noise ratio.
    speech : ndarray, shape (m,), float32
        The speech, and what lies up to `MARGIN` from it: what is embedded.
    stretches : tuple of Segment
        Where it lies in the clip; empty where it is of several.
    samples : ndarray, shape (n,), float32
        The whole clip; empty where it is of several, or still being spoken.
    original_rate : int
        Sample rate before resampling, in Hz; the lowest of several clips.
    parts : tuple of Clip
        The recordings that it was pooled of; empty where it is one.
    """

    source: str
    sha256: str
    quality: ClipQuality
    speech: NDArray[np.float32] = field(repr=False)
    stretches: tuple[Segment, ...] = field(default=(), repr=False)
    samples: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32), repr=False)
    original_rate: int = SAMPLE_RATE
    parts: tuple[Clip, ...] = field(default=(), repr=False)

    @property
    def recordings(self) -> tuple[Clip, ...]:
        """The recordings that it is made of: itself, unless it was pooled."""
        return self.parts or (self,)

    @property
    def notes(self) -> tuple[QualityNote, ...]:
        """What about it makes a verdict less sure; empty for a good clip."""
        return quality_notes(self.quality, self.speech, original_rate=self.original_rate)

    @property
    def quality_report(self) -> QualityReport:
        """What was measured of it, with the notes."""
        return QualityReport(**asdict(self.quality), quality_notes=self.notes)

    def time_of(self, sample: int) -> float:
        """Return where in the clip a sample of its speech lies, in seconds."""
        for stretch in self.stretches:
            length = stretch.stop - stretch.start
            if sample < length:
                return (stretch.start + sample) / SAMPLE_RATE
            sample -= length
        return self.quality.seconds


def is_one_clip(clips: ClipSource | Iterable[ClipSource]) -> TypeIs[ClipSource]:
    """Whether something is one clip, not several."""
    single = isinstance(clips, str | bytes | bytearray | memoryview | os.PathLike | Waveform) or is_array(
        clips
    )
    return single or hasattr(clips, "read") or not isinstance(clips, Iterable)


def list_clips(clips: ClipSource | Iterable[ClipSource]) -> list[ClipSource]:
    """List one clip or many: an array is one, several come in a list. ArgumentError for a list of numbers."""
    sources: list[ClipSource] = [clips] if is_one_clip(clips) else list(clips)
    for clip in sources:
        if isinstance(clip, Real):
            raise ArgumentError("clips", clip, "a clip or several; samples come as an array with sample_rate")
    return sources


def check_sample_rate(clips: Iterable[ClipSource], sample_rate: int | None) -> None:
    """Refuse a rate in Hz without an array that it could be of, and an array without one: ArgumentError."""
    arrays = any(is_array(clip.source if isinstance(clip, Excerpt) else clip) for clip in clips)
    if arrays and sample_rate is None:
        raise ArgumentError("sample_rate", None, "given for arrays, in Hz")
    if sample_rate is not None and not arrays:
        raise ArgumentError("sample_rate", sample_rate, "left out: only arrays need one, files carry theirs")


def read_clip(
    source: ClipSource,
    *,
    sample_rate: int | None = None,
    channel: int | None = None,
    max_seconds: float = MAX_SECONDS,
) -> Clip:
    """Read a clip and find the speech in it, of which there may be none; AudioError if it cannot be read.

    Parameters
    ----------
    sample_rate : int, optional
        Of an array, in Hz; nothing else needs it.
    channel : int, optional
        Which of several channels to take, from 1 on.
    """
    waveform = as_waveform(source, sample_rate=sample_rate, channel=channel, max_seconds=max_seconds)
    speech = find_speech(waveform)
    return Clip(
        source=waveform.source,
        sha256=waveform.sha256,
        quality=measure_quality(waveform, speech),
        speech=with_margins(waveform, speech),
        stretches=widened(speech.segments, stop=len(waveform.samples)),
        samples=waveform.samples,
        original_rate=waveform.original_rate,
    )


def pool_clips(clips: Sequence[Clip]) -> Clip:
    """Join the speech of several clips of one voice into one clip, as if it had been said at once.

    A recording that comes twice counts once. Level, clipping and signal-to-noise ratio are means by seconds
    of speech. Speech is embedded together, because thresholds are fitted to speech of a length that was
    embedded together.
    """
    once = list({clip.sha256: clip for clip in clips}.values())
    if len(once) == 1:
        return once[0]
    qualities = [clip.quality for clip in once]
    weights = [quality.seconds_of_speech for quality in qualities]
    return Clip(
        source=", ".join(clip.source for clip in once),
        sha256=hashlib.sha256("".join(clip.sha256 for clip in once).encode()).hexdigest(),
        quality=ClipQuality(
            seconds=sum(quality.seconds for quality in qualities),
            seconds_of_speech=sum(weights),
            level_dbfs=_mean([quality.level_dbfs for quality in qualities], weights),
            clipped=_mean([quality.clipped for quality in qualities], weights) or 0.0,
            snr_db=_mean([quality.snr_db for quality in qualities], weights),
        ),
        speech=np.concatenate([clip.speech for clip in once]),
        original_rate=min(clip.original_rate for clip in once),
        parts=tuple(once),
    )


def _mean(values: Sequence[float | None], weights: Sequence[float]) -> float | None:
    """Weighted mean of what is known; None where nothing is."""
    known = [(value, weight) for value, weight in zip(values, weights, strict=True) if value is not None]
    total = sum(weight for _, weight in known)
    return sum(value * weight for value, weight in known) / total if total > 0.0 else None


def as_waveform(
    source: ClipSource,
    *,
    sample_rate: int | None = None,
    channel: int | None = None,
    max_seconds: float = MAX_SECONDS,
) -> Waveform:
    """Read a clip, unless it was read before; the rate is for an array, and ignored of other clips.

    Raises
    ------
    ArgumentError
        If a channel is asked of a Waveform, which has one.
    AudioError
        If the clip cannot be read.
    """
    if isinstance(source, Waveform):
        if channel is not None:
            raise ArgumentError("channel", channel, "left out: a Waveform has one channel")
        return source
    if isinstance(source, Excerpt):
        rate = sample_rate if is_array(source.source) else None
        return read_excerpt(source, sample_rate=rate, channel=channel, max_seconds=max_seconds)
    rate = sample_rate if is_array(source) else None
    return read_audio(source, sample_rate=rate, channel=channel, max_seconds=max_seconds)


def samples_to_embed(waveform: Waveform, speech: Speech | None = None) -> NDArray[np.float32]:
    """Return the samples that stand for a clip where every clip counts: in ``embed`` and in evaluation.

    Parameters
    ----------
    speech : Speech, optional
        Its speech, where it has been looked for already.

    Returns
    -------
    ndarray, shape (m,), float32
        The speech and what lies up to `MARGIN` from it; the whole clip where less than `MIN_SPEECH` of it
        is speech.
    """
    speech = speech or find_speech(waveform)
    return with_margins(waveform, speech) if speech.seconds >= MIN_SPEECH else waveform.samples


def with_margins(waveform: Waveform, speech: Speech, margin: float = MARGIN) -> NDArray[np.float32]:
    """Return the samples (m,) of a clip's speech and of what lies up to ``margin`` seconds from it."""
    parts = widened(speech.segments, stop=len(waveform.samples), margin=margin)
    return np.concatenate([waveform.samples[:0], *(waveform.samples[p.start : p.stop] for p in parts)])


def widened(
    segments: Iterable[Segment], *, start: int = 0, stop: int, margin: float = MARGIN
) -> tuple[Segment, ...]:
    """Add a margin to both sides of each segment, and join those that meet.

    Parameters
    ----------
    segments : iterable of Segment
        In order.
    start, stop : int
        The samples that a margin ends at: those of the clip.
    margin : float
        In seconds.
    """
    reach = round(margin * SAMPLE_RATE)
    wide: list[Segment] = []
    for segment in segments:
        first, last = max(start, segment.start - reach), min(stop, segment.stop + reach)
        if wide and first <= wide[-1].stop:
            first = wide.pop().start
        wide.append(Segment(start=first, stop=last))
    return tuple(wide)
