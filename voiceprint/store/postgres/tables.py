"""The tables in PostgreSQL: a person in one row, clips in others; embeddings are pgvector's, float32 too."""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pgvector import Vector

from voiceprint.scoring import centroid
from voiceprint.store.accepted import AcceptedClaims
from voiceprint.store.candidates import candidates_of
from voiceprint.store.postgres.clip_rows import to_vector
from voiceprint.store.postgres.database import Rows
from voiceprint.store.postgres.model_rows import ModelRows
from voiceprint.store.postgres.schema import INDEX, SCHEMA_VERSION
from voiceprint.store.records import Consent, Enrollment, VoiceprintRecord
from voiceprint.store.seen import from_bytes, to_bytes
from voiceprint.store.tables import CENTROID_TOLERANCE, Header, Summary

HNSW_FROM = 100_000
"""People from whom on the index is searched; up to there, comparing with everybody takes no longer
(``scripts/benchmark_store``, docs/explanation/growing.md)."""

CANDIDATES = 1000
"""People whom the index names, all scored again in full precision; also `hnsw.ef_search`, at its most."""

MOST_FROM_INDEX = 40
"""Where more are wanted, everybody is compared: so far down, the index has left people out."""

_BATCH = 500  # people read at a time

_ERROR = 1e-5  # of two sums of products in float32, in another order than ours

_PEOPLE = "SELECT * FROM speakers LEFT JOIN terms ON terms.speaker_id = speakers.id"
_WITH_CLAIMS = " LEFT JOIN claims ON claims.speaker_id = speakers.id"
_WITH_MODELS = " LEFT JOIN earlier ON earlier.speaker_id = speakers.id LEFT JOIN models ON number = model"
_PRESENT = "NOT EXISTS (SELECT FROM earlier WHERE speaker_id = {people}.id)"
_CLAIMS = "INSERT INTO claims (speaker_id, weight, total, squares, latest) VALUES (?, ?, ?, ?, ?)"
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
_KEEP = (
    "INSERT INTO kept (speaker_id, key, content, until) VALUES (?, ?, ?, ?) "
    "ON CONFLICT (speaker_id, key) DO UPDATE SET content = excluded.content, until = excluded.until"
)


