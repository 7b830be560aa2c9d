"""The tables in SQLite: a person is one sealed row, and a log says who changed, for the index."""

from __future__ import annotations

import hashlib
import json
import math
import sqlite3
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import islice
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from voiceprint.scoring import centroid
from voiceprint.store.records import Enrollment, VoiceprintRecord
from voiceprint.store.seen import from_bytes, to_bytes
from voiceprint.store.sqlite import voice
from voiceprint.store.sqlite.audio_rows import AUDIO, AudioRows
from voiceprint.store.sqlite.generation_rows import STAGED, GenerationRows
from voiceprint.store.sqlite.header import read_header, to_row
from voiceprint.store.sqlite.keepsake_rows import KEEPSAKES, KeepsakeRows
from voiceprint.store.sqlite.sealed import Sealed, seal
from voiceprint.store.sqlite.sealed_rows import AMONG, SealedRows, to_time
from voiceprint.store.tables import CENTROID_TOLERANCE, Header, Summary, Tables

MAX_LOGGED_CHANGES = 100_000
"""An index further behind than this is quicker rebuilt than brought up to date."""

_CHANGES_A_SWEEP = 100  # on average, between two times that the log is shortened
_ROWS_AT_A_TIME = 20_000
_LAST_ID = 2**63 - 1

_PEOPLE = (
    "SELECT id, bucket, n_utterances, seconds_of_speech, expires, "
    "(SELECT model FROM earlier WHERE speaker_id = id) AS model, content FROM voiceprints"
)
_PUT = (
    "INSERT INTO voiceprints (id, bucket, n_utterances, seconds_of_speech, expires, content) "
    "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET bucket = excluded.bucket, "
    "n_utterances = excluded.n_utterances, seconds_of_speech = excluded.seconds_of_speech, "
    "expires = excluded.expires, content = excluded.content"
)
_REFUSALS = "SELECT id, bucket, content FROM refusals"
_RECORDINGS = "SELECT speaker_id, content FROM recordings"


class CentroidIndex(Protocol):
    """What finds the nearest centroids: `LiveIndex`, which is always level with these tables."""

    def candidates(
        self, tables: SqliteTables, query: NDArray[np.float32], *, top: int, exact: bool
    ) -> NDArray[np.int64]:
        """Return the ids of who may be nearest, as of the tables' transaction."""


