"""What may be asked of speech: whether it is a claimed person's, or which enrolled person's it is.

A question checks that it may be asked, compares speech with whom it concerns, and words the answer. Where to
decide is no part of it: `Verifier` decides once, a `Session` while somebody speaks.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Literal

from voiceprint.audio.clips import Clip
from voiceprint.audio.quality import ClipQuality
from voiceprint.calibration import Shortfall, TrialShape
from voiceprint.challenge import SaidWords, WordChecker
from voiceprint.challenge.words import check_words
from voiceprint.engine.decisions import Identification, Match, Replay, Verdict, Verification
from voiceprint.engine.generations import EmbeddedClip, Generation
from voiceprint.engine.nearest import likelihood, rank, score_people
from voiceprint.engine.people import EnrolledPeople
from voiceprint.errors import SpeakerNotFoundError
from voiceprint.scoring import cosine
from voiceprint.store import Enrollment, normalize_name, normalize_names

if TYPE_CHECKING:
    from voiceprint.countermeasure import Liveness, SpoofScore

__all__ = ["Claim", "Compared", "Search", "too_little", "too_short"]

# People nearest by score among whom the likeliest is sought: who has more clips scores higher by nature.
_CANDIDATES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """Speech that was compared with a person.

    Attributes
    ----------
    name : str
        The person: the claimed, or the likeliest.
    score, llr
        As in `Verification`.
    shape : TrialShape
        What the score is of.
    matches : tuple of Match
        The nearest people, likeliest first; empty for a claim.
    generation : Generation
        The model that made the person's voiceprint, by whose thresholds it is decided.
    """

    name: str
    score: float
    llr: float | None
    shape: TrialShape
    people: int = 1
    matches: tuple[Match, ...] = ()
    clip: Clip
    generation: Generation


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outcome:
    """What becomes of a voice that was compared: the first of these that it is."""

    decision: Literal["rejected", "replayed", "spoofed", "wrong_words", "accepted"]
    reason: str
    replay: Replay | None
    spoof: SpoofScore | None


class Claim:
    """The question whether this is the person they claim to be.

    Parameters
    ----------
    allow_replay : bool
        Accept a recording that was enrolled, or accepted before; and do not remember it.
    words : sequence of str, optional
        What has to be said: the words of a challenge.

    Raises
    ------
    InvalidNameError
        If nobody can have that name.
    ArgumentError
        If the words may not be asked for.
    """

    def __init__(
        self,
        people: EnrolledPeople,
        name: str,
        *,
        allow_replay: bool = False,
        words: Sequence[str] | None = None,
    ) -> None:
        self._people = people
        self.name = normalize_name(name)
        self._allow_replay = allow_replay
        self._words = None if words is None else check_words(words)

    def refusal(self) -> Verification | None:
        """Return the answer that needs no speech, if any: the person opted out, or the voiceprint expired.

        SpeakerNotFoundError if nobody of that name is enrolled.
        """
        found = self._voiceprint()
        return found if isinstance(found, Verification) else None

    def too_little(self, clip: Clip, min_speech: float) -> Verification:
        """Return the answer to a clip that holds too little speech."""
        return self._no_verdict(
            "not_enough_speech", too_little(clip.quality.seconds_of_speech, min_speech), clip=clip
        )

    def too_short(self, trial: Compared, shortfall: Shortfall) -> Verification:
        """Return the answer where the rate that was asked for is not promised for so short a clip."""
        answer = self._no_verdict(
            "not_enough_speech", too_short(trial.clip.quality.seconds_of_speech, shortfall), clip=trial.clip
        )
        return replace(answer, shortfall=shortfall)

    def compare(self, embedded: EmbeddedClip) -> Compared | Verification:
        """Compare speech with the person as they are enrolled now, by the model that knows them.

        Returns
        -------
        Compared, or Verification
            The answer itself where the person has opted out meanwhile, or the voiceprint has expired.

        Raises
        ------
        SpeakerNotFoundError
            If nobody of that name is enrolled any more.
        ModelError
            If the model that knows them is not on this machine.
        """
        clip, enrollment = embedded.clip, self._voiceprint()
        if isinstance(enrollment, Verification):
            return enrollment
        generation = self._people.generation_of(enrollment)
        score = float(cosine(enrollment.centroid, embedded.by(generation.model)))
        shape = _shape(enrollment.n_utterances, clip.quality)
        llr = generation.decider.llrs(score, shape)
        return Compared(
            name=self.name,
            score=score,
            llr=None if llr is None else float(llr),
            shape=shape,
            clip=clip,
            generation=generation,
        )

    def answer(self, trial: Compared, verdict: Verdict) -> Verification:
        """Word the answer; where the voice is accepted, that is noted, and a replay or a machine refused.

        A claim that is accepted by a threshold given for it alone is not counted for `drift`.
        """
        live = _judge(self._people, trial.clip)
        if live is not None and live.spoof is None:
            return self._no_verdict("not_enough_speech", live.reason, clip=trial.clip)
        llr = None if verdict.threshold_source == "given" else verdict.llr
        said = None if self._words is None else _word_checker().judge(trial.clip, self._words)
        outcome = _settle(
            self._people, trial, verdict, live=live, said=said, llr=llr, allow_replay=self._allow_replay
        )
        return Verification(
            name=self.name,
            accepted=outcome.decision == "accepted",
            decision=outcome.decision,
            score=verdict.score,
            llr=verdict.llr,
            threshold=verdict.threshold,
            threshold_source=verdict.threshold_source,
            seconds_of_speech=trial.clip.quality.seconds_of_speech,
            model=trial.generation.model.id,
            reason=outcome.reason,
            quality_notes=trial.clip.notes,
            replay=outcome.replay,
            spoof=outcome.spoof,
            words=said,
        )

    def _voiceprint(self) -> Enrollment | Verification:
        """Return what speech is compared with, or the answer where there may be no comparison."""
        try:
            enrollment = self._people.store.get(self.name)
        except SpeakerNotFoundError:
            if self._people.store.opted_out(self.name) is None:
                raise
            return self._no_verdict("opted_out", "the person does not want to be enrolled")
        if enrollment.expired:
            until = f"{enrollment.expires:%Y-%m-%d}"
            return self._no_verdict("expired", f"the voiceprint expired on {until}")
        return enrollment

    def _no_verdict(
        self,
        decision: Literal["not_enough_speech", "expired", "opted_out"],
        reason: str,
        *,
        clip: Clip | None = None,
    ) -> Verification:
        return Verification(
            name=self.name,
            accepted=False,
            decision=decision,
            seconds_of_speech=None if clip is None else clip.quality.seconds_of_speech,
            model=self._people.model.id,
            reason=reason,
            quality_notes=() if clip is None else clip.notes,
        )


_OF_A_SEARCH: dict[str, Literal["identified", "unknown", "replayed", "spoofed"]] = {
    "accepted": "identified",
    "rejected": "unknown",
    "replayed": "replayed",
    "spoofed": "spoofed",
}


class Search:
    """The question which enrolled person this is, if any.

    Parameters
    ----------
    among : str or iterable of str, optional
        A watch list, of one name or several: whom to compare with; everybody unless given.
    top : int
        How many of the nearest people the answer names.
    exact : bool
        Compare with everybody, where a large store asks its index first.
    allow_replay : bool
        As of `Claim`.

    Raises
    ------
    InvalidNameError
        If nobody can have one of the names.
    """

    def __init__(
        self,
        people: EnrolledPeople,
        *,
        among: Iterable[str] | None = None,
        top: int = 5,
        exact: bool = False,
        allow_replay: bool = False,
    ) -> None:
        self._people = people
        self._among = None if among is None else tuple(dict.fromkeys(normalize_names("among", among)))
        self._top = top
        self._exact = exact
        self._allow_replay = allow_replay

    def refusal(self) -> None:
        """Check that everybody of the watch list is enrolled; SpeakerNotFoundError if somebody is not."""
        self._watched()

    def too_little(self, clip: Clip, min_speech: float) -> Identification:
        """Return the answer to a clip that holds too little speech."""
        return self._no_name(
            clip, "not_enough_speech", too_little(clip.quality.seconds_of_speech, min_speech)
        )

    def too_short(self, trial: Compared, shortfall: Shortfall) -> Identification:
        """Return the answer where the rate that was asked for is not promised for so short a clip."""
        answer = self._no_name(
            trial.clip, "not_enough_speech", too_short(trial.clip.quality.seconds_of_speech, shortfall)
        )
        return replace(answer, shortfall=shortfall)

    def compare(self, embedded: EmbeddedClip) -> Compared | Identification:
        """Compare speech with those who are enrolled now, with each by the model that knows them.

        Where several models know somebody, the likeliest of all is sought by log-likelihood ratio.

        Returns
        -------
        Compared, or Identification
            The answer itself where there is nobody to compare with.

        Raises
        ------
        SpeakerNotFoundError
            If somebody of the watch list is not enrolled any more.
        """
        watched, clip = self._watched(), embedded.clip
        asked = (self._nearest(generation, embedded, watched) for generation in self._people.generations())
        found = [trial for trial in asked if trial is not None]
        if not found:
            return self._no_name(clip, "unknown", "nobody is enrolled whom the clip could be of")
        best = min(found, key=lambda trial: likelihood(trial.matches[0]))
        matches = sorted((match for trial in found for match in trial.matches), key=likelihood)
        people = len(self._people.store) if watched is None else sum(trial.people for trial in found)
        return replace(best, matches=tuple(matches[: self._top]), people=people)

    def _nearest(
        self, generation: Generation, embedded: EmbeddedClip, watched: list[Enrollment] | None
    ) -> Compared | None:
        """Compare speech with the people of one model; None where there is nobody to compare with."""
        if watched is None:
            top = max(self._top, _CANDIDATES)
            hits = generation.store.search(embedded.by(generation.model), top=top, exact=self._exact)
        else:
            mine = [person for person in watched if person.model_id == generation.model.id]
            hits = score_people(embedded.by(generation.model), mine) if mine else []
        if not hits:
            return None
        clip, decider = embedded.clip, generation.decider
        shapes = _shape([hit.n_utterances for hit in hits], clip.quality)
        matches = rank(hits, decider.llrs([hit.score for hit in hits], shapes))
        nearest = next(hit for hit in hits if hit.name == matches[0].name)
        others = [hit.score for hit in hits if hit is not nearest]
        return Compared(
            name=nearest.name,
            score=nearest.score,
            llr=matches[0].llr,
            shape=replace(
                _shape(nearest.n_utterances, clip.quality),
                rivals=decider.rivals(embedded.by(generation.model), others),
            ),
            people=len(hits),
            matches=matches,
            clip=clip,
            generation=generation,
        )

    def answer(self, trial: Compared, verdict: Verdict) -> Identification:
        """Word the answer; nobody is named by a recording that was seen before, or that is not live."""
        live = _judge(self._people, trial.clip)
        if live is not None and live.spoof is None:
            return self._no_name(trial.clip, "not_enough_speech", live.reason)
        outcome = _settle(self._people, trial, verdict, live=live, llr=None, allow_replay=self._allow_replay)
        decision = _OF_A_SEARCH[outcome.decision]
        return Identification(
            decision=decision,
            name=trial.name if decision == "identified" else None,
            matches=trial.matches,
            seconds_of_speech=trial.clip.quality.seconds_of_speech,
            threshold=verdict.threshold,
            threshold_source=verdict.threshold_source,
            model=trial.generation.model.id,
            reason=f"{trial.name}: {outcome.reason}",
            quality_notes=trial.clip.notes,
            expected=verdict.expected if decision in ("identified", "unknown") else None,
            replay=outcome.replay,
            spoof=outcome.spoof,
        )

    def _watched(self) -> list[Enrollment] | None:
        """Return the people of the watch list; None where there is no list."""
        return None if self._among is None else [self._people.store.get(name) for name in self._among]

    def _no_name(
        self, clip: Clip, decision: Literal["unknown", "not_enough_speech"], reason: str
    ) -> Identification:
        return Identification(
            decision=decision,
            seconds_of_speech=clip.quality.seconds_of_speech,
            model=self._people.model.id,
            reason=reason,
            quality_notes=clip.notes,
        )


def too_little(seconds: float, min_speech: float) -> str:
    """Say in a sentence that there is too little speech."""
    return f"{seconds:.1f} s of speech; at least {min_speech:g} s are needed"


def too_short(seconds: float, shortfall: Shortfall) -> str:
    """Say in a sentence that a rate is not promised for so little speech."""
    return f"{seconds:.1f} s of speech is {shortfall}"


def _judge(people: EnrolledPeople, clip: Clip) -> Liveness | None:
    """Say whether somebody speaks live; None where that is not asked."""
    return None if people.liveness is None else people.liveness.judge(clip)


@cache
def _word_checker() -> WordChecker:
    """Open the word checker that comes with the package, when words are first asked for."""
    return WordChecker.open()


def _settle(
    people: EnrolledPeople,
    trial: Compared,
    verdict: Verdict,
    *,
    live: Liveness | None,
    said: SaidWords | None = None,
    llr: float | None,
    allow_replay: bool,
) -> _Outcome:
    """Decide in the one order that there is; what is accepted is noted, with its ratio where one is given."""
    spoof = None if live is None else live.spoof
    if not verdict.accepted:
        return _Outcome(decision="rejected", reason=verdict.reason, replay=None, spoof=spoof)
    spoofed, misspoken = live is not None and not live, said is not None and not said
    replay = people.note_accepted(
        trial.name, trial.clip, llr=llr, allow_replay=allow_replay, refused=spoofed or misspoken
    )
    if replay is not None:
        return _Outcome(decision="replayed", reason=replay.reason, replay=replay, spoof=spoof)
    if live is not None and not live:
        return _Outcome(decision="spoofed", reason=live.reason, replay=None, spoof=spoof)
    if said is not None and not said:
        return _Outcome(decision="wrong_words", reason=said.reason, replay=None, spoof=spoof)
    return _Outcome(decision="accepted", reason=verdict.reason, replay=None, spoof=spoof)


def _shape(n_enroll: int | list[int], quality: ClipQuality) -> TrialShape:
    return TrialShape(n_enroll=n_enroll, seconds=quality.seconds_of_speech, snr_db=quality.snr_db)
