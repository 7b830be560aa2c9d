"""Verifier: enroll, verify, identify, compare. The library's front door."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeVar

from voiceprint.arguments import check_count, check_number, check_one_of
from voiceprint.audio import MIN_SECONDS
from voiceprint.audio.clips import (
    MIN_SPEECH,
    Clip,
    ClipSource,
    as_waveform,
    check_sample_rate,
    list_clips,
    pool_clips,
    read_clip,
)
from voiceprint.audio.quality import QualityReport
from voiceprint.calibration import OperatingPoint, Shortfall, TrialShape
from voiceprint.engine.decisions import Comparison, Identification, Verdict, Verification, decide
from voiceprint.engine.generations import EmbeddedClip
from voiceprint.engine.people import Clips, EnrolledPeople
from voiceprint.engine.questions import Claim, Compared, Search, too_little, too_short
from voiceprint.engine.sequential import DEFAULT_MISS, LATEST, LEAST_SPEECH, SequentialTest
from voiceprint.errors import ArgumentError, EnrollmentError
from voiceprint.scoring import cosine

if TYPE_CHECKING:
    from voiceprint.engine.session import Session

__all__ = ["Verifier"]

ADAPT_FAR, ADAPT_MOST, ADAPT_SPEECH = 1e-4, 20, 2.0
"""When a clip may join a voiceprint: false-accept rate, clips in the voiceprint, seconds of speech."""

_Answer_co = TypeVar("_Answer_co", bound=Verification | Identification, covariant=True)


class _Question(Protocol[_Answer_co]):
    """What is asked: `Claim` or `Search`."""

    def too_short(self, trial: Compared, shortfall: Shortfall) -> _Answer_co:
        """Word the answer where the rate is not promised."""

    def answer(self, trial: Compared, verdict: Verdict) -> _Answer_co:
        """Word the answer."""


class Verifier(EnrolledPeople):
    """Enrolls people and recognises them.

    Who is enrolled, and how somebody comes and goes, it has from `EnrolledPeople`: `enroll`, `speakers`,
    `show`, `rename`, `remove`, `opt_out`.

    Parameters
    ----------
    store : path or URL, optional
        The enrollment store, a folder or ``postgresql://user@host/database``; by default
        `default_store_path()`. It is opened when first needed.
    model : SpeakerModel, path or str, optional
        The encoder, its model folder, or a name, as `SpeakerModel.open` takes it; by default the one in use.
    read_only : bool
        Never write to the store: then no accepted recording is remembered.
    create : bool
        Make the store where there is none.
    max_seconds : float
        The longest clip that is read.
    spoof_far : float, optional
        Ask whether somebody speaks live, too: what sounds like a machine or a loudspeaker is "spoofed", and
        not accepted, named or enrolled. The share of people that may be rejected for it, such as 0.01; of
        several recordings each must sound live.
    countermeasure : path, optional
        The folder of the network that is asked; by default the one that comes with the package.

    Raises
    ------
    ArgumentError
        If `max_seconds` is not above 0, the countermeasure has no thresholds for `spoof_far`, or one is named
        without a rate.
    ModelError
        If the model or the countermeasure cannot be opened.

    Examples
    --------
    >>> from voiceprint import Verifier
    >>> verifier = Verifier("voices")
    >>> report = verifier.enroll("ada", ["ada-1.wav", "ada-2.wav", "ada-3.wav"])
    >>> bool(verifier.verify("ada", "door.wav")), bool(verifier.verify("ada", "guest.wav"))
    (True, False)
    >>> verifier.identify("door.wav").decision, verifier.identify("guest.wav").decision
    ('replayed', 'unknown')
    >>> verifier.identify("door.wav", allow_replay=True).name
    'ada'
    >>> verifier.compare("ada-1.wav", "ada-2.wav").decision
    'same'
    >>> verifier.close()
    """

    def verify(
        self,
        name: str,
        clips: Clips,
        *,
        sample_rate: int | None = None,
        channel: int | None = None,
        threshold: float | None = None,
        far: float | None = None,
        min_speech: float = MIN_SPEECH,
        allow_replay: bool = False,
        words: Sequence[str] | None = None,
    ) -> Verification:
        """Answer whether the clips are of the person they are claimed to be.

        Parameters
        ----------
        name : str
            The claimed person, who must be enrolled.
        clips : clip or iterable of clips
            Paths, bytes, file objects, arrays or Waveforms. Several are one claim: their speech is pooled.
        sample_rate, channel : int, optional
            Of arrays, in Hz; which channel to take, from 1 on, of clips that hold another voice in each.
        threshold : float, optional
            The lowest score to accept, from -1 to 1, instead of the calibration's.
        far : float, optional
            The false-accept rate to decide at, above 0 and at most 0.5; the model's card says it by default.
        min_speech : float
            Seconds of speech below which there is no verdict, at least 0.1.
        allow_replay : bool
            Accept a recording that was enrolled, or accepted before. Nothing is remembered then.
        words : sequence of str, optional
            `Challenge.words`: what the clip, one alone, has to say in this order and nothing else.

        Returns
        -------
        Verification
            Which is true exactly if the claim is accepted.

        Raises
        ------
        ArgumentError
            If an argument is out of range, or both `threshold` and `far` are given.
        SpeakerNotFoundError
            If nobody of that name is enrolled.
        AudioError
            If a clip cannot be read.
        NotCalibratedError
            If no threshold is given and the model has no calibration.
        """
        point = self._point(threshold, far, min_speech)
        claim = Claim(self, name, allow_replay=allow_replay, words=words)
        refusal = claim.refusal()
        if refusal is not None:
            return refusal
        clip = self._read(clips, sample_rate, channel)
        if clip.quality.seconds_of_speech < min_speech:
            return claim.too_little(clip, min_speech)
        trial = claim.compare(EmbeddedClip(clip))
        return self._answer(claim, trial, point) if isinstance(trial, Compared) else trial

    def adapt(
        self,
        name: str,
        clip: ClipSource,
        *,
        sample_rate: int | None = None,
        channel: int | None = None,
        far: float = ADAPT_FAR,
        most: int = ADAPT_MOST,
        allow_replay: bool = False,
    ) -> bool:
        """Add a clip to the voiceprint of the person it clearly is of, so that it follows their voice.

        Nothing calls this by itself: whoever does should know that a voiceprint which learns can be taught.
        The bounds hold that off: the clip must be accepted at a much lower false-accept rate than a claim,
        agree with the voiceprint as at enrollment, hold 2 s of speech, and the voiceprint stops growing.

        Parameters
        ----------
        clip : clip
            A path, bytes, a file object, an array or a Waveform.
        sample_rate, channel : int, optional
            As in :meth:`verify`.
        far : float
            The false-accept rate at which it must be accepted.
        most : int
            Clips in a voiceprint from which on none is added.
        allow_replay : bool
            As in :meth:`verify`: whoever has just verified the clip allows it.

        Returns
        -------
        bool
            Whether it was added.

        Raises
        ------
        ArgumentError, SpeakerNotFoundError, AudioError, NotCalibratedError
            As with :meth:`verify`.
        StoreError
            If the store cannot be written.
        """
        check_count("most", most)
        check_sample_rate([clip], sample_rate)
        waveform = as_waveform(clip, sample_rate=sample_rate, channel=channel, max_seconds=self._max_seconds)
        claim = self.verify(name, waveform, far=far, min_speech=ADAPT_SPEECH, allow_replay=allow_replay)
        if not claim.accepted:
            return False
        if self.show(name).n_utterances >= most:
            return False
        try:
            self.enroll(name, waveform, mode="add")
        except EnrollmentError:  # the clip is part of the voiceprint already, or disagrees with it
            return False
        return True

    def identify(
        self,
        clips: Clips,
        *,
        sample_rate: int | None = None,
        channel: int | None = None,
        top: int = 5,
        among: Iterable[str] | None = None,
        far: float | None = None,
        threshold: float | None = None,
        min_speech: float = MIN_SPEECH,
        exact: bool = False,
        allow_replay: bool = False,
    ) -> Identification:
        """Answer which enrolled person the clips are of, if any.

        The set is open: `far` is the rate at which somebody who is not enrolled is given any name at all, so
        with N people enrolled each comparison is decided at ``far / N``.

        Parameters
        ----------
        clips : clip or iterable of clips
            As in :meth:`verify`; several are of one speaker.
        sample_rate, channel, allow_replay : optional
            As in :meth:`verify`.
        top : int
            How many of the nearest people to return, at least 1.
        among : str or iterable of str, optional
            A watch list, of one name or several: compare with these enrolled people only, unless their
            voiceprint has expired.
        far, threshold, min_speech : float, optional
            As in :meth:`verify`.
        exact : bool
            Compare with everybody, however many there are; see `EnrollmentStore.search`.

        Returns
        -------
        Identification
            Which is true exactly if somebody is identified.

        Raises
        ------
        ArgumentError
            If an argument is out of range, or both `threshold` and `far` are given.
        SpeakerNotFoundError
            If somebody of `among` is not enrolled.
        AudioError
            If a clip cannot be read.
        NotCalibratedError
            If no threshold is given and the model has no calibration.
        """
        check_count("top", top)
        point = self._point(threshold, far, min_speech)
        search = Search(self, among=among, top=top, exact=exact, allow_replay=allow_replay)
        search.refusal()
        clip = self._read(clips, sample_rate, channel)
        if clip.quality.seconds_of_speech < min_speech:
            return search.too_little(clip, min_speech)
        trial = search.compare(EmbeddedClip(clip))
        return self._answer(search, trial, point) if isinstance(trial, Compared) else trial

    def session(
        self,
        *,
        claim: str | None = None,
        among: Iterable[str] | None = None,
        far: float | None = None,
        miss: float = DEFAULT_MISS,
        latest: float = LATEST,
        min_speech: float = LEAST_SPEECH,
        allow_replay: bool = False,
    ) -> Session:
        """Open a session that answers while somebody speaks, as soon as the evidence suffices.

        Parameters
        ----------
        claim : str, optional
            The person whom the speaker is said to be. Without it each speaker is sought among those enrolled.
        among : str or iterable of str, optional
            A watch list, as in :meth:`identify`.
        far : float, optional
            How often an impostor may be accepted, as in :meth:`verify`.
        miss : float
            How often a right claim may be rejected before the latest moment, above 0 and at most 0.5.
        latest : float
            Seconds of speech at which a decision is made as :meth:`verify` or :meth:`identify` makes it.
        min_speech : float
            Seconds of speech before which there is no decision, at least 0.1.
        allow_replay : bool
            As in :meth:`verify`.

        Raises
        ------
        ArgumentError
            If an argument is out of range, or both `claim` and `among` are given.
        SpeakerNotFoundError
            If somebody asked for is not enrolled.
        NotCalibratedError
            If the model has no calibration.

        Examples
        --------
        >>> session = verifier.session(claim="ada")
        >>> events = session.feed(samples, sample_rate=16_000)  # or chunk by chunk, as it is spoken
        >>> session.answer.decision
        'accepted'
        """
        from voiceprint.engine.session import Session  # noqa: PLC0415  what listens, which a recording needs not

        check_one_of(claim=claim, among=among)
        self.generations()  # the store may have been moved to another model
        point = self.model.card.decision if far is None else OperatingPoint.far(far)
        test = SequentialTest(far=point.p_fa, miss=miss, final=point)
        question: Search | Claim
        if claim is None:
            question = Search(self, among=among, allow_replay=allow_replay)
        else:
            question = Claim(self, claim, allow_replay=allow_replay)
        return Session(self, question, test, latest=latest, min_speech=min_speech)

    def compare(
        self,
        a: Clips,
        b: Clips,
        *,
        sample_rate: int | None = None,
        channel: int | None = None,
        threshold: float | None = None,
        far: float | None = None,
        min_speech: float = MIN_SPEECH,
    ) -> Comparison:
        """Answer whether two sides hold the same voice; nobody needs to be enrolled.

        Parameters
        ----------
        a, b : clip or iterable of clips
            As in :meth:`verify`; several on a side are of one speaker, and their speech is pooled.
        sample_rate, channel : int, optional
            As in :meth:`verify`.
        threshold, far, min_speech : float, optional
            As in :meth:`verify`; the shorter side, and the noisier, decide which threshold holds.

        Returns
        -------
        Comparison
            Which is true exactly if the voices are the same.

        Raises
        ------
        ArgumentError, AudioError, NotCalibratedError
            As with :meth:`verify`.
        """
        point = self._point(threshold, far, min_speech) or self.model.card.decision
        first, second = list_clips(a), list_clips(b)
        check_sample_rate([*first, *second], sample_rate)
        sides = self._pooled(first, sample_rate, channel), self._pooled(second, sample_rate, channel)
        speech = sides[0].quality.seconds_of_speech, sides[1].quality.seconds_of_speech
        notes = sides[0].notes, sides[1].notes
        answer = partial(Comparison, seconds_of_speech=speech, model=self.model.id, quality_notes=notes)
        none = partial(answer, same=False, decision="not_enough_speech")
        if min(speech) < min_speech:
            return none(reason=too_little(min(speech), min_speech))
        noise = min((s.quality.snr_db for s in sides if s.quality.snr_db is not None), default=None)
        shape = TrialShape(n_enroll=1, seconds=min(speech), snr_db=noise)
        short = self.model.decider().shortfall(shape, point)
        if short is not None:
            return none(reason=too_short(min(speech), short), shortfall=short)
        score = float(cosine(self.model.embed(sides[0].speech), self.model.embed(sides[1].speech)))
        verdict = decide(score, shape, point, decider=self.model.decider(), tuned=False)
        return answer(
            same=verdict.accepted,
            decision="same" if verdict.accepted else "different",
            score=score,
            llr=verdict.llr,
            threshold=verdict.threshold,
            threshold_source=verdict.threshold_source,
            reason=verdict.reason,
        )

    def quality(
        self, clip: ClipSource, *, sample_rate: int | None = None, channel: int | None = None
    ) -> QualityReport:
        """Measure a clip: length, speech, level, clipping, signal-to-noise ratio, and what is poor about it.

        Raises
        ------
        ArgumentError
            If an array comes without its rate, or more than one clip is given.
        AudioError
            If the clip cannot be read.

        Examples
        --------
        >>> verifier.quality("door.wav").quality_notes
        ()
        """
        return self._read(clip, sample_rate, channel).quality_report

    def _point(self, threshold: float | None, far: float | None, min_speech: float) -> OperatingPoint | None:
        """Check what a decision is to go by, and say where it is made; None: where the model's card says."""
        check_one_of(threshold=threshold, far=far)
        check_number("min_speech", min_speech, least=MIN_SECONDS)
        if threshold is not None:
            return OperatingPoint.threshold(threshold)
        return None if far is None else OperatingPoint.far(far)

    def _read(self, clips: Clips, sample_rate: int | None, channel: int | None) -> Clip:
        """Read one clip or several of one voice, and pool their speech."""
        sources = list_clips(clips)
        check_sample_rate(sources, sample_rate)
        return self._pooled(sources, sample_rate, channel)

    def _pooled(self, sources: Sequence[ClipSource], sample_rate: int | None, channel: int | None) -> Clip:
        if not sources:
            raise ArgumentError("clips", [], "one clip or more")
        read = partial(read_clip, sample_rate=sample_rate, channel=channel, max_seconds=self._max_seconds)
        return pool_clips([read(each) for each in sources])

    def _answer(
        self, question: _Question[_Answer_co], trial: Compared, asked: OperatingPoint | None
    ) -> _Answer_co:
        """Decide a trial by the model that knows the person, or say why the rate is not promised."""
        by = trial.generation
        point = by.model.card.decision if asked is None else asked
        decider = by.decider
        shortfall = decider.shortfall(trial.shape, point)
        if shortfall is not None:
            return question.too_short(trial, shortfall)
        among, tuned = point.among(trial.people), by.tuning is not None
        verdict = decide(trial.score, trial.shape, among, decider=decider, tuned=tuned)
        return question.answer(trial, verdict)
