"""Diarization error rate by pyannote.metrics, and how often names are right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pyannote.core import Annotation, Segment, Timeline
from pyannote.metrics.diarization import DiarizationErrorRate

from voiceprint.diarization.turns import SpeakerTurn

COLLARS = (0.0, 0.25)
"""Seconds around each border of the reference that are not counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorRate:
    """Fractions of the reference's speech, overlap counted for every speaker."""

    collar: float
    missed: float
    false_alarm: float
    confusion: float

    @property
    def rate(self) -> float:
        """The diarization error rate."""
        return self.missed + self.false_alarm + self.confusion


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """How speakers were named: of those enrolled, of the others."""

    enrolled: int = 0
    right: int = 0
    wrong: int = 0
    others: int = 0
    falsely: int = 0

    def __add__(self, other: Names) -> Names:
        return Names(
            enrolled=self.enrolled + other.enrolled,
            right=self.right + other.right,
            wrong=self.wrong + other.wrong,
            others=self.others + other.others,
            falsely=self.falsely + other.falsely,
        )


def sum_errors(
    pairs: Sequence[tuple[Sequence[SpeakerTurn], Sequence[SpeakerTurn], float]], collar: float
) -> ErrorRate:
    """Add up the errors of recordings: (reference, hypothesis, seconds) each.

    Parameters
    ----------
    collar : float
        Seconds on each side of a border (pyannote.metrics counts both together).
    """
    metric = DiarizationErrorRate(collar=2 * collar, skip_overlap=False)
    for reference, hypothesis, seconds in pairs:
        metric(_annotation(reference), _annotation(hypothesis), uem=Timeline([Segment(0.0, seconds)]))
    parts = metric.accumulated_
    total = max(parts["total"], 1e-9)
    return ErrorRate(
        collar=collar,
        missed=parts["missed detection"] / total,
        false_alarm=parts["false alarm"] / total,
        confusion=parts["confusion"] / total,
    )


def named_rightly(
    reference: Sequence[SpeakerTurn],
    hypothesis: Sequence[SpeakerTurn],
    enrolled: frozenset[str],
    least: float = 3.0,
) -> Names:
    """Count names: each true speaker who says enough is the one found whose turns overlap most.

    Parameters
    ----------
    least : float
        Seconds of speech below which a speaker is not counted.
    """
    mapping = DiarizationErrorRate().optimal_mapping(_annotation(reference), _annotation(hypothesis))
    found = {true: label for label, true in mapping.items()}
    counts = Names()
    for true in sorted({turn.speaker for turn in reference}):
        if sum(turn.seconds for turn in reference if turn.speaker == true) < least:
            continue
        label = found.get(true, "")
        if true in enrolled:
            counts += Names(
                enrolled=1, right=int(label == true), wrong=int(label != true and label in enrolled)
            )
        else:
            counts += Names(others=1, falsely=int(label in enrolled))
    return counts


def _annotation(turns: Sequence[SpeakerTurn]) -> Annotation:
    annotation = Annotation()
    for number, turn in enumerate(turns):
        if turn.stop > turn.start:
            annotation[Segment(turn.start, turn.stop), number] = turn.speaker
    return annotation
