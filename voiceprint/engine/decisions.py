"""What the engine answers: Verification, Identification, Comparison; and that a recording was seen before."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from voiceprint.audio.quality import QualityNote
from voiceprint.calibration import Decider, OperatingPoint, Shortfall, TrialShape

if TYPE_CHECKING:
    from voiceprint.challenge import SaidWords
    from voiceprint.countermeasure import SpoofScore

__all__ = [
    "Comparison",
    "Identification",
    "Match",
    "Replay",
    "ThresholdSource",
    "Verdict",
    "Verification",
    "decide",
]

ThresholdSource = Literal["given", "store", "model"]
"""Where a threshold comes from: the caller, the store's tuning, the model's card."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A score, and what was made of it.

    Attributes
    ----------
    accepted : bool
        Whether ``score >= threshold``.
    score, llr, threshold, threshold_source
        As in `Verification`.
    needed_llr : float or None
        The ratio that a score at the threshold has; None without a calibration.
    point : str
        Where it was decided, in words.
    expected : float or None
        Share of right people's clips to be accepted there; None where it is not known.
    """

    accepted: bool
    score: float
    llr: float | None
    threshold: float
    threshold_source: ThresholdSource
    needed_llr: float | None
    point: str
    expected: float | None = None

    @property
    def reason(self) -> str:
        """The decision in a sentence; where score and likelihood seem to disagree, also why."""
        reaches = "reaches" if self.accepted else "is below"
        said = f"score {self.score:.3f} {reaches} the threshold {self.threshold:.3f}"
        if self.llr is None or self.needed_llr is None or self.accepted == (self.llr >= 0):
            return said
        likelier = "the same person than another" if self.llr >= 0 else "another person than the same"
        asks = {
            "given": "this threshold",
            "model": f"the operating point ({self.point})",
            "store": "this store's tuned threshold",
        }
        return (
            f"{said}; it is likelier {likelier} (log-likelihood ratio {self.llr:+.1f}), "
            f"but {asks[self.threshold_source]} asks for {self.needed_llr:+.1f} or more"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """The earlier recording that a clip is, or holds a part of.

    Attributes
    ----------
    kind : {"enrolled", "accepted"}
        Whether the person was enrolled with it, or accepted by it.
    at : datetime
        When, UTC.
    """

    kind: Literal["enrolled", "accepted"]
    at: datetime

    @property
    def reason(self) -> str:
        """It in a sentence."""
        how = {
            "enrolled": "is one that the voiceprint is made of, enrolled",
            "accepted": "was accepted before,",
        }
        return f"the recording {how[self.kind]} on {self.at:%Y-%m-%d at %H:%M} UTC; speak anew"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """The answer to "is this the person they claim to be?".

    Attributes
    ----------
    accepted : bool
        Whether ``score >= threshold``, the recording is new and, where that is asked, it sounds spoken live
        and holds the words; never with too little speech.
    decision : {"accepted", "rejected", "replayed", "spoofed", "wrong_words", "not_enough_speech", ...}
        The answer. "replayed": the voice would be accepted, but the recording was enrolled, or accepted
        before. "spoofed": it would be accepted, but it sounds made by a machine, or played by a loudspeaker.
        "wrong_words": it would be accepted, but does not hold the words that were asked for. With the last
        two, "expired" and "opted_out", the clip was not listened to: the person's consent has ended, or they
        do not want to be enrolled.
    score : float or None
        Cosine of the clip and the voiceprint, in [-1, 1]; None without a verdict.
    llr : float or None
        Natural-log likelihood ratio of same over different person; None without a calibration or a score.
    threshold : float or None
        The lowest score that is accepted; None without a verdict.
    threshold_source : {"given", "store", "model"} or None
        Whether the caller gave the threshold, or it is of the store's tuning or of the model's card.
    seconds_of_speech : float or None
        Speech in the clip; None if it was not listened to.
    model : str
        Id of the model that scored.
    reason : str
        The decision in a sentence; where score and likelihood ratio seem to disagree, also why.
    quality_notes : tuple of QualityNote
        What about the clip makes the verdict less sure; empty for a good one.
    shortfall : Shortfall or None
        Of "not_enough_speech": the rate that the calibration does not promise for so short a clip, and what
        would do; None where there is too little speech for any verdict.
    replay : Replay or None
        Of "replayed": the earlier recording.
    spoof : SpoofScore or None
        Whether somebody speaks live, of several recordings that of the one that sounds least so, whatever the
        decision; None where it is not asked, and where no voice was compared.
    words : SaidWords or None
        Whether the words were said that were asked for; None where none were, or no voice was compared.

    Examples
    --------
    >>> answer = verifier.verify("ada", clip)
    >>> bool(answer), answer.decision, answer.score >= answer.threshold
    (True, 'accepted', True)
    """

    name: str
    accepted: bool
    decision: Literal[
        "accepted",
        "rejected",
        "replayed",
        "spoofed",
        "wrong_words",
        "not_enough_speech",
        "expired",
        "opted_out",
    ]
    score: float | None = None
    llr: float | None = None
    threshold: float | None = None
    threshold_source: ThresholdSource | None = None
    seconds_of_speech: float | None
    model: str
    reason: str
    quality_notes: tuple[QualityNote, ...] = ()
    shortfall: Shortfall | None = None
    replay: Replay | None = None
    spoof: SpoofScore | None = None
    words: SaidWords | None = None

    def __bool__(self) -> bool:
        """Whether the claim is accepted."""
        return self.accepted

    def _repr_html_(self) -> str:
        """Return what a notebook shows."""
        return _shown(f"{self.name}: {_words(self.decision)}", self, accepted=self.accepted)


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """One enrolled person beside an unknown clip; score and ratio as in :class:`Verification`.

    Examples
    --------
    >>> nearest = verifier.identify(clip).matches[0]
    >>> nearest.name, nearest.llr > 0
    ('ada', True)
    """

    name: str
    score: float
    llr: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Identification:
    """The answer to "which enrolled person is this, if any?".

    Attributes
    ----------
    decision : {"identified", "unknown", "replayed", "spoofed", "not_enough_speech"}
        The answer. "replayed": somebody would be identified, by a recording that was enrolled or accepted
        before; they are the first match. "spoofed": likewise, by speech that does not sound live.
    matches : tuple of Match
        The nearest enrolled people, likeliest first.
    threshold : float or None
        The lowest score at which the first match is (or would have been) named; None if nobody was compared.
    threshold_source : {"given", "store", "model"} or None
        As in :class:`Verification`.
    reason, quality_notes, shortfall, replay, spoof
        As in :class:`Verification`.
    expected : float or None
        Share of clips as long as this one, of people enrolled with as many clips as the first match, that are
        named rightly with so many enrolled at this rate. Measured on the people of the model's card; None
        without a rate or a calibration.

    Examples
    --------
    >>> answer = verifier.identify(clip)
    >>> bool(answer), answer.name, [match.name for match in answer.matches]
    (True, 'ada', ['ada', 'bert'])
    """

    decision: Literal["identified", "unknown", "replayed", "spoofed", "not_enough_speech"]
    name: str | None = None
    matches: tuple[Match, ...] = ()
    seconds_of_speech: float
    threshold: float | None = None
    threshold_source: ThresholdSource | None = None
    model: str
    reason: str = ""
    quality_notes: tuple[QualityNote, ...] = ()
    shortfall: Shortfall | None = None
    expected: float | None = None
    replay: Replay | None = None
    spoof: SpoofScore | None = None

    def __bool__(self) -> bool:
        """Whether somebody is identified."""
        return self.decision == "identified"

    def _repr_html_(self) -> str:
        """Return what a notebook shows."""
        from voiceprint.html import grid  # noqa: PLC0415  only notebooks need it

        rows = [(match.name, f"{match.score:.3f}", _number(match.llr)) for match in self.matches]
        title = _words(self.decision) if self.name is None else f"{self.name}: {_words(self.decision)}"
        return _shown(title, self, grid(["name", "score", "LLR"], rows), accepted=bool(self))


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The answer to "do two clips hold the same voice?".

    Attributes
    ----------
    same : bool
        Whether ``score >= threshold``; never with too little speech.
    decision : {"same", "different", "not_enough_speech"}
        The answer.
    score, llr, threshold, threshold_source, reason, shortfall
        As in :class:`Verification`; no threshold is of a store.
    seconds_of_speech : tuple of float
        Speech in the first and in the second clip.
    quality_notes : tuple of two tuples of QualityNote
        Those of the first and of the second clip.

    Examples
    --------
    >>> bool(verifier.compare(clips[0], clips[1])), verifier.compare(clips[0], "guest.wav").decision
    (True, 'different')
    """

    same: bool
    decision: Literal["same", "different", "not_enough_speech"]
    score: float | None = None
    llr: float | None = None
    threshold: float | None = None
    threshold_source: ThresholdSource | None = None
    seconds_of_speech: tuple[float, float]
    model: str
    reason: str = ""
    quality_notes: tuple[tuple[QualityNote, ...], tuple[QualityNote, ...]] = ((), ())
    shortfall: Shortfall | None = None

    def __bool__(self) -> bool:
        """Whether both hold the same voice."""
        return self.same

    def _repr_html_(self) -> str:
        """Return what a notebook shows."""
        return _shown(_words(self.decision), self, accepted=self.same)


