"""Which of the clips given for a person make the voiceprint, and why the others do not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from voiceprint.audio.fingerprint import SAME_RECORDING, SoundTrace
from voiceprint.audio.quality import ClipQuality
from voiceprint.calibration import Decider, OperatingPoint, TrialShape
from voiceprint.engine.resemblance import Resemblance
from voiceprint.errors import EnrollmentError
from voiceprint.scoring import centroid, cosine, leave_one_out_agreement
from voiceprint.store import EnrolledUtterance, Enrollment

__all__ = [
    "MIN_ENROLL_SPEECH",
    "CandidateClip",
    "ClipReport",
    "ClipStatus",
    "EnrollmentReport",
    "judge_clips",
    "those_that_agree",
    "utterances_of",
]

MIN_ENROLL_SPEECH = 3.0
"""Seconds of speech, over all clips, that a voiceprint takes by default."""

ClipStatus = Literal[
    "used", "disagrees", "two_voices", "channels_differ", "spoofed", "too_short", "unreadable", "duplicate"
]
"""What became of a clip."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipReport:
    """What became of one clip at enrollment.

    Attributes
    ----------
    status : ClipStatus
        Whether it is part of the voiceprint ("used"), or why it was set aside: "disagrees", "two_voices",
        "channels_differ", "spoofed", "too_short", "unreadable", "duplicate".
    reason : str
        Why it was set aside, in a sentence; empty if it was used.
    quality : ClipQuality or None
        Its measurements; None if it could not be read.
    agreement : float or None
        Cosine of the clip and the person's other clips; None if there was nothing to compare it with.
    """

    source: str
    status: ClipStatus
    reason: str
    quality: ClipQuality | None
    agreement: float | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CandidateClip:
    """A clip that was measured and, if it holds enough speech, embedded.

    Attributes
    ----------
    report : ClipReport
        What is known of it by itself.
    sha256 : str
        Hash of its samples; empty if it could not be read.
    embedding : ndarray, shape (dim,), float32, or None
        None unless the status is "used".
    trace : SoundTrace or None
        By which its recording is known again; None unless the status is "used".
    audio : bytes or None
        Its speech in Opus, where that is to be kept.
    """

    report: ClipReport
    sha256: str
    embedding: NDArray[np.float32] | None = field(repr=False)
    trace: SoundTrace | None = field(default=None, repr=False)
    audio: bytes | None = field(default=None, repr=False)

    @property
    def seconds_of_speech(self) -> float:
        """Speech in the clip."""
        return 0.0 if self.report.quality is None else self.report.quality.seconds_of_speech


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrollmentReport:
    """What enrolling somebody did.

    Attributes
    ----------
    clips : tuple of ClipReport
        What became of each clip, in the order given.
    resembles : tuple of Resemblance
        Who else is enrolled with this voice or with one of these recordings, as it seems.

    Examples
    --------
    >>> given = ["people/edda/1.wav", "people/edda/2.wav", "people/edda/2.wav"]
    >>> report = verifier.enroll("edda", given)
    >>> len(report.used), [each.status for each in report.set_aside]
    (2, ['duplicate'])
    """

    enrollment: Enrollment
    clips: tuple[ClipReport, ...]
    resembles: tuple[Resemblance, ...] = ()

    @property
    def name(self) -> str:
        """The person.

        Examples
        --------
        >>> verifier.enroll("cleo", ["people/cleo/1.wav", "people/cleo/2.wav"]).name
        'cleo'
        """
        return self.enrollment.name

    @property
    def used(self) -> tuple[ClipReport, ...]:
        """The clips that are part of the voiceprint.

        Examples
        --------
        >>> report = verifier.enroll("cleo", [f"people/cleo/{clip}.wav" for clip in (1, 2, 3, 3)])
        >>> len(report.used)  # one recording counts once
        3
        """
        return tuple(clip for clip in self.clips if clip.status == "used")

    @property
    def set_aside(self) -> tuple[ClipReport, ...]:
        """The clips that are not.

        Examples
        --------
        >>> report = verifier.enroll("cleo", [f"people/cleo/{clip}.wav" for clip in (1, 2, 3, 3)])
        >>> [clip.source for clip in report.set_aside]
        ['people/cleo/3.wav']
        """
        return tuple(clip for clip in self.clips if clip.status != "used")

    def _repr_html_(self) -> str:
        """Return what a notebook shows."""
        from voiceprint.html import card, grid  # noqa: PLC0415  only notebooks need it

        rows = [
            (
                clip.source,
                "" if clip.quality is None else f"{clip.quality.seconds_of_speech:.1f}",
                "" if clip.agreement is None else f"{clip.agreement:.2f}",
                clip.reason or clip.status,
            )
            for clip in self.clips
        ]
        table = grid(["clip", "speech s", "agreement", ""], rows)
        alike = [f"sounds like {other.name}" for other in self.resembles]
        return card(f"{self.name}: {len(self.used)} of {len(rows)} clips enrolled", table, *alike, mark="yes")


