"""EnrolledPeople: who is enrolled, and how somebody comes and goes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from voiceprint.arguments import check_number, check_text
from voiceprint.audio import find_audio
from voiceprint.audio.clips import MIN_SPEECH, Clip, ClipSource, check_sample_rate, list_clips
from voiceprint.engine.decisions import Replay
from voiceprint.engine.drift import Drift, measure_drift
from voiceprint.engine.enrollment import (
    MIN_ENROLL_SPEECH,
    CandidateClip,
    EnrollmentReport,
    judge_clips,
    those_that_agree,
    utterances_of,
)
from voiceprint.engine.measuring import measure_clip
from voiceprint.engine.opened_store import OpenedStore
from voiceprint.engine.replays import ClaimRecordings
from voiceprint.engine.resemblance import who_resembles
from voiceprint.errors import ConsentRequiredError, StoreError
from voiceprint.store import (
    AddMode,
    Consent,
    EnrolledUtterance,
    Enrollment,
    ImportMode,
    ImportReport,
    SetAsideClip,
    check_terms,
    normalize_name,
)

if TYPE_CHECKING:
    from voiceprint.store import ExportFile

__all__ = ["Clips", "EnrolledPeople"]

Clips = ClipSource | Iterable[ClipSource]
"""One clip or many: paths, bytes, file objects, arrays or Waveforms."""


class EnrolledPeople(OpenedStore):
    """A store of voiceprints and the model that makes them; `Verifier` adds the decisions.

    Arguments and errors are those of `Verifier`.
    """

    def __len__(self) -> int:
        """How many people are enrolled."""
        return len(self.store)

    def __contains__(self, name: str) -> bool:
        """Whether a person of that name is enrolled."""
        return name in self.store

    def __bool__(self) -> bool:
        """Be true, whether or not anybody is enrolled."""
        return True

    def enroll(
        self,
        name: str,
        clips: Clips,
        *,
        sample_rate: int | None = None,
        channel: int | None = None,
        mode: AddMode = "new",
        min_speech: float = MIN_ENROLL_SPEECH,
        notes: str = "",
        consent: Consent | None = None,
        expires: datetime | None = None,
        keep_audio: bool = False,
    ) -> EnrollmentReport:
        """Make, extend or replace somebody's voiceprint.

        Clips that are unreadable, too short, of two voices, doubled or contradictory are set aside and named;
        where `spoof_far` is set, also those that do not sound spoken live.

        Parameters
        ----------
        name : str
            Any printable text of up to 200 characters.
        clips : clip or iterable of clips
            Paths (folders are searched), bytes, file objects, arrays or Waveforms.
        sample_rate, channel : int, optional
            As in :meth:`Verifier.verify`.
        mode : {"new", "add", "replace"}
            Refuse somebody who is enrolled already, add to their voiceprint, or replace it.
        min_speech : float
            Seconds of speech that the voiceprint must rest on in all, at least 0.5.
        consent, expires : Consent, datetime, optional
            Who agreed, and when the voiceprint ends; None keeps what was noted before.
        keep_audio : bool
            Keep the speech that is used, to move to another model later; it takes consent, now or before.

        Raises
        ------
        ArgumentError, StoreError
            If an argument is out of range, or the store cannot be written or keeps no speech.
        SpeakerError
            If the name cannot be used, is enrolled already ("new") or is not ("add"), or they opted out.
        EnrollmentError
            If the clips do not make a voiceprint.

        Examples
        --------
        >>> verifier.enroll("edda", ["people/edda/1.wav", "people/edda/2.wav"]).enrollment.n_utterances
        2
        """
        name = normalize_name(name)
        check_text("notes", notes)
        check_terms(consent, expires)
        self.check_enrolling(name, mode, min_speech=min_speech)
        if keep_audio:
            self.check_keeping(name, consent)
        candidates = self.measure(clips, sample_rate=sample_rate, channel=channel, keep_audio=keep_audio)
        return self.enroll_measured(
            name, candidates, mode=mode, min_speech=min_speech, notes=notes, consent=consent, expires=expires
        )

    def check_enrolling(self, name: str, mode: AddMode, *, min_speech: float = MIN_ENROLL_SPEECH) -> None:
        """Raise what enrolling would, before any clip is measured in vain or without consent."""
        check_number("min_speech", min_speech, least=MIN_SPEECH)
        self.generations()  # the store may have been moved to another model
        self.store.check_mode(name, mode)

    def check_keeping(self, name: str, consent: Consent | None) -> None:
        """Raise what the store would of clips whose speech is to be kept, before they are listened to."""
        self.store.check_keeps_audio()
        if consent is None and (name not in self.store or self.store.get(name).consent is None):
            raise ConsentRequiredError(
                f"no speech is kept without consent, and none of {name!r} is noted",
                advice="say who agreed, and to what",
                name=name,
            )

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
        replacing: Callable[[Enrollment], None] | None = None,
    ) -> EnrollmentReport:
        """Do what :meth:`enroll` does with clips that were measured before, maybe in other processes.

        `replacing` is called with the voiceprint that is to be replaced; what it raises keeps that as it is.
        """
        check_number("min_speech", min_speech, least=MIN_SPEECH)
        decider, judged = self.decider, tuple[CandidateClip, ...]()

        def judge(
            enrolled: Enrollment | None, clips: Sequence[EnrolledUtterance]
        ) -> Sequence[EnrolledUtterance]:
            nonlocal judged
            judged = judge_clips(
                name,
                candidates,
                decider=decider,
                enrolled=enrolled,
                enrolled_clips=clips,
                min_speech=min_speech,
            )
            return utterances_of(judged)

        # Judged within the store's transaction: nobody can have changed the voiceprint that the clips join.
        enrollment = self.store.add_judged(
            name, judge, mode=mode, notes=notes, consent=consent, expires=expires, replacing=replacing
        )
        traces = [clip.trace for clip in judged if clip.trace is not None]
        return EnrollmentReport(
            enrollment=enrollment,
            clips=tuple(clip.report for clip in judged),
            resembles=who_resembles(enrollment, traces, self.store, decider),
        )

    def import_people(self, exported: ExportFile, *, mode: ImportMode = "new") -> ImportReport:
        """Take in the voiceprints of an export, all or none of them.

        Parameters
        ----------
        exported : ExportFile
            As `read_export` gives it. Whoever opted out where it was written is opted out and removed here.
        mode : {"new", "skip", "add", "replace"}
            What to do with people who are enrolled already: refuse everything, leave them as they are, add
            the clips they do not have, or replace their voiceprint. A clip is added only if it agrees with
            the voiceprint as at enrollment; the report names the others.

        Raises
        ------
        EnrollmentError
            If clips would be added, and without a calibration nothing tells whether they agree.
        ArgumentError, StoreError, SpeakerError
            As `EnrollmentStore.import_records`. Nothing was changed.
        """
        decider, aside = self.decider, list[SetAsideClip]()

        def judge(
            enrolled: Enrollment, utterances: Sequence[EnrolledUtterance]
        ) -> Sequence[EnrolledUtterance]:
            joining = those_that_agree(enrolled, utterances, decider=decider)
            left_out = [clip.source for clip in utterances if clip not in joining]
            aside.extend(SetAsideClip(name=enrolled.name, source=source) for source in left_out)
            return joining

        report = self.store.import_records(
            exported.records,
            model_id=exported.model_id,
            dim=exported.dim,
            mode=mode,
            opt_outs=exported.opt_outs,
            judge=judge if mode == "add" else None,
        )
        return replace(report, set_aside=tuple(aside))

    def speakers(self) -> list[str]:
        """Return the names of the enrolled people, sorted.

        Examples
        --------
        >>> verifier.speakers()
        ['ada', 'bert']
        """
        return self.store.names()

    def show(self, name: str) -> Enrollment:
        """Return somebody's voiceprint; SpeakerNotFoundError if nobody of that name is enrolled."""
        return self.store.get(name)

    def drift(self, name: str) -> Drift | None:
        """Return whether recent accepted claims fit less well than enrollment promised.

        None while no claim was accepted. Where the store can be written, `verify` and sessions count them.

        Raises
        ------
        SpeakerNotFoundError
            If nobody of that name is enrolled.
        """
        claims = self.store.get(name).claims
        return measure_drift(
            claims, self.store.utterances(name), decider=self.generation_of(self.store.get(name)).decider
        )

    def note_accepted(
        self, name: str, clip: Clip, *, llr: float | None, allow_replay: bool, refused: bool = False
    ) -> Replay | None:
        """Note that a claim would be accepted, and remember its recordings.

        What is not remembered is not accepted. Where the store is only read, as one that was opened on a full
        disk is, nothing is noted, and the claim is only compared.

        Parameters
        ----------
        llr : float or None
            Log-likelihood ratio, which `drift` counts; None: it is not counted.
        allow_replay : bool
            Count it alone: neither look its recordings up nor remember them.
        refused : bool
            It is refused for something else than a replay: its recordings are only looked up.

        Returns
        -------
        Replay or None
            The earlier recording that the clip is, which refuses the claim.

        Raises
        ------
        StoreError
            If its recordings cannot be remembered: whoever has them could play them again.
        """
        if allow_replay:
            if not refused:
                with suppress(StoreError):  # no verdict depends on the count
                    self.store.note_accepted(name, llr=llr)
            return None
        recordings, seen = ClaimRecordings(clip), self.store.seen(name)
        replay = recordings.seen_in(seen)
        if replay is None and not refused:
            try:
                replay = self.store.note_accepted(
                    name,
                    llr=llr,
                    recordings=recordings.to_remember(),
                    known=seen,
                    seen_before=recordings.seen_in,
                )
            except StoreError:
                if not self.store.read_only:
                    raise
        return replay

    def remove(self, name: str) -> None:
        """Erase somebody's voiceprint; SpeakerNotFoundError if nobody of that name is enrolled.

        Examples
        --------
        >>> verifier.remove("bert")
        >>> verifier.speakers()
        ['ada']
        """
        self.store.remove(name)

    def rename(self, old: str, new: str) -> None:
        """Give a voiceprint another name; SpeakerExistsError if somebody has it."""
        self.store.rename(old, new)

    def set_terms(self, name: str, *, consent: Consent | None, expires: datetime | None) -> Enrollment:
        """Note what somebody agreed to and until when, in the place of what was noted before.

        Parameters
        ----------
        consent : Consent or None
            Who agreed that the voice is kept, when, and for what.
        expires : datetime or None
            From when on the voiceprint is not used any more; with its time zone.

        Raises
        ------
        SpeakerNotFoundError
            If nobody of that name is enrolled.
        """
        return self.store.set_terms(name, consent=consent, expires=expires)

    def remove_expired(self) -> list[str]:
        """Erase every voiceprint whose time has ended; returns whose."""
        return self.store.remove_expired()

    def opt_out(self, name: str, *, since: datetime | None = None) -> None:
        """Erase somebody who does not want to be enrolled, and refuse to enroll them until `opt_in`.

        Parameters
        ----------
        name : str
            Who need not be enrolled.
        since : datetime, optional
            When they said so; now unless given.
        """
        self.store.opt_out(name, since=since)

    def opt_in(self, name: str) -> None:
        """Let somebody be enrolled again; SpeakerNotFoundError if they had not opted out."""
        self.store.opt_in(name)

    def opted_out(self, name: str) -> datetime | None:
        """Return since when somebody does not want to be enrolled; None if they did not say so."""
        return self.store.opted_out(name)

    def opt_outs(self) -> dict[str, datetime]:
        """Return who opted out, and since when, by name."""
        return self.store.opt_outs()

    def measure(
        self,
        clips: Clips,
        *,
        sample_rate: int | None = None,
        channel: int | None = None,
        keep_audio: bool = False,
        progress: Callable[[int, int], None] | None = None,
    ) -> list[CandidateClip]:
        """Read, measure and embed clips for :meth:`enroll_measured`, and store nothing.

        Parameters
        ----------
        clips, sample_rate, channel, keep_audio
            As in :meth:`enroll`.
        progress : callable, optional
            Called after each clip with how many are done, and of how many.
        """
        sources = _with_folders_searched(list_clips(clips))
        check_sample_rate(sources, sample_rate)
        measure = partial(
            measure_clip,
            sample_rate=sample_rate,
            channel=channel,
            max_seconds=self._max_seconds,
            keep_audio=keep_audio,
            liveness=self.liveness,
        )
        candidates = []
        for source in sources:
            candidates.append(measure(source, self.model))
            if progress:
                progress(len(candidates), len(sources))
        return candidates


def _with_folders_searched(clips: Sequence[ClipSource]) -> list[ClipSource]:
    """Replace folders by the audio files in them."""
    sources: list[ClipSource] = []
    for clip in clips:
        if isinstance(clip, str | os.PathLike):
            sources.extend(find_audio([Path(clip)]))
        else:
            sources.append(clip)
    return sources
