"""OpenedStore: a store as it is used with the models that made its voiceprints."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Self

from voiceprint.arguments import check_number
from voiceprint.audio.clips import MAX_SECONDS
from voiceprint.calibration import Decider
from voiceprint.engine.generations import Generation, generations_of
from voiceprint.engine.tuning import StoreTuning
from voiceprint.errors import ArgumentError, ModelError
from voiceprint.model import SpeakerModel
from voiceprint.store import Enrollment, EnrollmentStore, StoreModels, default_store_path, is_url, shown

if TYPE_CHECKING:
    from voiceprint.countermeasure import LivenessCheck

__all__ = ["OpenedStore"]


class OpenedStore:
    """A store, opened when it is first needed, and the models that made its voiceprints.

    Arguments and errors are those of `Verifier`.
    """

    def __init__(
        self,
        store: str | os.PathLike[str] | None = None,
        *,
        model: SpeakerModel | str | os.PathLike[str] | None = None,
        read_only: bool = False,
        create: bool = True,
        max_seconds: float = MAX_SECONDS,
        spoof_far: float | None = None,
        countermeasure: str | os.PathLike[str] | None = None,
    ) -> None:
        check_number("max_seconds", max_seconds, above=0.0)
        self.liveness = _liveness_check(spoof_far, countermeasure)
        self._given = model if isinstance(model, SpeakerModel) else SpeakerModel.open(model)
        self._named = model is not None
        self.store_path = default_store_path() if store is None else store if is_url(store) else Path(store)
        self._read_only, self._create = read_only, create
        self._max_seconds = max_seconds
        self._generations: tuple[Generation, ...] = ()

    @property
    def model(self) -> SpeakerModel:
        """The model by which people are enrolled: the store's present one, once it is open."""
        return self._generations[0].model if self._generations else self._given

    @property
    def store(self) -> EnrollmentStore:
        """The enrollment store, opened when first asked for."""
        return (self._generations or self.generations())[0].store

    def generations(self) -> tuple[Generation, ...]:
        """Return the models that made the store's voiceprints as it is now, the present one first.

        A store that was moved to another model is followed, also by whoever opened it before.

        Raises
        ------
        ModelMismatchError
            If the store is of another model than the one in use, and was never moved.
        ModelError
            If the store's model is not on this machine.
        """
        if self._generations:
            store = self._generations[0].store
            self._generations = generations_of(store, store.models(), self._given, self._generations)
        else:
            store = EnrollmentStore.open(self.store_path, read_only=self._read_only, create=self._create)
            try:
                known = store.models()
                if not self._follows(known):
                    store.with_model(self._given.id, self._given.dim).check_model()
                self._generations = generations_of(store, known, self._given, ())
            except BaseException:
                store.close()
                raise
        return self._generations

    def generation_of(self, person: Enrollment) -> Generation:
        """Return the model that knows a person; ModelError if it is not on this machine."""
        for generation in self.generations():
            if generation.model.id == person.model_id:
                return generation
        raise ModelError(
            f"the voiceprint of {person.name!r} is of model {person.model_id[:12]}, which is not here",
            advice="register that model, or replace the voiceprint",
            path=str(self.store_path),
        )

    def _follows(self, known: StoreModels) -> bool:
        """Whether a store that was moved goes by its own model: the one given is a former one, or none."""
        return bool(known.former) and (self._given.id in known.former or not self._named)

    @property
    def tuning(self) -> StoreTuning | None:
        """The store's own thresholds, where it has some now for the present model as it is calibrated."""
        return (self._generations or self.generations())[0].tuning

    @property
    def decider(self) -> Decider:
        """What turns scores into verdicts here: the model's, shifted as the store is tuned now."""
        return (self._generations or self.generations())[0].decider

    def close(self) -> None:
        """Close the store."""
        if self._generations:
            self._generations[0].store.close()
            self._generations = ()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {shown(self.store_path)}, {self.model.card.title}>"


def _liveness_check(
    spoof_far: float | None, countermeasure: str | os.PathLike[str] | None
) -> LivenessCheck | None:
    """Open what says whether somebody speaks live; None where that is not asked."""
    if spoof_far is None:
        if countermeasure is not None:
            allowed = "left out unless spoof_far is given: nobody asks it otherwise"
            raise ArgumentError("countermeasure", os.fspath(countermeasure), allowed, beside=("spoof_far",))
        return None
    from voiceprint.countermeasure import LivenessCheck  # noqa: PLC0415  what most stores do not ask

    return LivenessCheck.open(countermeasure, spoof_far=spoof_far)