def _shown(
    title: str, answer: Verification | Identification | Comparison, *content: str, accepted: bool
) -> str:
    """Show an answer in a notebook: the decision, why, and its score beside the threshold."""
    from voiceprint.html import Mark, card, scale  # noqa: PLC0415  only notebooks need it

    score = answer.matches[0].score if isinstance(answer, Identification) and answer.matches else None
    score = score if isinstance(answer, Identification) else answer.score
    decided = answer.decision not in {"not_enough_speech", "expired", "opted_out"}
    mark: Mark = "none" if not decided else "yes" if accepted else "no"
    drawn = "" if score is None or answer.threshold is None else scale(score, answer.threshold, mark=mark)
    return card(title, drawn, answer.reason, *content, mark=mark)


def _words(decision: str) -> str:
    return decision.replace("_", " ")


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:+.1f}"


def decide(
    score: float, shape: TrialShape, point: OperatingPoint, *, decider: Decider, tuned: bool
) -> Verdict:
    """Decide one trial.

    Parameters
    ----------
    score : float
        A cosine.
    decider : Decider
        The model's, shifted as the store is tuned.
    tuned : bool
        Whether the store is.
    """
    limit, p_miss = decider.thresholds(shape, point), decider.p_miss(shape, point)
    llr, needed = decider.llrs(score, shape), decider.llrs(limit, shape)
    given = point.kind == "threshold"
    return Verdict(
        accepted=bool(decider.accepts(score, shape, point)),
        score=score,
        llr=None if llr is None else float(llr),
        threshold=float(limit),
        threshold_source="given" if given else "store" if tuned else "model",
        needed_llr=None if needed is None else float(needed),
        point=str(point),
        expected=None if p_miss is None else 1.0 - float(p_miss),
    )