def judge_clips(
    name: str,
    candidates: Sequence[CandidateClip],
    *,
    decider: Decider,
    enrolled: Enrollment | None = None,
    enrolled_clips: Sequence[EnrolledUtterance] = (),
    min_speech: float = MIN_ENROLL_SPEECH,
) -> tuple[CandidateClip, ...]:
    """Set aside the clips that come twice or disagree with the rest, and refuse what makes no voiceprint.

    A clip disagrees when its cosine to the centroid of the others is below the threshold at the EER for that
    many clips, seconds and noise. The worst clip goes first and the rest is judged again, because an
    impostor's clip moves the others' centroid towards itself. More than half of the clips must agree: of two
    that disagree, either may be the impostor's. Clips added to a voiceprint are compared with the voiceprint
    alone, so that several clips of an impostor cannot vouch for each other.

    Parameters
    ----------
    decider : Decider
        Of the model and the store. Without a calibration no clip is set aside for disagreeing.
    enrolled : Enrollment, optional
        The voiceprint that the clips are added to.
    min_speech : float
        Seconds of speech that the voiceprint must rest on in all.

    Returns
    -------
    tuple of CandidateClip
        All of them, in order, with their final reports.

    Raises
    ------
    EnrollmentError
        If no clip is left, too few agree, or they hold too little speech; ``.clips`` holds the reports.
    """
    judged = list(_set_duplicates_aside(candidates, enrolled_clips))
    usable = [index for index, clip in enumerate(judged) if clip.embedding is not None]
    if usable:
        kept, agreement = _agreeing([judged[index] for index in usable], decider, enrolled)
        for index, keep, value in zip(usable, kept, agreement, strict=True):
            judged[index] = _with_agreement(judged[index], keep, value)
    _refuse_if_unfit(name, judged, enrolled, min_speech)
    return tuple(judged)


def those_that_agree(
    enrolled: Enrollment, utterances: Sequence[EnrolledUtterance], *, decider: Decider
) -> list[EnrolledUtterance]:
    """Choose the clips, embedded elsewhere, that agree with a voiceprint, as `judge_clips` would.

    Parameters
    ----------
    enrolled : Enrollment
        The voiceprint that they are to join.
    utterances : sequence of EnrolledUtterance
        At least one.

    Raises
    ------
    EnrollmentError
        If the decider has no calibration. `judge_clips` then takes what somebody gave for this person; of a
        file from elsewhere nobody says so.
    """
    if decider.calibration is None:
        raise EnrollmentError(
            f"{enrolled.name}: without a calibration clips cannot be checked to be of this person, so "
            "nothing was added",
            advice="skip or replace those who are enrolled, or use a calibrated model",
            name=enrolled.name,
        )
    agreement = cosine(enrolled.centroid, np.stack([clip.embedding for clip in utterances]))
    limits = _limits(decider, enrolled.n_utterances, [clip.quality for clip in utterances])
    return [clip for clip, agrees in zip(utterances, agreement >= limits, strict=True) if agrees]


def utterances_of(judged: Iterable[CandidateClip]) -> list[EnrolledUtterance]:
    """Return the clips that make the voiceprint, as the store takes them."""
    return [
        EnrolledUtterance(
            embedding=clip.embedding,
            clip_sha256=clip.sha256,
            source=clip.report.source,
            quality=clip.report.quality,
            fingerprint=_fingerprint(clip),
            audio=clip.audio,
        )
        for clip in judged
        if clip.embedding is not None and clip.report.quality is not None
    ]


def _set_aside(clip: CandidateClip, status: ClipStatus, reason: str) -> CandidateClip:
    return replace(
        clip, report=replace(clip.report, status=status, reason=reason), embedding=None, trace=None
    )


def _set_duplicates_aside(
    candidates: Sequence[CandidateClip], enrolled_clips: Sequence[EnrolledUtterance]
) -> list[CandidateClip]:
    known = [
        _Known("a clip that is enrolled already", clip.clip_sha256, clip.fingerprint)
        for clip in enrolled_clips
    ]
    judged: list[CandidateClip] = []
    for clip in candidates:
        same = _same_recording(clip, known)
        if same:
            judged.append(_set_aside(clip, "duplicate", same))
            continue
        judged.append(clip)
        if clip.embedding is not None:
            known.append(_Known(clip.report.source, clip.sha256, _fingerprint(clip)))
    return judged


class _Known(NamedTuple):
    """A clip that others are compared with."""

    what: str
    sha256: str
    fingerprint: bytes


def _same_recording(clip: CandidateClip, known: Sequence[_Known]) -> str:
    """Say which earlier clip is the same recording, to the sample or not; empty where none is."""
    if clip.embedding is None:
        return ""
    copied = next((each for each in known if each.sha256 == clip.sha256), None)
    if copied is not None:
        return f"the same recording as {copied.what}"
    if clip.trace is None or not known:
        return ""
    likeness = clip.trace.likeness([each.fingerprint for each in known])
    if likeness.max() < SAME_RECORDING:
        return ""
    return f"the same recording as {known[int(likeness.argmax())].what}, encoded anew or in part"


