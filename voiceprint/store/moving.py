"""A store on its way from one model to another: old and new side by side until one switch."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Self

from voiceprint.errors import StoreError
from voiceprint.store.journal import recorded
from voiceprint.store.open_store import OpenStore
from voiceprint.store.records import EnrolledUtterance, VoiceprintRecord
from voiceprint.store.tables import StoreModel, Tables
from voiceprint.store.utterances import check_utterances


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreModels:
    """The models that a store knows.

    Attributes
    ----------
    present : StoreModel or None
        The one of new voiceprints; None until somebody is enrolled.
    earlier : tuple of StoreModel
        Those that made voiceprints which still wait to be moved.
    former : frozenset of str
        Ids of all models that the store was moved away from.
    upcoming : StoreModel or None
        The one that it is on its way to.

    Examples
    --------
    >>> models = verifier.store.models()
    >>> models.present.model_id == model.id, models.upcoming
    (True, None)
    """

    present: StoreModel | None
    earlier: tuple[StoreModel, ...] = ()
    former: frozenset[str] = frozenset()
    upcoming: StoreModel | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unmoved:
    """Somebody of whom no voiceprint of the upcoming model waits, as they are now.

    Attributes
    ----------
    updated : datetime
        When their clips changed last: what was tried before that is worth trying again.
    """

    name: str
    updated: datetime
    expired: bool


class Moving(OpenStore):
    """The part of a store that moves to another model."""

    def with_model(self, model_id: str, dim: int, *, folder: str = "") -> Self:
        """Return this store as it is used with one of its models; both share the open database.

        Parameters
        ----------
        folder : str
            Where the model is: noted with the first enrollment.
        """
        return type(self)(self._backend, model_id=model_id, dim=dim, model_folder=folder)

    def models(self) -> StoreModels:
        """Return the models that the store knows."""
        with self._backend.reading() as tables:
            return _models(tables)

    @recorded("begin-upgrade")
    def begin_move(self, model: StoreModel, *, present_folder: str = "") -> None:
        """Set out for a model; what waited for another one is thrown away. Nobody notices until `switch`.

        Parameters
        ----------
        model : StoreModel
            Its folder is noted, so that the store finds it.
        present_folder : str
            Where the present model is, by which people are verified who cannot be moved.

        Raises
        ------
        StoreError
            If nobody is enrolled.
        """
        with self._backend.writing() as tables:
            known = _models(tables)
            if known.present is None or not tables.count():
                raise StoreError(
                    f"nobody is enrolled in {self.path}, so there is nothing to move", path=str(self.path)
                )
            another = _goal(tables).model_id != model.model_id and bool(tables.staged())
            if another:
                tables.unstage(None)
            if known.upcoming is not None:
                tables.forget_model(known.upcoming.model_id)
            if present_folder:
                tables.note_model(replace(known.present, folder=present_folder))
            away = known.present.model_id != model.model_id
            tables.note_model(replace(model, upcoming=away))
            tables.log_changes([])
        if another:
            self._backend.after_removal("what waited for another model was thrown away")

    def unmoved(self) -> list[Unmoved]:
        """Return of whom nothing waits, and who is not of the model that the store is on its way to."""
        with self._backend.reading() as tables:
            return _unmoved(tables)

    def stage(self, embedded: Iterable[tuple[str, datetime, Sequence[EnrolledUtterance]]]) -> None:
        """Let people's clips, embedded by the upcoming model, wait for the switch.

        Parameters
        ----------
        embedded : iterable of (name, updated, utterances)
            Of each person as `unmoved` gave them. Who has changed since is passed over.
        """
        with self._backend.writing() as tables:
            dim = _goal(tables).dim
            for name, updated, utterances in embedded:
                speaker_id = tables.find(name)
                person = None if speaker_id is None else tables.enrollment(speaker_id)
                if speaker_id is None or person is None or person.updated != updated:
                    continue
                check_utterances(name, utterances, dim)
                clips = VoiceprintRecord(
                    name="", notes="", created=updated, updated=updated, utterances=tuple(utterances)
                )
                tables.stage(speaker_id, clips)

    @recorded("upgrade")
    def switch(self, tried: Mapping[str, datetime]) -> int | None:
        """Put what waits in its place, everybody's in one transaction; the store is then of the new model.

        Whoever could not be moved keeps the voiceprint of their model. Their kept speech stays, too.

        Parameters
        ----------
        tried : mapping from str to datetime
            Who could not be moved, and as of which change.

        Returns
        -------
        int or None
            How many voiceprints were switched. None, and nothing was changed, if somebody came or changed
            since, whom `unmoved` then names.
        """
        with self._backend.writing() as tables:
            if any(tried.get(person.name) != person.updated for person in _unmoved(tables)):
                return None
            goal, staged = _goal(tables), tables.staged()
            changed = _switch(tables, goal, staged)
            tables.log_changes(sorted(changed))
        self._backend.after_removal("the store was moved to another model")
        return len(staged)

    @recorded("abandon-upgrade")
    def abandon_move(self) -> bool:
        """Throw away what waits, and stay with the present model; returns whether anything did."""
        with self._backend.writing() as tables:
            known, staged = _models(tables), tables.staged()
            tables.unstage(None)
            if known.upcoming is not None:
                tables.forget_model(known.upcoming.model_id)
        if staged:
            self._backend.after_removal("what waited was thrown away")
        return bool(staged) or known.upcoming is not None


def _models(tables: Tables) -> StoreModels:
    header, noted = tables.header(), {model.model_id: model for model in tables.noted_models()}
    if header.model_id is None or header.dim is None:
        return StoreModels(present=None)
    present = noted.pop(header.model_id, StoreModel(model_id=header.model_id, dim=header.dim))
    waiting = set(tables.earlier().values())
    return StoreModels(
        present=present,
        earlier=tuple(model for model in noted.values() if model.model_id in waiting),
        former=frozenset(model.model_id for model in noted.values() if not model.upcoming),
        upcoming=next((model for model in noted.values() if model.upcoming), None),
    )


def _goal(tables: Tables) -> StoreModel:
    """The model that voiceprints are moved to: the upcoming one, or the present one of an earlier move."""
    known = _models(tables)
    goal = known.upcoming or known.present
    if goal is None:
        raise StoreError("the store is not on its way to another model", advice="begin that first", path="")
    return goal


def _unmoved(tables: Tables) -> list[Unmoved]:
    goal, staged = _goal(tables), tables.staged()
    return [
        Unmoved(name=person.name, updated=person.updated, expired=person.expired)
        for speaker_id, person in tables.enrollments_of(None).items()
        if person.model_id != goal.model_id and speaker_id not in staged
    ]


def _switch(tables: Tables, goal: StoreModel, staged: Collection[int]) -> set[int]:
    """Write everybody whose row changes; returns their ids."""
    header = tables.header()
    people = tables.enrollments_of(None)
    leaves = header.model_id != goal.model_id
    tables.note_model(replace(goal, upcoming=False))
    if leaves and header.model_id is not None and header.dim is not None:
        noted = {model.model_id: model for model in tables.noted_models()}
        tables.note_model(noted.get(header.model_id, StoreModel(model_id=header.model_id, dim=header.dim)))
    changed = set[int](staged)
    for speaker_id, person in people.items():
        if speaker_id in staged:
            record = tables.read([speaker_id])[speaker_id]
            clips = tables.staged_clips(speaker_id, dim=goal.dim)
            # What claims scored by the other model says nothing of this one.
            tables.write(speaker_id, replace(record, utterances=clips, claims=None))
        elif leaves and person.model_id == header.model_id:
            tables.write_as_earlier(speaker_id, tables.read([speaker_id])[speaker_id], person.model_id)
            changed.add(speaker_id)
    if leaves:
        tables.claim(goal.model_id, goal.dim)
    return changed
