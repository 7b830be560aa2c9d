"""One clip that is given for a person: read, measured and embedded, or why it cannot be used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from voiceprint.audio.clips import MAX_SECONDS, MIN_SPEECH, ClipSource, read_clip
from voiceprint.audio.fingerprint import trace_of
from voiceprint.audio.opus import encode_opus
from voiceprint.audio.quality import ClipQuality
from voiceprint.engine.enrollment import CandidateClip, ClipReport, ClipStatus
from voiceprint.engine.two_voices import find_two_voices
from voiceprint.errors import AudioError, ChannelsDifferError
from voiceprint.model import SpeakerModel

if TYPE_CHECKING:
    from voiceprint.countermeasure import LivenessCheck

__all__ = ["measure_clip"]


def measure_clip(
    source: ClipSource,
    model: SpeakerModel,
    *,
    sample_rate: int | None = None,
    channel: int | None = None,
    max_seconds: float = MAX_SECONDS,
    keep_audio: bool = False,
    liveness: LivenessCheck | None = None,
) -> CandidateClip:
    """Read, measure and embed one clip; what cannot be used is said in its report.

    Parameters
    ----------
    source, sample_rate, channel, max_seconds
        As of `read_clip`.
    keep_audio : bool
        Encode its speech, too, to be kept.
    liveness : LivenessCheck, optional
        Asked whether somebody speaks in it.
    """
    try:
        clip = read_clip(source, sample_rate=sample_rate, channel=channel, max_seconds=max_seconds)
    except ChannelsDifferError as error:
        reason = error.fact.removeprefix(f"{error.source} ")
        return _unusable(error.source, "channels_differ", reason, None)
    except AudioError as error:
        # The report says which clip it is; its reason need not begin with the name again.
        reason = str(error).removeprefix(f"{error.source} ").removeprefix(f"{error.source}: ")
        return _unusable(error.source, "unreadable", reason, None)
    seconds = clip.quality.seconds_of_speech
    if seconds < MIN_SPEECH:
        reason = f"{seconds:.1f} s of speech; at least {MIN_SPEECH} s are needed"
        return _unusable(clip.source, "too_short", reason, clip.quality)
    if (voices := find_two_voices(clip, model)) is not None:
        return _unusable(clip.source, "two_voices", f"{voices}; cut it to one person", clip.quality)
    said = None if liveness is None else liveness.judge(clip)
    if said is not None and not said:
        status: ClipStatus = "spoofed" if said.decision == "spoofed" else "too_short"
        return _unusable(clip.source, status, said.reason, clip.quality)
    report = ClipReport(source=clip.source, status="used", reason="", quality=clip.quality, agreement=None)
    return CandidateClip(
        report=report,
        sha256=clip.sha256,
        embedding=model.embed(clip.speech),
        trace=trace_of(clip.speech, clip.stretches),
        audio=encode_opus(clip.speech) if keep_audio else None,
    )


def _unusable(source: str, status: ClipStatus, reason: str, quality: ClipQuality | None) -> CandidateClip:
    report = ClipReport(source=source, status=status, reason=reason, quality=quality, agreement=None)
    return CandidateClip(report=report, sha256="", embedding=None)