def _fingerprint(clip: CandidateClip) -> bytes:
    return b"" if clip.trace is None else clip.trace.fingerprint()


def _agreeing(
    clips: Sequence[CandidateClip], decider: Decider, enrolled: Enrollment | None
) -> tuple[list[bool], list[float | None]]:
    """Say of each clip whether it agrees with the person's others, and how well."""
    embeddings = np.stack([clip.embedding for clip in clips if clip.embedding is not None])  # (n, dim)
    if enrolled is not None:
        agreement = cosine(enrolled.centroid, embeddings)
        limits = _limits(decider, enrolled.n_utterances, _qualities(clips))
        return (agreement >= limits).tolist(), agreement.tolist()
    kept = _drop_impostors(embeddings, clips, decider)
    return [index in kept for index in range(len(clips))], _agreement(embeddings, kept)


def _agreement(embeddings: NDArray[np.float32], kept: Sequence[int]) -> list[float | None]:
    """Cosine of each clip to the centroid of the kept ones other than itself; None where there are none."""
    agreement: list[float | None] = []
    for index, embedding in enumerate(embeddings):
        others = [other for other in kept if other != index]
        agreement.append(float(cosine(centroid(embeddings[others]), embedding)) if others else None)
    return agreement


def _drop_impostors(
    embeddings: NDArray[np.float32], clips: Sequence[CandidateClip], decider: Decider
) -> list[int]:
    """Return the rows that agree with each other, dropping the worst until all do: (n, dim) -> indices."""
    kept = list(range(len(embeddings)))
    while len(kept) > 1:
        limits = _limits(decider, len(kept) - 1, _qualities([clips[index] for index in kept]))
        margin = leave_one_out_agreement(embeddings[kept]) - limits
        worst = int(margin.argmin())
        if margin[worst] >= 0:
            break
        kept.pop(worst)
    return kept


def _qualities(clips: Sequence[CandidateClip]) -> list[ClipQuality]:
    """What was measured of clips that were embedded."""
    return [clip.report.quality for clip in clips if clip.report.quality is not None]


def _limits(decider: Decider, n_enroll: int, clips: Sequence[ClipQuality]) -> NDArray[np.float64]:
    """Lowest agreements (n,) of clips of the same person."""
    if decider.calibration is None:
        return np.full(len(clips), -np.inf)
    shape = TrialShape(
        n_enroll=n_enroll,
        seconds=[quality.seconds_of_speech for quality in clips],
        snr_db=[np.nan if quality.snr_db is None else quality.snr_db for quality in clips],
    )
    return decider.thresholds(shape, OperatingPoint.eer())


def _with_agreement(clip: CandidateClip, keep: bool, agreement: float | None) -> CandidateClip:
    clip = replace(clip, report=replace(clip.report, agreement=agreement))
    if keep:
        return clip
    return _set_aside(clip, "disagrees", f"sounds like another person (agreement {agreement:.2f})")


def _refuse_if_unfit(
    name: str, clips: Sequence[CandidateClip], enrolled: Enrollment | None, min_speech: float
) -> None:
    """Raise EnrollmentError unless the used clips make a voiceprint."""
    reports = tuple(clip.report for clip in clips)
    used = [clip for clip in clips if clip.embedding is not None]
    disagreeing = [clip for clip in clips if clip.report.status == "disagrees"]
    if disagreeing and (not used if enrolled else len(used) <= len(disagreeing)):
        against = "the enrolled voiceprint" if enrolled else "each other"
        message = f"{len(disagreeing)} of {len(used) + len(disagreeing)} clips disagree with {against}"
        raise EnrollmentError(
            f"{name}: {message} ({_named(disagreeing)})",
            advice="give clips of one person only",
            name=name,
            clips=reports,
        )
    if not used:
        raise EnrollmentError(f"{name}: no clip can be used ({_named(clips)})", name=name, clips=reports)
    speech = sum(clip.seconds_of_speech for clip in used)
    total = speech + (enrolled.seconds_of_speech if enrolled else 0.0)
    if total < min_speech:
        raise EnrollmentError(
            f"{name}: {total:.1f} s of speech in {len(used)} clip{'s' * (len(used) != 1)} is too little",
            advice=f"give at least {min_speech:g} s, or ask for less",
            name=name,
            clips=reports,
        )


def _named(clips: Sequence[CandidateClip], most: int = 3) -> str:
    """Name a few clips and why they were set aside."""
    if not clips:
        return "none was given"
    named = [f"{clip.report.source}: {clip.report.reason}" for clip in clips[:most]]
    more = [f"and {len(clips) - most} more"] if len(clips) > most else []
    return "; ".join(named + more)
