"""Whom a new voiceprint sounds like: one voice, or one recording, that is enrolled under two names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from voiceprint.audio.fingerprint import SAME_RECORDING, SoundTrace
from voiceprint.calibration import Decider, OperatingPoint, TrialShape
from voiceprint.errors import SpeakerError, StoreError
from voiceprint.store import EnrolledUtterance, Enrollment, EnrollmentStore, StoreHit

__all__ = ["Resemblance", "who_resembles"]

_FAR = 1e-3
"""How often somebody who is not enrolled is said to sound like anybody who is."""

_NEAREST = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Resemblance:
    """Somebody else who is enrolled with the same voice, as it seems.

    Attributes
    ----------
    score : float
        Cosine of the two voiceprints.
    llr : float or None
        Natural log of the likelihood ratio: how much speaks for one person; None without a calibration.
    same_recordings : int
        Clips that both voiceprints are made of.
    """

    name: str
    score: float
    llr: float | None
    same_recordings: int


def who_resembles(
    enrollment: Enrollment,
    traces: Sequence[SoundTrace],
    store: EnrollmentStore,
    decider: Decider,
) -> tuple[Resemblance, ...]:
    """Find the people enrolled under other names whose voice a voiceprint has.

    Parameters
    ----------
    enrollment : Enrollment
        The voiceprint, which is in the store.
    traces : sequence of SoundTrace
        Of the clips that it was just given.
    decider : Decider
        Of the model and the store. Without a calibration only common recordings count.

    Returns
    -------
    tuple of Resemblance
        Nearest first: those who would be accepted for the person at a false-accept rate of 0.001 over the
        whole store, and those with a recording in common. Twins and mistakes are among them: it is a warning.
    """
    try:
        return tuple(_found(enrollment, traces, store, decider))
    except (SpeakerError, StoreError):  # the voiceprint is in the store; what fails here takes only a warning
        return ()


def _found(
    enrollment: Enrollment, traces: Sequence[SoundTrace], store: EnrollmentStore, decider: Decider
) -> Iterator[Resemblance]:
    nearest = store.search(enrollment.centroid, top=_NEAREST + 1)
    hits = [hit for hit in nearest if hit.name != enrollment.name]
    if not hits:
        return
    own = {clip.clip_sha256 for clip in store.utterances(enrollment.name)}
    shape = TrialShape(
        n_enroll=[hit.n_utterances for hit in hits],
        seconds=np.full(len(hits), enrollment.seconds_of_speech),
    )
    alike = _alike(hits, shape, decider, others=max(1, len(store) - 1))
    llrs = decider.llrs([hit.score for hit in hits], shape)
    for place, hit in enumerate(hits):
        # Of a voice that is unlike, sound tells nothing: somebody may imitate the other, or a machine.
        common = _in_common(own, traces if alike[place] else (), store.utterances(hit.name))
        if common or alike[place]:
            llr = None if llrs is None else float(llrs[place])
            yield Resemblance(name=hit.name, score=hit.score, llr=llr, same_recordings=common)


def _in_common(own: set[str], traces: Sequence[SoundTrace], clips: Sequence[EnrolledUtterance]) -> int:
    """Count the clips that are also ours: the same samples, or the same recording."""
    alike = np.array([clip.clip_sha256 in own for clip in clips])
    for trace in traces:
        others = np.flatnonzero(~alike)
        if len(others):
            known = [clips[place].fingerprint for place in others.tolist()]
            alike[others] = trace.likeness(known) >= SAME_RECORDING
    return int(alike.sum())


def _alike(hits: list[StoreHit], shape: TrialShape, decider: Decider, *, others: int) -> list[bool]:
    if decider.calibration is None:
        return [False] * len(hits)
    limits = decider.thresholds(shape, OperatingPoint.far(_FAR).among(others))
    return [hit.score >= limit for hit, limit in zip(hits, limits, strict=True)]
