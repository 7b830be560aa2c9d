"""Verifier: enroll, verify, identify, compare. The library's front door."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from voiceprint.audio import Waveform, find_audio, read_audio
from voiceprint.calibration import DEFAULT_FAR, Decider, OperatingPoint, TrialShape
from voiceprint.clips import MAX_SECONDS, MIN_SPEECH, Clip, ClipSource, read_clip
from voiceprint.decisions import Comparison, Identification, Match, ThresholdSource, Verification
from voiceprint.enrollment import MIN_ENROLL_SPEECH, CandidateClip, ClipReport, judge_clips, measure_clip
from voiceprint.errors import EnrollmentError, SpeakerExistsError, SpeakerOptedOutError
from voiceprint.model import SpeakerModel
from voiceprint.quality import ClipQuality
from voiceprint.scoring import cosine
from voiceprint.store import (
    AddMode,
    Consent,
    EnrolledUtterance,
    Enrollment,
    EnrollmentStore,
    StoreHit,
    default_store_path,
    document_stamp,
    is_url,
    normalize_name,
)
from voiceprint.tuning import TUNING_FILE, StoreTuning, read_tuning

__all__ = ["EnrollmentReport", "Verifier"]

ADAPT_FAR, ADAPT_MOST, ADAPT_SPEECH = 1e-4, 20, 2.0
"""When a clip may join a voiceprint: false-accept rate, clips in the voiceprint, seconds of speech."""

# People nearest by score among whom the likeliest is sought: who has more clips scores higher by nature.
_CANDIDATES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrollmentReport:
    """What enrolling somebody did.

    Attributes
    ----------
    enrollment : Enrollment
        The voiceprint as it stands now.
    clips : tuple of ClipReport
        What became of each clip, in the order given.
    """

    enrollment: Enrollment
    clips: tuple[ClipReport, ...]

    @property
    def name(self) -> str:
        """The person."""
        return self.enrollment.name

    @property
    def used(self) -> tuple[ClipReport, ...]:
        """The clips that are part of the voiceprint."""
        return tuple(clip for clip in self.clips if clip.status == "used")

    @property
    def set_aside(self) -> tuple[ClipReport, ...]:
        """The clips that are not."""
        return tuple(clip for clip in self.clips if clip.status != "used")


class Verifier:
    """Enrolls people and recognises them.

    Parameters
    ----------
    store : path or URL, optional
        The enrollment store, a folder or ``postgresql://user@host/database``; by default
        `default_store_path()`. It is opened when first needed.
    model : SpeakerModel, path or str, optional
        The encoder, its model folder, or a name, as `SpeakerModel.open` takes it; by default the one in use.
    read_only : bool
        Never write to the store.
    max_seconds : float
        Longest clip that is read.

    Examples
    --------
    >>> from voiceprint import Verifier
    >>> verifier = Verifier("enrollments")  # doctest: +SKIP
    >>> report = verifier.enroll("ada", ["ada-1.wav", "ada-2.wav"])  # doctest: +SKIP
    >>> verifier.verify("ada", "clip.wav").accepted  # doctest: +SKIP
    True
    """

    def __init__(
        self,
        store: str | os.PathLike[str] | None = None,
        *,
        model: SpeakerModel | str | os.PathLike[str] | None = None,
        read_only: bool = False,
        max_seconds: float = MAX_SECONDS,
    ) -> None:
        self.model = model if isinstance(model, SpeakerModel) else SpeakerModel.open(model)
        self.store_path = default_store_path() if store is None else store if is_url(store) else Path(store)
        self._read_only = read_only
        self._max_seconds = max_seconds
        self._store: EnrollmentStore | None = None
        self._tuning: StoreTuning | None = None
        self._tuning_stamp: object = None

    @property
    def store(self) -> EnrollmentStore:
        """The enrollment store, opened when first asked for."""
        if self._store is None:
            self._store = EnrollmentStore.open(
                self.store_path, model_id=self.model.id, dim=self.model.dim, read_only=self._read_only
            )
        return self._store

    @property
    def tuning(self) -> StoreTuning | None:
        """The store's own thresholds, where it has some now for this model as it is calibrated."""
        stamp = document_stamp(self.store_path, TUNING_FILE)
        if stamp != self._tuning_stamp:
            self._tuning = read_tuning(self.store_path)
            self._tuning_stamp = stamp
        tuning, calibration = self._tuning, self.model.card.calibration
        if tuning is None or calibration is None:
            return None
        return tuning if tuning.fits(model_id=self.model.id, calibration=calibration) else None

    def close(self) -> None:
        """Close the store."""
        if self._store is not None:
            self._store.close()
            self._store = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def enroll(
        self,
        name: str,
        clips: ClipSource | Iterable[ClipSource],
        *,
        mode: AddMode = "new",
        min_speech: float = MIN_ENROLL_SPEECH,
        notes: str = "",
        consent: Consent | None = None,
        expires: datetime | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> EnrollmentReport:
        """Make, extend or replace somebody's voiceprint.

        Clips that cannot be read, hold under 0.5 s of speech, come twice or disagree with the rest are set
        aside and named in the report.

        Parameters
        ----------
        name : str
            Any printable text of up to 200 characters.
        clips : clip or iterable of clips
            Paths (folders are searched), bytes, file objects or Waveforms.
        mode : {"new", "add", "replace"}
            Refuse somebody who is enrolled already, add to their voiceprint, or replace it.
        min_speech : float
            Seconds of speech that the voiceprint must rest on in all.
        notes : str
            Kept beside the voiceprint.
        consent : Consent, optional
            Who agreed that the voice is kept, when, and for what; None keeps what was noted before.
        expires : datetime, optional
            From when on the voiceprint is not used any more; None keeps what was noted before.
        progress : callable, optional
            Told after each clip how many are done, and of how many.

        Returns
        -------
        EnrollmentReport

        Raises
        ------
        SpeakerError
            If the name cannot be used, is enrolled already ("new") or is not ("add"), if the person opted
            out, or if what they agreed to has ended.
        EnrollmentError
            If the clips do not make a voiceprint.
        StoreError
            If the store cannot be written.
        """
        name = normalize_name(name)
        self.check_mode(name, mode)
        sources = _sources(clips)
        candidates = []
        for source in sources:
            candidates.append(measure_clip(source, self.model, max_seconds=self._max_seconds))
            if progress:
                progress(len(candidates), len(sources))
        return self.enroll_measured(
            name,
            candidates,
            mode=mode,
            min_speech=min_speech,
            notes=notes,
            consent=consent,
            expires=expires,
        )

    def check_mode(self, name: str, mode: AddMode) -> None:
        """Raise what the store would, before any clip is measured in vain or without consent."""
        if self.store.opted_out(name) is not None:
            raise SpeakerOptedOutError(
                f"{name} opted out, so nothing of their voice may be kept; "
                "`voiceprint consent opt-in` takes that back",
                name=name,
            )
        if mode == "new" and name in self.store:
            raise SpeakerExistsError(
                f"{name} is enrolled already; ask to add the clips (--add), or to start anew (--replace)",
                name=name,
            )
        if mode == "add":
            self.store.get(name)

    def enroll_measured(
        self,
        name: str,
        candidates: Sequence[CandidateClip],
        *,
        mode: AddMode = "new",
        min_speech: float = MIN_ENROLL_SPEECH,
        notes: str = "",
        consent: Consent | None = None,
        expires: datetime | None = None,
    ) -> EnrollmentReport:
        """Do what :meth:`enroll` does with clips that were measured before, maybe in other processes."""
        enrolled = self.store.get(name) if mode == "add" else None
        known = (
            frozenset(item.clip_sha256 for item in self.store.utterances(name)) if enrolled else frozenset()
        )
        judged = judge_clips(
            name,
            candidates,
            decider=self._decider(),
            enrolled=enrolled,
            enrolled_clips=known,
            min_speech=min_speech,
        )
        enrollment = self.store.add(
            name, _utterances(judged), mode=mode, notes=notes, consent=consent, expires=expires
        )
        return EnrollmentReport(enrollment=enrollment, clips=tuple(clip.report for clip in judged))

    def verify(
        self,
        name: str,
        clip: ClipSource,
        *,
        threshold: float | None = None,
        far: float | None = None,
        min_speech: float = MIN_SPEECH,
    ) -> Verification:
        """Answer whether the clip is of the person it is claimed to be.

        Parameters
        ----------
        name : str
            The claimed person, who must be enrolled.
        clip : clip
            A path, bytes, a file object or a Waveform.
        threshold : float, optional
            The lowest score to accept, instead of the calibration's.
        far : float, optional
            The false-accept rate to decide at, by the model's calibration; where it is not given, the card
            says at which point to decide, 0.01 unless it was calibrated otherwise.
        min_speech : float
            Seconds of speech below which there is no verdict.

        Returns
        -------
        Verification

        Raises
        ------
        SpeakerNotFoundError
            If nobody of that name is enrolled.
        AudioError
            If the clip cannot be read.
        ModelError
            If no threshold is given and the model has no calibration.
        """
        name = normalize_name(name)
        if self.store.opted_out(name) is not None:
            return self._not_listened(name, "opted_out", "the person does not want to be enrolled")
        enrollment = self.store.get(name)
        if enrollment.expired:
            return self._not_listened(
                name, "expired", f"the voiceprint expired on {enrollment.expires:%Y-%m-%d}"
            )
        heard = self._read(clip)
        seconds = heard.quality.seconds_of_speech
        if seconds < min_speech:
            return Verification(
                name=name,
                accepted=False,
                decision="not_enough_speech",
                score=None,
                llr=None,
                threshold=None,
                threshold_source=None,
                seconds_of_speech=seconds,
                model=self.model.id,
                reason=f"{seconds:.1f} s of speech; at least {min_speech:g} s are needed",
            )
        score = float(cosine(enrollment.centroid, self._embed(heard)))
        noise = heard.quality.snr_db
        limit, source = self._threshold(
            threshold=threshold, far=far, n_enroll=enrollment.n_utterances, seconds=seconds, snr_db=noise
        )
        accepted = score >= limit
        return Verification(
            name=name,
            accepted=accepted,
            decision="accepted" if accepted else "rejected",
            score=score,
            llr=self._llr(score, n_enroll=enrollment.n_utterances, seconds=seconds, snr_db=noise),
            threshold=limit,
            threshold_source=source,
            seconds_of_speech=seconds,
            model=self.model.id,
            reason=f"score {score:.3f} {'reaches' if accepted else 'is below'} the threshold {limit:.3f}",
        )

    def adapt(self, name: str, clip: ClipSource, *, far: float = ADAPT_FAR, most: int = ADAPT_MOST) -> bool:
        """Add a clip to the voiceprint of the person it clearly is of, so that it follows their voice.

        Nothing calls this by itself: whoever does should know that a voiceprint which learns can be taught.
        The bounds hold that off: the clip must be accepted at a much lower false-accept rate than a claim,
        agree with the voiceprint as at enrollment, hold 2 s of speech, and the voiceprint stops growing.

        Parameters
        ----------
        name : str
            The person.
        clip : clip
            A path, bytes, a file object or a Waveform.
        far : float
            The false-accept rate at which it must be accepted.
        most : int
            Clips in a voiceprint from which on none is added.

        Returns
        -------
        bool
            Whether it was added.

        Raises
        ------
        SpeakerNotFoundError, AudioError, ModelError
            As with :meth:`verify`.
        StoreError
            If the store cannot be written.
        """
        heard = clip if isinstance(clip, Waveform) else read_audio(clip, max_seconds=self._max_seconds)
        if not self.verify(name, heard, far=far, min_speech=ADAPT_SPEECH).accepted:
            return False
        if self.show(name).n_utterances >= most:
            return False
        try:
            self.enroll(name, heard, mode="add")
        except EnrollmentError:  # the clip is part of the voiceprint already, or disagrees with it
            return False
        return True

    def identify(
        self,
        clip: ClipSource,
        *,
        top: int = 5,
        among: Sequence[str] | None = None,
        far: float = DEFAULT_FAR,
        threshold: float | None = None,
        min_speech: float = MIN_SPEECH,
        exact: bool = False,
    ) -> Identification:
        """Answer which enrolled person the clip is of, if any.

        The set is open: `far` is the rate at which somebody who is not enrolled is given any name at all, so
        with N people enrolled each comparison is decided at ``far / N``.

        Parameters
        ----------
        clip : clip
            A path, bytes, a file object or a Waveform.
        top : int
            How many of the nearest people to return.
        among : sequence of str, optional
            A watch list: compare with these enrolled people only. Those whose voiceprint has expired are
            left out.
        far : float
            The rate at which a stranger may be named.
        threshold : float, optional
            The lowest score to accept, instead of the calibration's.
        min_speech : float
            Seconds of speech below which there is no verdict.
        exact : bool
            Compare with everybody, however many there are; see `EnrollmentStore.search`.

        Returns
        -------
        Identification

        Raises
        ------
        SpeakerNotFoundError
            If somebody of `among` is not enrolled.
        AudioError
            If the clip cannot be read.
        ModelError
            If no threshold is given and the model has no calibration.
        """
        watched = [self.store.get(name) for name in dict.fromkeys(among or ())]
        heard = self._read(clip)
        seconds = heard.quality.seconds_of_speech
        if seconds < min_speech:
            return self._identification("not_enough_speech", seconds=seconds)
        if among is None:
            hits = self.store.search(self._embed(heard), top=max(top, _CANDIDATES), exact=exact)
        else:
            hits = _scored(self._embed(heard), watched)
        if not hits:
            return self._identification("unknown", seconds=seconds)
        rate = far / (len(self.store) if among is None else len(hits))
        noise = heard.quality.snr_db
        ranked = self._ranked(hits, seconds, noise)
        best, n_enroll = ranked[0]
        limit, source = self._threshold(
            threshold=threshold, far=rate, n_enroll=n_enroll, seconds=seconds, snr_db=noise
        )
        return self._identification(
            "identified" if best.score >= limit else "unknown",
            matches=tuple(match for match, _ in ranked[:top]),
            threshold=limit,
            threshold_source=source,
            seconds=seconds,
        )

    def compare(
        self,
        a: ClipSource,
        b: ClipSource,
        *,
        threshold: float | None = None,
        far: float | None = None,
        min_speech: float = MIN_SPEECH,
    ) -> Comparison:
        """Answer whether two clips hold the same voice; nobody needs to be enrolled.

        Parameters
        ----------
        a, b : clip
            Paths, bytes, file objects or Waveforms.
        threshold, far, min_speech : float, optional
            As in :meth:`verify`; the shorter clip, and the noisier, decide which threshold holds.

        Returns
        -------
        Comparison

        Raises
        ------
        AudioError
            If a clip cannot be read.
        ModelError
            If no threshold is given and the model has no calibration.
        """
        clips = self._read(a), self._read(b)
        speech = clips[0].quality.seconds_of_speech, clips[1].quality.seconds_of_speech
        seconds = min(speech)
        if seconds < min_speech:
            return Comparison(
                same=False,
                decision="not_enough_speech",
                score=None,
                llr=None,
                threshold=None,
                threshold_source=None,
                seconds_of_speech=speech,
                model=self.model.id,
            )
        score = float(cosine(self._embed(clips[0]), self._embed(clips[1])))
        noise = min((c.quality.snr_db for c in clips if c.quality.snr_db is not None), default=None)
        limit, source = self._threshold(
            threshold=threshold, far=far, n_enroll=1, seconds=seconds, snr_db=noise, in_store=False
        )
        return Comparison(
            same=score >= limit,
            decision="same" if score >= limit else "different",
            score=score,
            llr=self._llr(score, n_enroll=1, seconds=seconds, snr_db=noise),
            threshold=limit,
            threshold_source=source,
            seconds_of_speech=speech,
            model=self.model.id,
        )

    def quality(self, clip: ClipSource) -> ClipQuality:
        """Measure a clip: its length, speech, level, clipping and signal-to-noise ratio.

        Raises
        ------
        AudioError
            If the clip cannot be read.
        """
        return self._read(clip).quality

    def speakers(self) -> list[str]:
        """Return the names of the enrolled people, sorted."""
        return self.store.names()

    def show(self, name: str) -> Enrollment:
        """Return somebody's voiceprint; SpeakerNotFoundError if nobody of that name is enrolled."""
        return self.store.get(normalize_name(name))

    def remove(self, name: str) -> None:
        """Erase somebody's voiceprint; SpeakerNotFoundError if nobody of that name is enrolled."""
        self.store.remove(normalize_name(name))

    def rename(self, old: str, new: str) -> None:
        """Give a voiceprint another name; SpeakerExistsError if somebody has it."""
        self.store.rename(normalize_name(old), normalize_name(new))

    def _not_listened(self, name: str, decision: Literal["expired", "opted_out"], why: str) -> Verification:
        """Answer without a look at the clip, for which there is no consent."""
        return Verification(
            name=name,
            accepted=False,
            decision=decision,
            score=None,
            llr=None,
            threshold=None,
            seconds_of_speech=None,
            model=self.model.id,
            reason=why,
        )

    def _read(self, clip: ClipSource) -> Clip:
        return read_clip(clip, max_seconds=self._max_seconds)

    def _embed(self, clip: Clip) -> NDArray[np.float32]:
        embedding: NDArray[np.float32] = self.model.embed([clip.speech])[0]
        return embedding

    def _decider(self, *, in_store: bool = True) -> Decider:
        tuning = self.tuning if in_store else None
        return self.model.decider(shift=0.0 if tuning is None else tuning.shift)

    def _threshold(
        self,
        *,
        threshold: float | None,
        far: float | None,
        n_enroll: int,
        seconds: float,
        snr_db: float | None,
        in_store: bool = True,
    ) -> tuple[float, ThresholdSource]:
        if threshold is not None:
            return threshold, "given"
        point = None if far is None else OperatingPoint.far(far)
        shape = TrialShape(n_enroll=n_enroll, seconds=seconds, snr_db=snr_db)
        limit = float(self._decider(in_store=in_store).thresholds(shape, point))
        return limit, "model" if self.tuning is None or not in_store else "store"

    def _llr(self, score: float, *, n_enroll: int, seconds: float, snr_db: float | None) -> float | None:
        shape = TrialShape(n_enroll=n_enroll, seconds=seconds, snr_db=snr_db)
        llrs = self._decider(in_store=False).llrs(score, shape)
        return None if llrs is None else float(llrs)

    def _ranked(
        self, hits: Sequence[StoreHit], seconds: float, snr_db: float | None
    ) -> list[tuple[Match, int]]:
        """Order the nearest people by likelihood: a score means less against one clip than against ten."""
        ranked = []
        for hit in hits:
            llr = self._llr(hit.score, n_enroll=hit.n_utterances, seconds=seconds, snr_db=snr_db)
            ranked.append((Match(name=hit.name, score=hit.score, llr=llr), hit.n_utterances))
        return sorted(ranked, key=lambda item: (-(item[0].llr or 0.0), -item[0].score))

    def _identification(
        self,
        decision: Literal["identified", "unknown", "not_enough_speech"],
        *,
        seconds: float,
        matches: tuple[Match, ...] = (),
        threshold: float | None = None,
        threshold_source: ThresholdSource | None = None,
    ) -> Identification:
        return Identification(
            decision=decision,
            name=matches[0].name if decision == "identified" else None,
            matches=matches,
            seconds_of_speech=seconds,
            threshold=threshold,
            threshold_source=threshold_source,
            model=self.model.id,
        )


def _sources(clips: ClipSource | Iterable[ClipSource]) -> list[ClipSource]:
    """List the clips, a single one alike, with folders replaced by the audio files in them."""
    single: Any = clips
    if isinstance(clips, str | bytes | os.PathLike | Waveform) or hasattr(clips, "read"):
        clips = [single]
    sources: list[ClipSource] = []
    for clip in clips:
        if isinstance(clip, str | os.PathLike):
            sources.extend(find_audio([Path(clip)]))
        else:
            sources.append(clip)
    return sources


def _scored(embedding: NDArray[np.float32], people: Sequence[Enrollment]) -> list[StoreHit]:
    """Score an embedding (dim,) against a few people, as the store's search does against all; best first."""
    hits = [
        StoreHit(
            name=person.name,
            score=float(cosine(person.centroid, embedding)),
            n_utterances=person.n_utterances,
        )
        for person in people
        if not person.expired
    ]
    return sorted(hits, key=lambda hit: (-hit.score, hit.name))


def _utterances(judged: Sequence[CandidateClip]) -> list[EnrolledUtterance]:
    return [
        EnrolledUtterance(
            embedding=clip.embedding,
            clip_sha256=clip.sha256,
            source=clip.report.source,
            quality=clip.report.quality,
        )
        for clip in judged
        if clip.embedding is not None and clip.report.quality is not None
    ]
