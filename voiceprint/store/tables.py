"""What a store keeps, as statements: one set of them for every database, and rows to records and back.

A database says how it passes parameters, times and embeddings; the statements themselves are the same.
Methods work in the transaction in which the object was given out. A row that is not what it should be is told
as the database itself tells damage, by the exception class `damage`.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from voiceprint.quality import ClipQuality
from voiceprint.scoring import cosine
from voiceprint.store.records import Consent, EnrolledUtterance, Enrollment, StoreHit, file_name

__all__ = ["Header", "SpeakerRow", "Tables"]

_PEOPLE = "SELECT * FROM speakers LEFT JOIN terms ON terms.speaker_id = speakers.id"
_SPEAKER = (
    "INSERT INTO speakers (name, notes, created, updated, n_utterances, seconds_of_speech, centroid) "
    "VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING id"
)
_TERMS = (
    "INSERT INTO terms (speaker_id, consent_by, consent_purpose, consent_given, expires) "
    "VALUES (?, ?, ?, ?, ?) ON CONFLICT (speaker_id) DO UPDATE SET consent_by = excluded.consent_by, "
    "consent_purpose = excluded.consent_purpose, consent_given = excluded.consent_given, "
    "expires = excluded.expires"
)
_UTTERANCE = (
    "INSERT INTO utterances (speaker_id, clip_sha256, source, seconds, seconds_of_speech, level_dbfs, "
    "clipped, snr_db, added, embedding) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """The one row that describes the store; `model_id` and `dim` are None until somebody is enrolled."""

    id: bytes
    generation: int
    model_id: str | None
    dim: int | None
    require_consent: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SpeakerRow:
    """What `speakers` holds of a person."""

    name: str
    notes: str
    created: datetime
    updated: datetime
    n_utterances: int
    seconds_of_speech: float
    centroid: NDArray[np.float32]


class Tables(ABC):
    """The tables of a store as they are in one transaction."""

    damage: ClassVar[type[Exception]]

    @abstractmethod
    def run(self, statement: str, *values: Any) -> Any:
        """Run a statement with ``?`` for its values; returns a cursor whose rows are found by column name."""

    @abstractmethod
    def run_many(self, statement: str, rows: Iterable[tuple[Any, ...]]) -> None:
        """Run a statement once for each row of values."""

    @abstractmethod
    def run_returning(self, statement: str, rows: Iterable[tuple[Any, ...]]) -> list[int]:
        """Run a statement once for each row of values; returns the `id` that each returns."""

    @abstractmethod
    def among(self, values: Sequence[Any]) -> tuple[str, Any]:
        """Return what stands after a column that is to be one of these values, and with which value."""

    @abstractmethod
    def to_time(self, moment: datetime) -> Any:
        """Say a moment as the database keeps it, such that moments compare."""

    @abstractmethod
    def from_time(self, value: Any) -> datetime:
        """Read what `to_time` wrote."""

    @abstractmethod
    def to_vector(self, embedding: NDArray[np.float32]) -> Any:
        """Say an embedding (dim,) as the database keeps it."""

    @abstractmethod
    def from_vector(self, value: Any) -> NDArray[np.float32]:
        """Read what `to_vector` wrote, to the bit."""

    @abstractmethod
    def candidates(self, query: NDArray[np.float32], *, top: int, exact: bool = False) -> NDArray[np.int64]:
        """Return the ids of the people among whom the `top` nearest to a query (dim,) are; in no order.

        Expired people are among them. All ids if there are no more than `top`. `exact` compares everybody,
        where the database would ask an index that may miss somebody.
        """

    @abstractmethod
    def note_changes(self, generation: int, speaker_ids: Collection[int]) -> None:
        """Remember who changed in a generation, where something derived from the tables has to catch up."""

    def header(self) -> Header:
        """Return the store's id, generation and model."""
        row = self.run("SELECT id, generation, model_id, dim, require_consent FROM store").fetchone()
        if row is None:
            raise self.damage("its header row is missing")
        return Header(
            id=bytes(row["id"]),
            generation=row["generation"],
            model_id=row["model_id"],
            dim=row["dim"],
            require_consent=bool(row["require_consent"]),
        )

    def claim(self, model_id: str, dim: int) -> None:
        """Make the store one of this model's voiceprints."""
        header = self.header()
        if (header.model_id, header.dim) != (model_id, dim):
            self.run("UPDATE store SET model_id = ?, dim = ?", model_id, dim)

    def write_require_consent(self, required: bool) -> None:
        """Say whether nobody may be enrolled without consent."""
        self.run("UPDATE store SET require_consent = ?", required)

    def keep(self, speaker_id: int, key: str, content: bytes, until: datetime) -> None:
        """Keep something about a person, in the place of what was kept under the same key."""
        self.run(
            "INSERT INTO kept (speaker_id, key, content, until) VALUES (?, ?, ?, ?) "
            "ON CONFLICT (speaker_id, key) DO UPDATE SET content = excluded.content, until = excluded.until",
            speaker_id,
            key,
            content,
            self.to_time(until),
        )

    def kept(self, speaker_id: int, key: str, moment: datetime) -> bytes | None:
        """Return what is kept about a person under a key at a moment."""
        row = self.run(
            "SELECT content FROM kept WHERE speaker_id = ? AND key = ? AND until > ?",
            speaker_id,
            key,
            self.to_time(moment),
        ).fetchone()
        return None if row is None else bytes(row["content"])

    def forget_kept(self, speaker_id: int) -> None:
        """Delete what is kept about a person."""
        self.run("DELETE FROM kept WHERE speaker_id = ?", speaker_id)

    def sweep_kept(self, moment: datetime) -> int:
        """Delete what was to be kept until a moment that has passed; returns how much that was."""
        return int(self.run("DELETE FROM kept WHERE until <= ?", self.to_time(moment)).rowcount)

    def log_changes(self, speaker_ids: Collection[int]) -> None:
        """Begin a new generation, in which these speakers changed."""
        # Counted in nanoseconds of the clock, so that a restored backup never reaches again a number
        # that an index of the lost history carries.
        generation = max(self.header().generation + 1, time.time_ns())
        self.run("UPDATE store SET generation = ?", generation)
        self.note_changes(generation, speaker_ids)

    def find(self, name: str) -> int | None:
        """Return the id of a person, or None."""
        row = self.run("SELECT id FROM speakers WHERE name = ?", name).fetchone()
        return None if row is None else int(row["id"])

    def find_all(self, names: Sequence[str]) -> dict[str, int]:
        """Return the ids of those of these people who are enrolled."""
        one_of, value = self.among(names)
        rows = self.run(f"SELECT name, id FROM speakers WHERE name {one_of}", value)
        return {row["name"]: int(row["id"]) for row in rows}

    def names(self) -> list[str]:
        """Return everybody's name, in the order of their code points."""
        return [row["name"] for row in self.run("SELECT name FROM speakers ORDER BY name")]

    def count(self) -> int:
        """Return how many people are enrolled."""
        return int(self.run("SELECT count(*) AS n FROM speakers").fetchone()["n"])

    def totals(self) -> tuple[int, int, float]:
        """Return the number of speakers, of utterances, and their seconds of speech."""
        row = self.run(
            "SELECT count(*) AS people, coalesce(sum(n_utterances), 0) AS clips, "
            "coalesce(sum(seconds_of_speech), 0.0) AS seconds FROM speakers"
        ).fetchone()
        return int(row["people"]), int(row["clips"]), float(row["seconds"])

    def enrollment(self, speaker_id: int, *, duplicates: tuple[str, ...] = ()) -> Enrollment:
        """Read one person."""
        return self.enrollments_of([speaker_id], duplicates=duplicates)[speaker_id]

    def enrollments(self) -> list[Enrollment]:
        """Read everybody, in the order of the code points of their names."""
        header = self.header()
        rows = self.run(
            "SELECT * FROM speakers LEFT JOIN terms ON terms.speaker_id = speakers.id ORDER BY name"
        )
        return [self._enrollment(row, header, ()) for row in rows]

    def enrollments_of(
        self, speaker_ids: Sequence[int], *, duplicates: tuple[str, ...] = ()
    ) -> dict[int, Enrollment]:
        """Read people by their ids."""
        header = self.header()
        one_of, value = self.among(speaker_ids)
        rows = self.run(
            "SELECT * FROM speakers LEFT JOIN terms ON terms.speaker_id = speakers.id "
            f"WHERE speakers.id {one_of}",
            value,
        )
        return {row["id"]: self._enrollment(row, header, duplicates) for row in rows}

    def utterances(self, speaker_id: int, dim: int) -> list[EnrolledUtterance]:
        """Read one person's clips, in the order they were added."""
        return self.utterances_of([speaker_id], dim)[speaker_id]

    def utterances_of(self, speaker_ids: Sequence[int], dim: int) -> dict[int, list[EnrolledUtterance]]:
        """Read people's clips by their ids, in the order they were added."""
        one_of, value = self.among(speaker_ids)
        found: dict[int, list[EnrolledUtterance]] = {speaker_id: [] for speaker_id in speaker_ids}
        for row in self.run(f"SELECT * FROM utterances WHERE speaker_id {one_of} ORDER BY id", value):
            found[row["speaker_id"]].append(self._utterance(row, dim))
        return found

    def insert_speakers(self, people: Sequence[SpeakerRow]) -> list[int]:
        """Insert people; returns their ids."""
        return self.run_returning(
            _SPEAKER,
            (
                (
                    person.name,
                    person.notes,
                    self.to_time(person.created),
                    self.to_time(person.updated),
                    person.n_utterances,
                    person.seconds_of_speech,
                    self.to_vector(person.centroid),
                )
                for person in people
            ),
        )

    def update_speaker(self, speaker_id: int, person: SpeakerRow) -> None:
        """Change a person; empty notes leave the old ones, and name and creation stay."""
        self.run(
            "UPDATE speakers SET updated = ?, n_utterances = ?, seconds_of_speech = ?, centroid = ?, "
            "notes = coalesce(nullif(?, ''), notes) WHERE id = ?",
            self.to_time(person.updated),
            person.n_utterances,
            person.seconds_of_speech,
            self.to_vector(person.centroid),
            person.notes,
            speaker_id,
        )

    def write_terms(self, terms: Iterable[tuple[int, Consent | None, datetime | None]]) -> None:
        """Write down what people (by id) agreed to, in the place of what was written before."""
        self.run_many(
            _TERMS,
            (
                (
                    speaker_id,
                    None if consent is None else consent.by,
                    None if consent is None else consent.purpose,
                    None if consent is None else self.to_time(consent.given),
                    None if expires is None else self.to_time(expires),
                )
                for speaker_id, consent, expires in terms
            ),
        )

    def expired(self, moment: datetime) -> dict[int, str]:
        """Return ids and names of people whose voiceprints may not be used any more."""
        found = self.run(
            "SELECT id, name FROM terms JOIN speakers ON id = speaker_id WHERE expires <= ? ORDER BY name",
            self.to_time(moment),
        )
        return {row["id"]: row["name"] for row in found}

    def opted_out(self, name: str) -> datetime | None:
        """Return since when somebody does not want to be enrolled, or None."""
        row = self.run("SELECT since FROM opt_outs WHERE name = ?", name).fetchone()
        return None if row is None else self.from_time(row["since"])

    def opted_out_among(self, names: Sequence[str]) -> set[str]:
        """Return who of these people does not want to be enrolled."""
        one_of, value = self.among(names)
        return {row["name"] for row in self.run(f"SELECT name FROM opt_outs WHERE name {one_of}", value)}

    def opt_outs(self) -> dict[str, datetime]:
        """Return who opted out, in the order of the code points of their names, and since when."""
        rows = self.run("SELECT name, since FROM opt_outs ORDER BY name")
        return {row["name"]: self.from_time(row["since"]) for row in rows}

    def write_opt_out(self, name: str, since: datetime) -> None:
        """Note that somebody does not want to be enrolled; who has said so keeps their time."""
        self.run(
            "INSERT INTO opt_outs (name, since) VALUES (?, ?) ON CONFLICT DO NOTHING",
            name,
            self.to_time(since),
        )

    def delete_opt_out(self, name: str) -> bool:
        """Forget that somebody opted out; returns whether they had."""
        return bool(self.run("DELETE FROM opt_outs WHERE name = ?", name).rowcount > 0)

    def insert_utterances(self, clips: Iterable[tuple[int, EnrolledUtterance, datetime]]) -> None:
        """Insert clips of people (by id); the time stands in where a clip carries none of its own."""
        self.run_many(
            _UTTERANCE,
            (
                (
                    speaker_id,
                    bytes.fromhex(clip.clip_sha256),
                    file_name(clip.source),
                    clip.quality.seconds,
                    clip.quality.seconds_of_speech,
                    clip.quality.level_dbfs,
                    clip.quality.clipped,
                    clip.quality.snr_db,
                    self.to_time(clip.added or added),
                    self.to_vector(clip.embedding),
                )
                for speaker_id, clip, added in clips
            ),
        )

    def delete_utterances(self, speaker_id: int) -> None:
        """Delete all clips of one person."""
        self.run("DELETE FROM utterances WHERE speaker_id = ?", speaker_id)

    def delete_speaker(self, speaker_id: int) -> None:
        """Delete a person and all their clips."""
        self.run("DELETE FROM speakers WHERE id = ?", speaker_id)

    def rename(self, speaker_id: int, name: str, updated: datetime) -> None:
        """Give a person another name."""
        self.run(
            "UPDATE speakers SET name = ?, updated = ? WHERE id = ?", name, self.to_time(updated), speaker_id
        )

    def nearest(
        self, speaker_ids: NDArray[np.int64], query: NDArray[np.float32], *, moment: datetime
    ) -> list[StoreHit]:
        """Score those of these people who have not expired against a query (dim,).

        Best first, equal scores in the order of names.
        """
        one_of, value = self.among(speaker_ids.tolist())
        people = self.run(
            "SELECT name, n_utterances, centroid FROM speakers LEFT JOIN terms ON speaker_id = id "
            f"WHERE id {one_of} AND (expires IS NULL OR expires > ?)",
            value,
            self.to_time(moment),
        ).fetchall()
        if not people:
            return []
        scores = cosine([self._embedding(person["centroid"], len(query)) for person in people], query)
        found = [
            StoreHit(name=person["name"], score=score, n_utterances=person["n_utterances"])
            for person, score in zip(people, scores.tolist(), strict=True)
        ]
        return sorted(found, key=lambda hit: (-hit.score, hit.name))

    def checked(self, embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
        """Refuse values that are not finite: no voice has them."""
        if not np.isfinite(embeddings).all():
            raise self.damage("an embedding holds values that are not finite")
        return embeddings.astype(np.float32)

    def _embedding(self, value: Any, dim: int) -> NDArray[np.float32]:
        embedding = self.from_vector(value)
        if embedding.shape != (dim,):
            raise self.damage(f"an embedding has {len(embedding)} dimensions, not {dim}")
        return self.checked(embedding)

    def _enrollment(self, row: Mapping[str, Any], header: Header, duplicates: tuple[str, ...]) -> Enrollment:
        return Enrollment(
            name=row["name"],
            n_utterances=row["n_utterances"],
            seconds_of_speech=row["seconds_of_speech"],
            model_id=header.model_id or "",
            created=self.from_time(row["created"]),
            updated=self.from_time(row["updated"]),
            notes=row["notes"],
            centroid=self._embedding(row["centroid"], header.dim or 0),
            duplicates=duplicates,
            consent=self._consent(row),
            expires=self._time_or_none(row["expires"]),
        )

    def _utterance(self, row: Mapping[str, Any], dim: int) -> EnrolledUtterance:
        return EnrolledUtterance(
            embedding=self._embedding(row["embedding"], dim),
            clip_sha256=bytes(row["clip_sha256"]).hex(),
            source=row["source"],
            quality=ClipQuality(
                seconds=row["seconds"],
                seconds_of_speech=row["seconds_of_speech"],
                level_dbfs=row["level_dbfs"],
                clipped=row["clipped"],
                snr_db=row["snr_db"],
            ),
            added=self.from_time(row["added"]),
        )

    def _consent(self, row: Mapping[str, Any]) -> Consent | None:
        if row["consent_by"] is None:
            return None
        return Consent(
            by=row["consent_by"],
            purpose=row["consent_purpose"],
            given=self.from_time(row["consent_given"]),
        )

    def _time_or_none(self, value: Any) -> datetime | None:
        return None if value is None else self.from_time(value)
