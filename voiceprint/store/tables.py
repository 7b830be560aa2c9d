"""What a store keeps, as its transactions see it: people, terms, refusals, and what faces keep about people.

A database says how it keeps them; what follows from that is the same for all. Methods work in the transaction
in which the object was given out. What is not as it was written raises `damage`, the exception by which the
database itself reports damage.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from voiceprint.scoring import cosine
from voiceprint.store.records import (
    UNIT_TOLERANCE,
    EnrolledUtterance,
    Enrollment,
    StoreHit,
    VoiceprintRecord,
)

CENTROID_TOLERANCE = 1e-5
"""How far a number of a centroid may be from what another machine computes of the same clips."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What describes the store; `model_id` and `dim` are None until somebody is enrolled.

    Clips and their seconds of speech stay 0 where the database counts them whenever it is asked.
    """

    id: bytes
    generation: int
    model_id: str | None
    dim: int | None
    n_speakers: int
    require_consent: bool = False
    n_utterances: int = 0
    seconds_of_speech: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreModel:
    """A model that made voiceprints of a store, or is to make them.

    Attributes
    ----------
    folder : str
        Where the model folder was when that was noted; empty where it was not.
    upcoming : bool
        Whether the store is on its way to it.

    Examples
    --------
    >>> present = verifier.store.models().present
    >>> present.dim, present.upcoming
    (192, False)
    """

    model_id: str
    dim: int
    folder: str = ""
    upcoming: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Summary:
    """What ranking people needs to know of one of them."""

    name: str
    n_utterances: int
    centroid: NDArray[np.float32]
    expires: datetime | None


class Tables(ABC):
    """The tables of a store as they are in one transaction."""

    damage: ClassVar[type[Exception]]
    keeps_speech: ClassVar[bool] = False

    def __init__(self) -> None:
        # Written into the header once for each change: of a row that is updated often in one transaction,
        # PostgreSQL keeps every version until the end, and looks through all of them each time.
        self._come, self._gone = 0, 0

    @abstractmethod
    def run(self, statement: str, *values: Any) -> Any:
        """Run a statement with ``?`` for its values; returns a cursor whose rows are read by column name."""

    @abstractmethod
    def header(self) -> Header:
        """Return the store's id, generation, model, and how many people it held after the last change."""

    @abstractmethod
    def write_header(self, header: Header) -> None:
        """Write the header anew."""

    @abstractmethod
    def find_all(self, names: Sequence[str]) -> dict[str, int]:
        """Return the ids of those of these people who are enrolled."""

    @abstractmethod
    def names(self) -> list[str]:
        """Return everybody's name, in the order of their code points."""

    @abstractmethod
    def ids(self) -> list[int]:
        """Return everybody's id, in the order of the code points of their names."""

    @abstractmethod
    def totals(self) -> tuple[int, float]:
        """Return the number of utterances, and their seconds of speech."""

    @abstractmethod
    def read(self, speaker_ids: Sequence[int]) -> dict[int, VoiceprintRecord]:
        """Read whole voiceprints by their ids, with clips in the order they were added."""

    @abstractmethod
    def summaries(self, speaker_ids: Sequence[int]) -> list[Summary]:
        """Read what ranking needs of people, by their ids."""

    @abstractmethod
    def enrollments_of(self, speaker_ids: Sequence[int] | None) -> dict[int, Enrollment]:
        """Read people by their ids; None: everybody."""

    @abstractmethod
    def write(self, speaker_id: int, record: VoiceprintRecord, *, same_clips: bool = False) -> None:
        """Write a person anew, in the place of what was there; with `same_clips` the clips are as before."""

    @abstractmethod
    def write_recordings(self, speaker_id: int, record: VoiceprintRecord) -> None:
        """Write anew by what the recordings of a person are known, and nothing else of them."""

    @abstractmethod
    def expired(self, moment: datetime) -> dict[int, str]:
        """Return ids and names of people whose time is over, in the order of names."""

    @abstractmethod
    def opted_out_among(self, names: Sequence[str]) -> dict[str, datetime]:
        """Return who of these people does not want to be enrolled, and since when."""

    @abstractmethod
    def opt_outs(self) -> dict[str, datetime]:
        """Return who opted out and since when, in the order of the code points of their names."""

    @abstractmethod
    def write_opt_out(self, name: str, since: datetime) -> None:
        """Note that somebody, who has not said so yet, does not want to be enrolled."""

    @abstractmethod
    def delete_opt_out(self, name: str) -> bool:
        """Forget that somebody opted out; returns whether they had."""

    @abstractmethod
    def keep(self, speaker_id: int, key: str, content: bytes, until: datetime) -> None:
        """Store a face's keepsake of a person, in the place of one with the same key."""

    @abstractmethod
    def keepsake(self, speaker_id: int, key: str, moment: datetime) -> bytes | None:
        """Return a person's keepsake of a key; None where its time was over at a moment."""

    @abstractmethod
    def forget_keepsakes(self, speaker_id: int) -> None:
        """Delete a person's keepsakes."""

    @abstractmethod
    def sweep_keepsakes(self, moment: datetime) -> int:
        """Delete keepsakes whose time was over at a moment; returns how many."""

    @abstractmethod
    def candidates(self, query: NDArray[np.float32], *, top: int, exact: bool = False) -> NDArray[np.int64]:
        """Return the ids of the people among whom the `top` nearest to a query (dim,) are; in no order.

        Expired people are among them. All ids if there are no more than `top`. `exact` compares everybody,
        where the database would ask an index that may miss somebody.
        """

    @abstractmethod
    def note_changes(self, generation: int, speaker_ids: Collection[int]) -> None:
        """Remember who changed in a generation, where something derived from the tables has to catch up."""

    @abstractmethod
    def noted_models(self) -> list[StoreModel]:
        """Return the models that were noted when the store was moved, the oldest first."""

    @abstractmethod
    def earlier(self) -> dict[int, str]:
        """Return whose voiceprints earlier models made: ids of models by ids of people."""

    @abstractmethod
    def note_model(self, model: StoreModel) -> None:
        """Note a model, or what is known of it now."""

    @abstractmethod
    def forget_model(self, model_id: str) -> None:
        """Forget a model that is no longer upcoming; one that made somebody's voiceprint stays noted."""

    @abstractmethod
    def staged(self) -> set[int]:
        """Return the ids of the people whose voiceprints of the upcoming model wait."""

    @abstractmethod
    def stage(self, speaker_id: int, record: VoiceprintRecord) -> None:
        """Let a person's clips, embedded by the upcoming model, wait; of the record only those count."""

    @abstractmethod
    def unstage(self, speaker_ids: Sequence[int] | None) -> None:
        """Delete what waits of people; None: of everybody."""

    @abstractmethod
    def staged_clips(self, speaker_id: int, *, dim: int) -> tuple[EnrolledUtterance, ...]:
        """Return the clips that wait of a person."""

    @abstractmethod
    def write_as_earlier(self, speaker_id: int, record: VoiceprintRecord, model_id: str) -> None:
        """Write a person as they are, whose voiceprint will be that of an earlier model."""

    @abstractmethod
    def earlier_count(self) -> int:
        """Return how many voiceprints earlier models made."""

    @abstractmethod
    def _insert(self, records: Sequence[VoiceprintRecord]) -> list[int]:
        """Insert people; returns their ids."""

    @abstractmethod
    def _delete(self, speaker_id: int) -> None:
        """Delete a person and their keepsakes."""

    def audio(self, speaker_id: int) -> dict[str, bytes]:
        """Return a person's kept speech by the SHA-256 of the clip."""
        return {}

    def forget_audio(self, speaker_id: int) -> bool:
        """Delete a person's kept speech; returns whether there was any."""
        return False

    def audio_totals(self) -> tuple[int, int]:
        """Return for how many clips speech is kept, and its bytes."""
        return 0, 0

    def insert(self, records: Sequence[VoiceprintRecord]) -> list[int]:
        """Insert people who are not enrolled; returns their ids."""
        self._come += len(records)
        return self._insert(records)

    def delete(self, speaker_ids: Iterable[int]) -> None:
        """Delete people and their keepsakes."""
        for speaker_id in speaker_ids:
            self._gone += 1
            self._delete(speaker_id)

    def count(self) -> int:
        """Return how many people are enrolled."""
        return self.header().n_speakers + self._come - self._gone

    def claim(self, model_id: str, dim: int) -> None:
        """Make the store one of this model's voiceprints."""
        header = self.header()
        if (header.model_id, header.dim) != (model_id, dim):
            self.write_header(replace(header, model_id=model_id, dim=dim))

    def write_require_consent(self, required: bool) -> None:
        """Say whether nobody may be enrolled without consent."""
        self.write_header(replace(self.header(), require_consent=required))

    def log_changes(self, speaker_ids: Collection[int]) -> None:
        """Begin a new generation, in which these speakers changed."""
        # Counted in nanoseconds of the clock, so that a restored backup never reaches again a number
        # that an index of the lost history carries.
        header = self.header()
        generation = max(header.generation + 1, time.time_ns())
        self.write_header(replace(header, generation=generation, n_speakers=self.count()))
        self._come = self._gone = 0
        self.note_changes(generation, speaker_ids)

    def find(self, name: str) -> int | None:
        """Return the id of a person, or None."""
        return self.find_all([name]).get(name)

    def find_by_all_means(self, name: str) -> int | None:
        """Do what `find` does, but rather read everything than miss somebody who is to be erased."""
        return self.find(name)

    def enrollment(self, speaker_id: int, *, duplicates: tuple[str, ...] = ()) -> Enrollment:
        """Read one person."""
        return replace(self.enrollments_of([speaker_id])[speaker_id], duplicates=duplicates)

    def enrollments(self) -> list[Enrollment]:
        """Read everybody, in the order of the code points of their names."""
        return sorted(self.enrollments_of(None).values(), key=lambda person: person.name)

    def opted_out(self, name: str) -> datetime | None:
        """Return since when somebody does not want to be enrolled, or None."""
        return self.opted_out_among([name]).get(name)

    def nearest(
        self, speaker_ids: NDArray[np.int64], query: NDArray[np.float32], *, moment: datetime
    ) -> list[StoreHit]:
        """Score those of these people who have not expired at a moment against a query (dim,).

        Best first, equal scores in the order of names.
        """
        people = [
            person
            for person in self.summaries(speaker_ids.tolist())
            if person.expires is None or person.expires > moment
        ]
        if not people:
            return []
        scores = cosine([person.centroid for person in people], query)
        hits = [
            StoreHit(name=person.name, score=score, n_utterances=person.n_utterances)
            for person, score in zip(people, scores.tolist(), strict=True)
        ]
        return sorted(hits, key=lambda hit: (-hit.score, hit.name))

    def checked(self, embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
        """Refuse what no voice has: values that are not finite, and vectors (n, dim) not of length 1."""
        with np.errstate(over="ignore", invalid="ignore"):
            lengths = np.linalg.norm(embeddings, axis=-1)
        if not (np.abs(lengths - 1.0) <= UNIT_TOLERANCE).all():
            raise self.damage("an embedding is not of length 1")
        return embeddings.astype(np.float32)

    def all_there(self, count: int) -> None:
        """Refuse to answer for everybody with other than as many as were noted: rows are missing."""
        if count != self.count():
            raise self.damage(f"it holds {count} people where {self.count()} were noted")
