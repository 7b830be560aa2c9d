"""Generation: one model, and those of a store whose voiceprints it made."""

from __future__ import annotations

import os
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from voiceprint.audio.clips import Clip
from voiceprint.calibration import Decider
from voiceprint.engine.tuning import TUNING_FILE, StoreTuning, read_tuning
from voiceprint.errors import ModelError
from voiceprint.model import SpeakerModel
from voiceprint.model.registry import find_model
from voiceprint.store import EnrollmentStore, StoreModel, StoreModels

__all__ = ["EmbeddedClip", "Generation", "generations_of", "model_of"]


class Generation:
    """A model, its calibration as the store is tuned, and the people whose voiceprints it made.

    A store that was moved to another model has two: people who could not be moved are verified by the model
    that knows them.

    Parameters
    ----------
    store : EnrollmentStore
        As it is used with the model: searches find its people.
    """

    def __init__(self, model: SpeakerModel, store: EnrollmentStore) -> None:
        self.model, self.store = model, store
        self._tuning: StoreTuning | None = None
        self._tuning_stamp: object = None

    @property
    def tuning(self) -> StoreTuning | None:
        """The store's own thresholds, where it has some now for this model as it is calibrated."""
        stamp = self.store.document_stamp(TUNING_FILE)
        if stamp != self._tuning_stamp:
            self._tuning = read_tuning(self.store)
            self._tuning_stamp = stamp
        tuning, calibration = self._tuning, self.model.card.calibration
        if tuning is None or calibration is None:
            return None
        return tuning if tuning.fits(model_id=self.model.id, calibration=calibration) else None

    @property
    def decider(self) -> Decider:
        """What turns scores into verdicts here: the model's, shifted as the store is tuned now."""
        tuning = self.tuning
        return self.model.decider(shift=0.0 if tuning is None else tuning.shift)


class EmbeddedClip:
    """A clip, and its embedding by each model that asks for it, made once.

    `made` holds embeddings that are there already, by the model's id.
    """

    def __init__(self, clip: Clip, made: Mapping[str, NDArray[np.float32]] | None = None) -> None:
        self.clip = clip
        self._made = dict(made or {})

    def by(self, model: SpeakerModel) -> NDArray[np.float32]:
        """Return the embedding (dim,) of the clip's speech by a model."""
        if model.id not in self._made:
            self._made[model.id] = model.embed(self.clip.speech)
        return self._made[model.id]


def generations_of(
    store: EnrollmentStore, known: StoreModels, given: SpeakerModel, before: tuple[Generation, ...]
) -> tuple[Generation, ...]:
    """Open the models that a store knows, the present one first.

    Earlier models that are not here are left out: whoever they know cannot be compared until they come again.

    Parameters
    ----------
    given : SpeakerModel
        The one in use: that of an empty store.
    before : tuple of Generation
        Those that are open already; they are used again.

    Raises
    ------
    ModelError
        If the present model is not here.
    """
    opened = {generation.model.id: generation for generation in before}

    def generation(model: SpeakerModel) -> Generation:
        used = opened.get(model.id)
        folder = str(model.folder.absolute())
        return used or Generation(model, store.with_model(model.id, model.dim, folder=folder))

    if known.present is None:
        return (generation(given),)
    present = opened[known.present.model_id].model if known.present.model_id in opened else None
    found = [generation(present or model_of(known.present, given, store=os.fspath(store.path)))]
    for model in known.earlier:
        if model.model_id in opened:
            found.append(opened[model.model_id])
        elif model.model_id == given.id:
            found.append(generation(given))
        elif (folder := find_model(model.model_id, noted=model.folder)) is not None:
            found.append(generation(SpeakerModel.open(folder)))
    return tuple(found)


def model_of(noted: StoreModel, given: SpeakerModel, *, store: str) -> SpeakerModel:
    """Open a model that a store knows, `given` where it is that one; ModelError if it is not here."""
    if noted.model_id == given.id:
        return given
    folder = find_model(noted.model_id, noted=noted.folder)
    if folder is None:
        where = f", which was in {noted.folder}" if noted.folder else ""
        raise ModelError(
            f"the store {store} is of model {noted.model_id[:12]}{where} and is not on this machine",
            advice="name its folder, or register it",
            path=noted.folder or store,
        )
    return SpeakerModel.open(folder)
