"""Enrolling: clips measured one at a time, and then a voiceprint made of them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from voiceprint.calibration import Decider
from voiceprint.engine.enrollment import CandidateClip, EnrollmentReport, judge_clips
from voiceprint.engine.measuring import measure_clip
from voiceprint.engine.verifier import Verifier
from voiceprint.errors import EnrollmentError, ModelMismatchError
from voiceprint.model import SpeakerModel
from voiceprint.server.bodies import NamedClip, refuse_too_much
from voiceprint.server.fields import AddFields, EnrollFields
from voiceprint.server.pool import Turn
from voiceprint.server.problems import Problem
from voiceprint.server.settings import ServerSettings
from voiceprint.store import AddMode, Enrollment


class Enrolling:
    """An enrollment in steps: `measure`, between whose clips others have their turn, and then `finish`."""

    def __init__(
        self,
        verifier: Verifier,
        name: str,
        clips: Sequence[NamedClip],
        fields: EnrollFields | AddFields,
        *,
        mode: AddMode,
        settings: ServerSettings,
    ) -> None:
        self._verifier, self._name, self._clips, self._fields = verifier, name, clips, fields
        self._mode, self._settings = mode, settings
        self._force = isinstance(fields, AddFields) and fields.force
        self._measured: list[CandidateClip] = []
        self._known_by: tuple[SpeakerModel, list[CandidateClip]] = verifier.model, []

    async def measure(self, turn: Turn) -> None:
        """Refuse a person who cannot be enrolled; otherwise measure and embed each clip."""
        await turn.run(self._check)
        seconds = 0.0
        for clip in self._clips:
            measured = await turn.run(partial(self._measure, clip), audio=clip.audio)
            quality = measured.report.quality
            seconds += 0.0 if quality is None else quality.seconds
            refuse_too_much(seconds, self._settings.max_audio)  # a header need not hold the length
            self._measured.append(measured)

    def finish(self) -> EnrollmentReport:
        """Make the voiceprint; errors as of `Verifier.enroll`, and Problem 409 for another voice."""
        try:
            return self._enroll()
        except ModelMismatchError:  # the store was moved to another model since the clips were embedded
            self._verifier.generations()
            self._measured = [self._measure(clip) for clip in self._clips]
            return self._enroll()

    def _look_back(self) -> None:
        """Embed the clips, too, by the model that knows the person whose voiceprint is to be replaced.

        Before the store's transaction, which must be quick: embeddings of two models are not compared.
        """
        self._known_by = self._verifier.model, self._measured
        if self._mode == "replace":
            knows = self._verifier.generation_of(self._verifier.show(self._name)).model
            if knows.id != self._verifier.model.id:
                self._known_by = knows, [self._measure(clip, knows) for clip in self._clips]

    def _enroll(self) -> EnrollmentReport:
        self._look_back()
        return self._verifier.enroll_measured(
            self._name,
            self._measured,
            mode=self._mode,
            min_speech=self._fields.min_speech,
            notes=self._fields.notes,
            consent=self._fields.consent,
            expires=self._fields.expires,
            replacing=self._refuse_another_voice,
        )

    def _check(self) -> None:
        self._verifier.check_enrolling(self._name, self._mode)
        if self._fields.keep_audio:
            self._verifier.check_keeping(self._name, self._fields.consent)
        if self._mode == "replace":
            self._verifier.show(self._name)

    def _measure(self, clip: NamedClip, model: SpeakerModel | None = None) -> CandidateClip:
        clip.seek(0)  # it may have been read before
        return measure_clip(
            clip,
            model or self._verifier.model,
            channel=self._fields.channel,
            max_seconds=self._settings.max_seconds,
            keep_audio=self._fields.keep_audio,
            liveness=self._verifier.liveness,
        )

    def _refuse_another_voice(self, enrolled: Enrollment) -> None:
        """Refuse another voice in the place of one, unless it is forced, and agreed to anew."""
        if not self._is_another_voice(enrolled):
            return
        if not self._force:
            detail = f"the clips disagree with the voiceprint of {self._name!r}; force=true replaces it"
            raise Problem(409, "voice-disagrees", detail)
        if self._fields.consent is None:
            detail = "another voice takes new consent; give consent_by and consent_purpose"
            raise Problem(422, "consent-needed", detail)

    def _is_another_voice(self, enrolled: Enrollment) -> bool:
        """Whether half or more of the clips that would be used disagree with the voiceprint as it is."""
        knows, measured = self._known_by
        if knows.id != enrolled.model_id:  # replaced since, so that nobody can say
            return True
        wanted = {clip.sha256 for clip in self._judged(self._measured) if clip.embedding is not None}
        used = [clip for clip in measured if clip.sha256 in wanted and clip.embedding is not None]
        try:
            agreeing = [
                clip
                for clip in self._judged(used, enrolled, decider=knows.decider())
                if clip.embedding is not None
            ]
        except EnrollmentError:
            return True
        return 2 * len(agreeing) <= len(used)

    def _judged(
        self,
        clips: Sequence[CandidateClip],
        enrolled: Enrollment | None = None,
        *,
        decider: Decider | None = None,
    ) -> tuple[CandidateClip, ...]:
        decider = decider or self._verifier.model.decider()
        return judge_clips(self._name, clips, decider=decider, enrolled=enrolled, min_speech=0.0)
