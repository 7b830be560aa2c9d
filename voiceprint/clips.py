"""Clip: one recording as the engine hears it, and the samples of it that are embedded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from voiceprint.audio import MAX_SECONDS, SAMPLE_RATE, AudioSource, Waveform, find_audio, read_audio
from voiceprint.errors import AudioError
from voiceprint.quality import ClipQuality, measure_quality
from voiceprint.vad import Speech, find_speech

__all__ = [
    "MARGIN",
    "MAX_SECONDS",
    "MIN_SPEECH",
    "Clip",
    "ClipSource",
    "clips_beside_folders",
    "read_clip",
    "samples_to_embed",
    "with_margins",
]

ClipSource = AudioSource | Waveform
"""What the library takes for a clip: anything `read_audio` reads, or what it gave."""

MIN_SPEECH = 0.5
"""Seconds of speech below which nobody is verified, identified or enrolled by a clip.

Half a second is two or three syllables. Below it the encoder says more about the sounds than the speaker.
"""

MARGIN = 0.2
"""Seconds on both sides of speech that are embedded with it; chosen on dev speakers (docs/vad.md).

Onsets, decays and breaths below the detector's threshold say something of the speaker, and a network that was
trained on recordings as they are hears a voice without its pauses as another one.
"""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Clip:
    """A clip that was read and searched for speech.

    Attributes
    ----------
    source : str
        Where it came from.
    sha256 : str
        Hash of its samples, by which a clip that comes twice is known.
    quality : ClipQuality
        Its length, speech, level, clipping and signal-to-noise ratio.
    speech : ndarray, shape (m,), float32
        The speech, and what lies up to `MARGIN` from it: what is embedded.
    """

    source: str
    sha256: str
    quality: ClipQuality
    speech: NDArray[np.float32]


def read_clip(source: ClipSource, *, max_seconds: float = MAX_SECONDS) -> Clip:
    """Read a clip and find the speech in it.

    Parameters
    ----------
    source : path, bytes, file object or Waveform
        The clip. Arrays come as a Waveform: ``read_audio(array, rate=...)``.
    max_seconds : float
        Longest clip that is read.

    Returns
    -------
    Clip
        Its speech may be empty.

    Raises
    ------
    AudioError
        If the clip cannot be read.
    """
    waveform = source if isinstance(source, Waveform) else read_audio(source, max_seconds=max_seconds)
    speech = find_speech(waveform)
    return Clip(
        source=waveform.source,
        sha256=waveform.sha256,
        quality=measure_quality(waveform, speech),
        speech=with_margins(waveform, speech),
    )


def samples_to_embed(waveform: Waveform, speech: Speech | None = None) -> NDArray[np.float32]:
    """Return the samples that stand for a clip where every clip counts: in ``embed`` and in evaluation.

    Parameters
    ----------
    waveform : Waveform
        The clip.
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
    reach = round(margin * SAMPLE_RATE)
    kept = np.zeros(len(waveform.samples), dtype=bool)
    for segment in speech.segments:
        kept[max(0, segment.start - reach) : segment.stop + reach] = True
    return waveform.samples[kept]


def clips_beside_folders(folder: Path) -> list[Path]:
    """List the audio files directly in a folder whose sub-folders are people: nobody's clips, as it seems."""
    try:
        return [path for path in find_audio([folder]) if path.parent == folder]
    except AudioError:  # there is no audio at all, which whoever reads the sub-folders will say
        return []