class PostgresTables(ModelRows):
    """The tables as one transaction of a PostgreSQL connection sees them.

    Parameters
    ----------
    connection : psycopg.Connection
        In a transaction, with rows as dicts.
    version : int
        Of the schema: an older store that is only read lacks the newest tables.
    """

    def __init__(self, connection: Rows, *, version: int = SCHEMA_VERSION) -> None:
        super().__init__(connection, knows_models=version >= 5)
        self._people = _PEOPLE + _WITH_CLAIMS * (version >= 3) + _WITH_MODELS * self._knows_models
        self._knows_recordings = version >= 4

    def header(self) -> Header:
        """Return the header."""
        row = self.run(
            "SELECT id, generation, model_id, dim, n_speakers, require_consent FROM store"
        ).fetchone()
        if row is None:
            raise self.damage("its header row is missing")
        return Header(**{**row, "id": bytes(row["id"])})

    def write_header(self, header: Header) -> None:
        """Write the header anew."""
        self.run(
            "UPDATE store SET generation = ?, model_id = ?, dim = ?, n_speakers = ?, require_consent = ?",
            header.generation,
            header.model_id,
            header.dim,
            header.n_speakers,
            header.require_consent,
        )

    def find_all(self, names: Sequence[str]) -> dict[str, int]:
        """Return the ids of those of these people who are enrolled."""
        rows = self.run("SELECT name, id FROM speakers WHERE name = ANY(?)", list(names))
        return {row["name"]: int(row["id"]) for row in rows}

    def names(self) -> list[str]:
        """Return everybody's name, in the order of their code points."""
        return [row["name"] for row in self.run("SELECT name FROM speakers ORDER BY name")]

    def ids(self) -> list[int]:
        """Return everybody's id, in the order of the code points of their names."""
        return [int(row["id"]) for row in self.run("SELECT id FROM speakers ORDER BY name")]

    def totals(self) -> tuple[int, float]:
        """Return the number of utterances, and their seconds of speech."""
        row = self.run(
            "SELECT coalesce(sum(n_utterances), 0) AS clips, "
            "coalesce(sum(seconds_of_speech), 0.0) AS seconds FROM speakers"
        ).fetchone()
        return int(row["clips"]), float(row["seconds"])

    def read(self, speaker_ids: Sequence[int]) -> dict[int, VoiceprintRecord]:
        """Read whole voiceprints."""
        rows = {row["id"]: row for row in self._rows(speaker_ids)}
        dim = self.header().dim
        clips = self._read_clips({who: _dim(row, dim) for who, row in rows.items()}, table="utterances")
        people = {who: VoiceprintRecord(utterances=clips[who], **_facts(row)) for who, row in rows.items()}
        if self._knows_recordings:
            for row in self.run("SELECT * FROM recordings WHERE speaker_id = ANY(?)", list(rows)):
                people[row["speaker_id"]] = self._with_recordings(people[row["speaker_id"]], row["content"])
        return people

    def summaries(self, speaker_ids: Sequence[int]) -> list[Summary]:
        """Read what ranking needs."""
        dim = self.header().dim
        return [
            Summary(
                name=row["name"],
                n_utterances=row["n_utterances"],
                centroid=self._embedding(row["centroid"], _dim(row, dim)),
                expires=row["expires"],
            )
            for row in self._rows(speaker_ids)
        ]

    def enrollments_of(self, speaker_ids: Sequence[int] | None) -> dict[int, Enrollment]:
        """Read people."""
        header = self.header()
        return {
            row["id"]: Enrollment(
                n_utterances=row["n_utterances"],
                seconds_of_speech=row["seconds_of_speech"],
                model_id=row.get("model_id") or header.model_id or "",
                centroid=self._embedding(row["centroid"], _dim(row, header.dim)),
                **_facts(row),
            )
            for row in self._rows(speaker_ids)
        }

    def write(self, speaker_id: int, record: VoiceprintRecord, *, same_clips: bool = False) -> None:
        """Write a person anew; clips only where they are others."""
        self.run(
            "UPDATE speakers SET name = ?, notes = ?, created = ?, updated = ?, n_utterances = ?, "
            "seconds_of_speech = ?, centroid = ? WHERE id = ?",
            *_row(record),
            speaker_id,
        )
        self._write_terms([(speaker_id, record)])
        self.run("DELETE FROM claims WHERE speaker_id = ?", speaker_id)
        self._insert_claims([(speaker_id, record)])
        if not same_clips:
            self._forget_generation(speaker_id)
            self._delete_clips([speaker_id], table="utterances")
            self._insert_clips([(speaker_id, record)], into="utterances")
        self.write_recordings(speaker_id, record)

    def write_recordings(self, speaker_id: int, record: VoiceprintRecord) -> None:
        """Write the row of the recordings anew, or delete it."""
        self.run("DELETE FROM recordings WHERE speaker_id = ?", speaker_id)
        self._insert_recordings([(speaker_id, record)])

    def expired(self, moment: datetime) -> dict[int, str]:
        """Return who may not be used any more."""
        rows = self.run(
            "SELECT id, name FROM terms JOIN speakers ON id = speaker_id WHERE expires <= ? ORDER BY name",
            moment,
        )
        return {row["id"]: row["name"] for row in rows}

    def opted_out_among(self, names: Sequence[str]) -> dict[str, datetime]:
        """Return who of these people does not want to be enrolled."""
        rows = self.run("SELECT name, since FROM opt_outs WHERE name = ANY(?)", list(names))
        return {row["name"]: row["since"] for row in rows}

    def opt_outs(self) -> dict[str, datetime]:
        """Return who opted out, in the order of the code points of their names."""
        return {row["name"]: row["since"] for row in self.run("SELECT * FROM opt_outs ORDER BY name")}

    def write_opt_out(self, name: str, since: datetime) -> None:
        """Note that somebody does not want to be enrolled."""
        self.run("INSERT INTO opt_outs (name, since) VALUES (?, ?)", name, since)

    def delete_opt_out(self, name: str) -> bool:
        """Forget that somebody opted out."""
        return bool(self.run("DELETE FROM opt_outs WHERE name = ?", name).rowcount > 0)

    def keep(self, speaker_id: int, key: str, content: bytes, until: datetime) -> None:
        """Store a keepsake."""
        self.run(_KEEP, speaker_id, key, content, until)

    def keepsake(self, speaker_id: int, key: str, moment: datetime) -> bytes | None:
        """Return a keepsake."""
        row = self.run(
            "SELECT content FROM kept WHERE speaker_id = ? AND key = ? AND until > ?", speaker_id, key, moment
        ).fetchone()
        return None if row is None else bytes(row["content"])

    def forget_keepsakes(self, speaker_id: int) -> None:
        """Delete a person's keepsakes."""
        self.run("DELETE FROM kept WHERE speaker_id = ?", speaker_id)

    def sweep_keepsakes(self, moment: datetime) -> int:
        """Delete keepsakes whose time was over at a moment."""
        return int(self.run("DELETE FROM kept WHERE until <= ?", moment).rowcount)

    def candidates(self, query: NDArray[np.float32], *, top: int, exact: bool = False) -> NDArray[np.int64]:
        """Compare with everybody, or, where there are many, with those whom the index names."""
        facts = self.run(
            "SELECT n_speakers, "
            "(SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(?)) AS indexed FROM store",
            INDEX,
        ).fetchone()
        size = int(facts["n_speakers"]) - self.earlier_count()
        use_index = not exact and bool(facts["indexed"]) and size >= HNSW_FROM and top <= MOST_FROM_INDEX

        def search(wanted: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
            rows = (self._indexed if use_index else self._exact)(to_vector(query), wanted).fetchall()
            scores = np.array([-row["distance"] for row in rows], dtype=np.float32)
            return scores, np.array([row["id"] for row in rows], dtype=np.int64)

        if use_index:
            # Until the transaction ends. The planner does not know what comparing everybody costs.
            self.run(
                "SELECT set_config('hnsw.ef_search', ?, true), set_config('enable_seqscan', 'off', true)",
                str(CANDIDATES),
            )
        error = _ERROR * float(np.linalg.norm(query))
        return candidates_of(search, size=size, top=top, error=error)

    def claim(self, model_id: str, dim: int) -> None:
        """Make the store one of this model's voiceprints; an index of other dimensions would refuse them."""
        if self.header().dim not in (None, dim):
            self.run(f"DROP INDEX IF EXISTS {INDEX}")
        super().claim(model_id, dim)

    def problems(self) -> list[str]:
        """Read everything, and recompute each centroid; one line per problem."""
        people = self.enrollments_of(None)
        ids, problems = list(people), []
        for start in range(0, len(ids), _BATCH):
            batch = ids[start : start + _BATCH]
            for speaker_id, record in self.read(batch).items():
                embeddings = [clip.embedding for clip in record.utterances]
                stored = people[speaker_id].centroid
                if embeddings and not np.allclose(
                    centroid(np.stack(embeddings)), stored, atol=CENTROID_TOLERANCE
                ):
                    problems.append(f"the centroid of {record.name!r} is not that of their clips")
        return problems

    def note_changes(self, generation: int, speaker_ids: Collection[int]) -> None:
        """Note nothing: the index is level with the tables by itself."""

    def _exact(self, query: Vector, wanted: int) -> Any:
        return self.run(
            f"SELECT id, centroid <#> ? AS distance FROM speakers {self._of_present('speakers')} "
            "ORDER BY distance LIMIT ?",
            query,
            wanted,
        )

    def _indexed(self, query: Vector, wanted: int) -> Any:
        dim = query.dimensions()
        half = f"halfvec({dim})"
        return self.run(
            "SELECT id, centroid <#> ? AS distance FROM (SELECT id, centroid FROM speakers "
            f"WHERE vector_dims(centroid) = {dim} "
            f"ORDER BY centroid::{half} <#> ?::{half} LIMIT {CANDIDATES}) AS near "
            f"{self._of_present('near')} ORDER BY distance LIMIT ?",
            query,
            query,
            wanted,
        )

    def _of_present(self, people: str) -> str:
        """SQL: only those whose voiceprint the present model made."""
        return f"WHERE {_PRESENT.format(people=people)}" if self._knows_models else ""

    def _rows(self, speaker_ids: Sequence[int] | None) -> Any:
        if speaker_ids is None:
            return self.run(self._people)
        return self.run(f"{self._people} WHERE speakers.id = ANY(?)", list(speaker_ids))

    def _insert(self, records: Sequence[VoiceprintRecord]) -> list[int]:
        if not records:
            return []
        with self._connection.cursor() as cursor:
            # Without waiting for one before the next.
            cursor.executemany(
                _SPEAKER.replace("?", "%s"), (_row(record) for record in records), returning=True
            )
            ids = [int(row["id"]) for result in cursor.results() for row in result]
        people = list(zip(ids, records, strict=True))
        self._insert_clips(people, into="utterances")
        self._write_terms(
            [person for person in people if person[1].consent is not None or person[1].expires is not None]
        )
        self._insert_claims(people)
        self._insert_recordings(people)
        return ids

    def _delete(self, speaker_id: int) -> None:
        self.run("DELETE FROM speakers WHERE id = ?", speaker_id)

    def _write_terms(self, people: Iterable[tuple[int, VoiceprintRecord]]) -> None:
        self._run_many(_TERMS, ((speaker_id, *_terms(record)) for speaker_id, record in people))

    def _insert_claims(self, people: Iterable[tuple[int, VoiceprintRecord]]) -> None:
        self._run_many(
            _CLAIMS,
            [
                (speaker_id, claims.weight, claims.total, claims.squares, claims.latest)
                for speaker_id, claims in ((each, record.claims) for each, record in people)
                if claims is not None
            ],
        )

    def _insert_recordings(self, people: Iterable[tuple[int, VoiceprintRecord]]) -> None:
        rows = [(speaker_id, to_bytes(record)) for speaker_id, record in people]
        known = [row for row in rows if row[1]]
        self._run_many("INSERT INTO recordings (speaker_id, content) VALUES (?, ?)", known)

    def _with_recordings(self, record: VoiceprintRecord, content: bytes) -> VoiceprintRecord:
        try:
            return from_bytes(record, bytes(content))
        except (ValueError, struct.error) as error:
            raise self.damage(f"the recordings of {record.name!r} are not what was written") from error


def _dim(row: Mapping[str, Any], present: int | None) -> int:
    """Return the dimensions of a person's embeddings: of their model, where that is not the present one."""
    return row.get("dim") or present or 0


def _row(record: VoiceprintRecord) -> tuple[Any, ...]:
    return (
        record.name,
        record.notes,
        record.created,
        record.updated,
        len(record.utterances),
        sum(clip.quality.seconds_of_speech for clip in record.utterances),
        to_vector(centroid(np.stack([clip.embedding for clip in record.utterances]))),
    )


def _terms(record: VoiceprintRecord) -> tuple[Any, ...]:
    consent = record.consent
    said = (None, None, None) if consent is None else (consent.by, consent.purpose, consent.given)
    return *said, record.expires


def _facts(row: Mapping[str, Any]) -> dict[str, Any]:
    """Read what a row of a person and their terms says in whole records too."""
    consent = None
    if row["consent_by"] is not None:
        consent = Consent(by=row["consent_by"], purpose=row["consent_purpose"], given=row["consent_given"])
    claims = None
    if row.get("weight") is not None:
        sums = ("weight", "total", "squares", "latest")
        claims = AcceptedClaims(**{field: row[field] for field in sums})
    same = ("name", "notes", "created", "updated", "expires")
    return {field: row[field] for field in same} | {"consent": consent, "claims": claims}