class SqliteTables(AudioRows, GenerationRows, KeepsakeRows, Tables):
    """The tables as one transaction of an SQLite connection sees them.

    Parameters
    ----------
    connection : sqlite3.Connection
        In a transaction, with `sqlite3.Row` rows.
    index : CentroidIndex or None
        The index of their centroids; None, while a store is migrated, is enough for all but searching.
    """

    keeps_speech = True

    def __init__(self, connection: sqlite3.Connection, index: CentroidIndex | None = None) -> None:
        SealedRows.__init__(self, connection)
        Tables.__init__(self)
        self._index = index
        self._refused: dict[str, datetime] | None = None  # as read in this transaction
        self._header: Header | None = None
        # Not in the header yet: clips that came, and their seconds of speech.
        self._clips, self._seconds = 0, 0.0
        self._inserted: dict[str, int] = {}
        self._inserted_from: int | None = None

    def header(self) -> Header:
        """Return the header, whose checksum is right; it is read once for each transaction."""
        if self._header is None:
            self._header = read_header(self._connection)
        return self._header

    def write_header(self, header: Header) -> None:
        """Write the header anew, with its checksum, and what came and went until now."""
        n_utterances, seconds = self.totals()
        header = replace(header, n_utterances=n_utterances, seconds_of_speech=seconds)
        self._clips, self._seconds = 0, 0.0
        self.run(
            "UPDATE store SET id = ?, generation = ?, model_id = ?, dim = ?, n_speakers = ?, "
            "require_consent = ?, n_utterances = ?, seconds_of_speech = ?, checksum = ?",
            *to_row(header),
        )
        self._header = header

    def create_header(self, header: Header) -> None:
        """Insert the header of a new store."""
        self.run("INSERT INTO store VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?)", *to_row(header))

    def find_all(self, names: Sequence[str]) -> dict[str, int]:
        """Look in the names' buckets; who came in this transaction is known without reading their rows."""
        wanted = set(names)
        ids = {name: self._inserted[name] for name in wanted if name in self._inserted}
        buckets = json.dumps([_bucket(name) for name in wanted - ids.keys()])
        before = _LAST_ID if self._inserted_from is None else self._inserted_from
        for row, sealed in self._unsealed(f"{_PEOPLE} WHERE bucket {AMONG} AND id < ?", buckets, before):
            if sealed.key in wanted:
                ids[sealed.key] = row["id"]
        return ids

    def find_by_all_means(self, name: str) -> int | None:
        """Look in the name's bucket, and in all rows where it is not there."""
        statement = f"{_PEOPLE} NOT INDEXED WHERE bucket = ?"
        ids = (row["id"] for row, sealed in self._unsealed(statement, _bucket(name)) if sealed.key == name)
        known = self.find(name)
        return known if known is not None else next(ids, None)

    def names(self) -> list[str]:
        """Return everybody's name, in the order of their code points."""
        return sorted(name for name, _ in self._everybody())

    def ids(self) -> list[int]:
        """Return everybody's id, in the order of the code points of their names."""
        return [speaker_id for _, speaker_id in sorted(self._everybody())]

    def totals(self) -> tuple[int, float]:
        """Return the number of utterances, and their seconds of speech, as the header says."""
        header = self.header()
        n_utterances = header.n_utterances + self._clips
        return n_utterances, header.seconds_of_speech + self._seconds if n_utterances else 0.0

    def counts(self) -> list[tuple[int, float]]:
        """Read everybody's clips and seconds of speech, of rows whose checksums are right."""
        return [(row["n_utterances"], row["seconds_of_speech"]) for row, _ in self._unsealed(_PEOPLE)]

    def read(self, speaker_ids: Sequence[int]) -> dict[int, VoiceprintRecord]:
        """Read whole voiceprints."""
        people = {
            row["id"]: voice.to_record(sealed, self._vectors_of(row, sealed)[1:])
            for row, sealed in self._people(speaker_ids)
        }
        wanted = json.dumps(list(people))
        for row, sealed in self._unsealed(f"{_RECORDINGS} WHERE speaker_id {AMONG}", wanted):
            people[row["speaker_id"]] = from_bytes(people[row["speaker_id"]], sealed.body)
        return people

    def summaries(self, speaker_ids: Sequence[int]) -> list[Summary]:
        """Read what ranking needs."""
        return [
            Summary(
                name=sealed.key,
                n_utterances=row["n_utterances"],
                centroid=self._vectors_of(row, sealed)[0],
                expires=None if row["expires"] is None else datetime.fromisoformat(row["expires"]),
            )
            for row, sealed in self._people(speaker_ids)
        ]

    def enrollments_of(self, speaker_ids: Sequence[int] | None) -> dict[int, Enrollment]:
        """Read people."""
        present = self.header().model_id or ""
        if speaker_ids is None:
            people = list(self._unsealed(_PEOPLE))
            self.all_there(len(people))
        else:
            people = list(self._people(speaker_ids))
        return {
            row["id"]: voice.to_enrollment(
                sealed,
                self._vectors_of(row, sealed),
                model_id=present if row["model"] is None else self._model(row["model"]).model_id,
            )
            for row, sealed in people
        }

    def write(self, speaker_id: int, record: VoiceprintRecord, *, same_clips: bool = False) -> None:
        """Write the person's row anew, whatever changed."""
        self._will_change(speaker_id)
        model = self._earlier_model(speaker_id) if same_clips else None
        if not same_clips:
            self.run("DELETE FROM earlier WHERE speaker_id = ?", speaker_id)
            self.unstage([speaker_id])
        self.insert_as([speaker_id], [record], model=model)
        if not same_clips:
            self._write_audio([speaker_id], [record])
        self.write_recordings(speaker_id, record)

    def write_as_earlier(self, speaker_id: int, record: VoiceprintRecord, model_id: str) -> None:
        """Write a person as they are, whose voiceprint will be that of an earlier model."""
        (number,) = (number for number, model in self._noted.items() if model.model_id == model_id)
        self._will_change(speaker_id)
        self.run("INSERT OR REPLACE INTO earlier VALUES (?, ?)", speaker_id, number)
        self.insert_as([speaker_id], [record], model=number)

    def write_recordings(self, speaker_id: int, record: VoiceprintRecord) -> None:
        """Write the row of the recordings anew, or delete it."""
        self.run("DELETE FROM recordings WHERE speaker_id = ?", speaker_id)
        self._insert_recordings([speaker_id], [record])

    def insert_as(
        self, speaker_ids: Sequence[int], records: Sequence[VoiceprintRecord], *, model: int | None = None
    ) -> None:
        """Insert people under given ids, which nobody has; `model` is the number of an earlier one."""
        each = zip(speaker_ids, records, _centroids(records), strict=True)
        rows = [self._row(*one, model=model) for one in each]
        self._connection.executemany(_PUT, rows)
        self._clips += sum(row[2] for row in rows)
        self._seconds += sum(row[3] for row in rows)

    def start_ids_at(self, last: int) -> None:
        """Give nobody an id up to this one any more."""
        self.run("UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = 'voiceprints'", last)
        if not self.run("SELECT 1 FROM sqlite_sequence WHERE name = 'voiceprints'").fetchone():
            self.run("INSERT INTO sqlite_sequence VALUES ('voiceprints', ?)", last)

    def expired(self, moment: datetime) -> dict[int, str]:
        """Return who may not be used any more."""
        rows = self._unsealed(f"{_PEOPLE} WHERE expires <= ?", to_time(moment))
        people = {row["id"]: sealed.key for row, sealed in rows}
        return dict(sorted(people.items(), key=lambda person: person[1]))

    def opted_out_among(self, names: Sequence[str]) -> dict[str, datetime]:
        """Look among all: where a row is damaged, nobody can say that it is not theirs."""
        if self._refused is None:
            self._refused = self.opt_outs()
        return {name: self._refused[name] for name in names if name in self._refused}

    def opt_outs(self) -> dict[str, datetime]:
        """Return who opted out, in the order of the code points of their names."""
        return dict(sorted((name, since) for _, name, since in self._opt_outs()))

    def write_opt_out(self, name: str, since: datetime) -> None:
        """Note that somebody does not want to be enrolled."""
        facts = self._next_id("refusals"), _bucket(name)
        content = seal(facts, key=name, text=to_time(since), body=b"", page_size=self._page_size)
        self.run("INSERT INTO refusals (id, bucket, content) VALUES (?, ?, ?)", *facts, content)
        self._refused = None

    def delete_opt_out(self, name: str) -> bool:
        """Forget that somebody opted out."""
        ids = [number for number, refused, _ in self._opt_outs() if refused == name]
        for number in ids:
            self.run("DELETE FROM refusals WHERE id = ?", number)
        self._refused = None
        return bool(ids)

    def candidates(self, query: NDArray[np.float32], *, top: int, exact: bool = False) -> NDArray[np.int64]:
        """Ask the index who may be nearest."""
        if self._index is None:
            return np.empty(0, dtype=np.int64)
        return self._index.candidates(self, query, top=top, exact=exact)

    def note_changes(self, generation: int, speaker_ids: Collection[int]) -> None:
        """Log who changed (0 for a change that concerns no voice), and forget the oldest of the log."""
        self._connection.executemany(
            "INSERT INTO changes VALUES (?, ?)", ((generation, i) for i in speaker_ids or [0])
        )
        # Once in a while: to find the oldest, the log is walked.
        if generation % _CHANGES_A_SWEEP == 0:
            self.run(
                "DELETE FROM changes WHERE generation < "
                "(SELECT generation FROM changes ORDER BY generation DESC LIMIT 1 OFFSET ?)",
                MAX_LOGGED_CHANGES,
            )

    def changes_since(self, generation: int) -> list[int] | None:
        """Return the ids of who changed after a generation; None if the log does not know it (any more)."""
        if self.run("SELECT 1 FROM changes WHERE generation = ?", generation).fetchone() is None:
            return None
        rows = self.run("SELECT DISTINCT speaker_id FROM changes WHERE generation > ?", generation)
        return [row["speaker_id"] for row in rows]

    def centroids(
        self, dim: int, *, only: Sequence[int] | None = None, after: int = 0
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
        """Yield ids (n,) and centroids (n, dim), of those of the given ids who exist or of all after one."""
        everybody = self._unsealed(f"{_PEOPLE} WHERE id > ? ORDER BY id", after)
        found = everybody if only is None else self._people(only)
        people = ((row, sealed) for row, sealed in found if row["model"] is None)
        size, read = dim * voice.FLOAT32.itemsize, 0
        while rows := [(row["id"], sealed.body[:size]) for row, sealed in islice(people, _ROWS_AT_A_TIME)]:
            if any(len(blob) != size for _, blob in rows):
                raise self.damage(f"a centroid does not have {dim} dimensions")
            read += len(rows)
            ids = np.fromiter((row[0] for row in rows), dtype=np.int64, count=len(rows))
            voices = np.frombuffer(b"".join(blob for _, blob in rows), dtype=voice.FLOAT32)
            yield ids, voices.reshape(len(rows), dim).astype(np.float32, copy=False)
        if only is None and after == 0:
            self.all_there(read + self.earlier_count())

    def problems(self) -> list[str]:
        """Read everything, and recompute each centroid; one line per problem."""
        problems, seen, rows = [], set(), list[tuple[int, float]]()
        header = self.header()
        for row, sealed in self._unsealed(_PEOPLE):
            vectors = self._vectors_of(row, sealed)
            record = voice.to_record(sealed, vectors[1:])
            if not np.allclose(centroid(vectors[1:]), vectors[0], atol=CENTROID_TOLERANCE):
                problems.append(f"the centroid of {sealed.key!r} is not that of their clips")
            if row["bucket"] != _bucket(sealed.key) or len(record.utterances) != row["n_utterances"]:
                problems.append(f"the row of {sealed.key!r} is not what it should be")
            if sealed.key in seen:
                problems.append(f"{sealed.key!r} is there twice")
            seen.add(sealed.key)
            rows.append((row["n_utterances"], row["seconds_of_speech"]))
        if not self._counted(rows):
            problems.append("the clips that are there are not as many, or as long, as were noted")
        if len(seen) != header.n_speakers:
            problems.append(f"{len(seen)} people are there where {header.n_speakers} were noted")
        self.opt_outs()
        self.earlier()
        for statement in (KEEPSAKES, _RECORDINGS, AUDIO, STAGED):
            for _ in self._unsealed(statement):
                pass
        return problems

    def _insert(self, records: Sequence[VoiceprintRecord]) -> list[int]:
        first = self._next_id("voiceprints")
        ids = list(range(first, first + len(records)))
        self.insert_as(ids, records)
        self._insert_recordings(ids, records)
        self._write_audio(ids, records)
        if self._inserted_from is None:
            self._inserted_from = first
        self._inserted.update(zip((record.name for record in records), ids, strict=True))
        return ids

    def _insert_recordings(self, ids: Sequence[int], records: Sequence[VoiceprintRecord]) -> None:
        known = ((i, to_bytes(record)) for i, record in zip(ids, records, strict=True))
        self._connection.executemany(
            "INSERT INTO recordings (speaker_id, content) VALUES (?, ?)",
            ((i, seal((i,), key="", text="", body=c, page_size=self._page_size)) for i, c in known if c),
        )

    def _will_change(self, speaker_id: int) -> None:
        """Take a row out of the totals; look into all rows again if it came in this transaction."""
        for row, _ in self._people([speaker_id]):
            self._clips -= row["n_utterances"]
            self._seconds -= row["seconds_of_speech"]
        if self._inserted_from is not None and speaker_id >= self._inserted_from:
            self._inserted, self._inserted_from = {}, None

    def _delete(self, speaker_id: int) -> None:
        self._will_change(speaker_id)
        self.forget_keepsakes(speaker_id)
        for table in ("recordings", "audio", "staged", "earlier"):
            self.run(f"DELETE FROM {table} WHERE speaker_id = ?", speaker_id)
        self.run("DELETE FROM voiceprints WHERE id = ?", speaker_id)

    def _row(
        self, speaker_id: int, record: VoiceprintRecord, mean: NDArray[np.float32], *, model: int | None
    ) -> tuple[Any, ...]:
        vectors = [mean, *(clip.embedding for clip in record.utterances)]
        facts = (
            speaker_id,
            _bucket(record.name),
            len(record.utterances),
            float(sum(clip.quality.seconds_of_speech for clip in record.utterances)),
            None if record.expires is None else to_time(record.expires),
        )
        content = seal(
            facts if model is None else (*facts, model),
            key=record.name,
            text=voice.to_text(record),
            body=b"".join(np.asarray(vector, dtype=voice.FLOAT32).tobytes() for vector in vectors),
            page_size=self._page_size,
        )
        return *facts, content

    def _people(self, speaker_ids: Sequence[int]) -> Iterator[tuple[sqlite3.Row, Sealed]]:
        return self._unsealed(f"{_PEOPLE} WHERE id {AMONG}", json.dumps(list(speaker_ids)))

    def _vectors_of(self, row: sqlite3.Row, sealed: Sealed) -> NDArray[np.float32]:
        """Return the vectors (1 + n, dim) of a person's row, by whichever model."""
        return self._vectors(
            sealed, (self.header().dim or 0) if row["model"] is None else self._model(row["model"]).dim
        )

    def _earlier_model(self, speaker_id: int) -> int | None:
        row = self.run("SELECT model FROM earlier WHERE speaker_id = ?", speaker_id).fetchone()
        return None if row is None else int(row["model"])

    def _counted(self, rows: Sequence[tuple[int, float]]) -> bool:
        """Whether clips and seconds of all people are what the header says, but for rounding."""
        n_utterances, seconds = self.totals()
        summed = math.fsum(of_one for _, of_one in rows)
        return sum(count for count, _ in rows) == n_utterances and math.isclose(
            summed, seconds, rel_tol=1e-6, abs_tol=1e-6
        )

    def _everybody(self) -> list[tuple[str, int]]:
        """Read everybody's name and id."""
        people = [(sealed.key, row["id"]) for row, sealed in self._unsealed(_PEOPLE)]
        self.all_there(len(people))
        return people

    def _opt_outs(self) -> list[tuple[int, str, datetime]]:
        rows = self._unsealed(_REFUSALS)
        return [(row["id"], sealed.key, datetime.fromisoformat(sealed.text)) for row, sealed in rows]


def _centroids(records: Sequence[VoiceprintRecord]) -> Iterator[NDArray[np.float32]]:
    """Yield the centroid (dim,) of each voiceprint; those of as many clips are computed together."""
    alike: dict[int, list[int]] = {}
    for place, record in enumerate(records):
        alike.setdefault(len(record.utterances), []).append(place)
    means: dict[int, NDArray[np.float32]] = {}
    for places in alike.values():
        clips = [[clip.embedding for clip in records[place].utterances] for place in places]
        means.update(zip(places, centroid(np.array(clips)), strict=True))
    return (means[place] for place in range(len(records)))


def _bucket(name: str) -> int:
    """Return the two bytes under which a name is sought: one name in 65,536 has them, so they betray none."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=2).digest(), "little")
