"""What a store does when bytes flip, files go missing, processes fork and disks fail."""

from __future__ import annotations

import os
import random
import resource
import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from store_voices import DIM, MODEL, clips, open_store, vector

from voiceprint.errors import (
    SpeakerNotFoundError,
    StoreDamagedError,
    StoreError,
    VoiceprintError,
)
from voiceprint.store import Consent, EnrollmentStore, VoiceprintRecord

AGREED = Consent(by="ada", purpose="calls", given=datetime(2026, 1, 31, tzinfo=UTC))
LATER = datetime(2100, 1, 1, tzinfo=UTC)
DATABASE = "voiceprints.sqlite3"
PEOPLE = 6


@pytest.fixture
def path(tmp_path: Path) -> Path:
    folder = tmp_path / "store"
    with open_store(folder) as store:
        for person in range(PEOPLE):
            store.add(f"person {person}", clips(person, 1 + person % 3), consent=AGREED, expires=LATER)
        store.opt_out("zoe")
        store.keep("person 1", "key", b"answer", until=LATER)
    return folder


def answers(store: EnrollmentStore) -> list[object]:
    """Everything that a store says, or the errors that it raises instead."""
    questions: list[Callable[[], object]] = [
        store.names,
        store.opt_outs,
        lambda: store.requires_consent,
        lambda: len(store),
        lambda: store.opted_out("zoe"),
        lambda: store.keepsake("person 1", "key"),
        lambda: store.stats().n_utterances,
        lambda: [said(record) for record in store.export_records()],
    ]
    for person in range(PEOPLE):
        name, query = f"person {person}", vector(person, 7)
        questions += [
            lambda name=name: store.get(name).centroid.tobytes(),  # type: ignore[misc]
            lambda query=query: store.search(query, top=3),  # type: ignore[misc]
        ]
    return [answer_of(question) for question in questions]


def answer_of(question: Callable[[], object]) -> object:
    try:
        return question()
    except VoiceprintError as error:
        return error


def said(record: VoiceprintRecord) -> tuple[object, ...]:
    clips = [(c.embedding.tobytes(), c.clip_sha256, c.source, c.quality, c.added) for c in record.utterances]
    facts = (record.name, record.notes, record.created, record.updated, record.consent, record.expires)
    return (*facts, clips)


def test_a_flipped_bit_in_any_column_is_told(path: Path) -> None:
    """Bytes of every column of every table, one bit each: never another answer than before."""
    connection = sqlite3.connect(path / DATABASE, isolation_level=None)
    rng = random.Random(5)
    with open_store(path) as store:
        right = answers(store)
        for table, column, row, value in cells(connection):
            for changed in flipped(value, rng):
                statement = f"UPDATE {table} SET {column} = ? WHERE rowid = ?"
                connection.execute(statement, (changed, row))
                found = answers(store)
                told = [one for one in found if isinstance(one, StoreDamagedError)]
                for before, now in zip(right, found, strict=True):
                    assert before == now or isinstance(now, StoreDamagedError), (table, column, changed)
                assert told or table == "kept", (table, column)
                assert store.problems() != [], (table, column)
                connection.execute(statement, (value, row))
        assert answers(store) == right
        assert store.problems() == []
    connection.close()


def test_damage_where_a_name_is_looked_up_lets_nobody_in(path: Path) -> None:
    connection = sqlite3.connect(path / DATABASE, isolation_level=None)
    connection.execute("UPDATE voiceprints SET bucket = bucket + 1")
    connection.close()
    with open_store(path) as store:
        with pytest.raises((StoreDamagedError, SpeakerNotFoundError)):
            store.get("person 0")
        with pytest.raises(StoreDamagedError):
            store.search(vector(0, 0), top=1)
        assert store.problems() != []


def test_damage_where_an_opt_out_is_looked_up_enrolls_nobody(path: Path) -> None:
    connection = sqlite3.connect(path / DATABASE, isolation_level=None)
    connection.execute("UPDATE refusals SET bucket = bucket + 1")
    connection.close()
    with open_store(path) as store:
        voiceprint = replace(next(store.export_records(["person 1"])), name="zoe")
        for ask in (
            lambda: store.add("zoe", clips(8)),
            lambda: store.rename("person 1", "zoe"),
            lambda: store.import_records([voiceprint], model_id=MODEL, dim=DIM),
            lambda: store.opted_out("zoe"),
        ):
            with pytest.raises(StoreDamagedError):
                ask()
        assert "zoe" not in store


def test_what_is_kept_for_a_damaged_person_is_not_said_to_be_nothing(path: Path) -> None:
    connection = sqlite3.connect(path / DATABASE, isolation_level=None)
    connection.execute("UPDATE kept SET speaker_id = speaker_id + 1")
    connection.close()
    with open_store(path) as store, pytest.raises(StoreDamagedError):
        store.keepsake("person 1", "key")


@pytest.mark.parametrize("erase", ["remove", "opt_out"])
def test_whoever_the_index_of_names_does_not_find_is_not_said_to_be_gone(path: Path, erase: str) -> None:
    """A damaged entry of that index, which looking a name up reads, and reading everybody does not."""
    connection = sqlite3.connect(path / DATABASE, isolation_level=None)
    root = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'voiceprints_bucket'")
    page, size = root.fetchone()[0], connection.execute("PRAGMA page_size").fetchone()[0]
    buckets = connection.execute("SELECT id, bucket FROM voiceprints").fetchall()
    connection.close()
    wrong, bucket = buckets[2]
    content = bytearray((path / DATABASE).read_bytes())
    start = (page - 1) * size
    entry = bucket.to_bytes(3 if bucket > 0x7FFF else 2, "big")
    at = content.index(entry, start, start + size)
    content[at + len(entry) - 1] ^= 1
    (path / DATABASE).write_bytes(content)
    with open_store(path) as store:
        assert f"person {wrong - 1}" not in store
        with pytest.raises(StoreDamagedError):
            getattr(store, erase)(f"person {wrong - 1}")


def cells(connection: sqlite3.Connection) -> list[tuple[str, str, int, object]]:
    """Every column of the first row of every table but for what rows are found by, and padding."""
    found = []
    for table in ("store", "voiceprints", "refusals", "kept"):
        for _, column, *_ in connection.execute(f"PRAGMA table_info({table})").fetchall():
            if column not in ("only", "id", "padding", "bucket", "speaker_id") or table == "store":
                if column == "only":
                    continue
                query = f"SELECT rowid, {column} FROM {table} ORDER BY rowid LIMIT 1"
                row, value = connection.execute(query).fetchone()
                found.append((table, column, row, value))
    return found


def flipped(value: object, rng: random.Random) -> list[object]:
    """The value with one bit flipped, in some of its bytes."""
    if isinstance(value, int):
        return [value ^ 1 << rng.randrange(40)]
    if isinstance(value, float):
        return [value + 1e-9, -value]
    if value is None:
        return [5]
    content = value.encode() if isinstance(value, str) else bytes(value)  # type: ignore[call-overload]
    used = len(content.rstrip(b"\0"))
    changed: list[object] = []
    for at in sorted(rng.sample(range(used), min(used, 12))):
        flip = bytearray(content)
        flip[at] ^= 1 << rng.randrange(7)
        changed.append(flip.decode() if isinstance(value, str) else bytes(flip))
    return changed


def test_flipped_bits_in_the_file_change_no_answer(path: Path, tmp_path: Path) -> None:
    """One bit of the bytes around a stored voice, wherever they stand in the file."""
    sound = (path / DATABASE).read_bytes()
    with open_store(path, read_only=True) as store:
        right = answers(store)
    rng = random.Random(7)
    start = sound.index(vector(4, 0).tobytes()) & ~4095
    told = 0
    for number in range(60):
        at = start + rng.randrange(4 if number < 5 else 1500)
        folder = Path(shutil.copytree(path, tmp_path / f"flipped {number}"))
        flipped_file = bytearray(sound)
        flipped_file[at] ^= 1 << rng.randrange(8)
        (folder / DATABASE).write_bytes(flipped_file)
        with open_store(folder, read_only=True) as store:
            found = answers(store)
        told += any(isinstance(one, StoreDamagedError) for one in found)
        for before, now in zip(right, found, strict=True):
            assert before == now or isinstance(now, StoreDamagedError), at
    assert told > 20  # the rest is the padding behind what is stored


# processes and files


def test_a_schema_that_is_no_text_is_told(path: Path) -> None:
    file = path / DATABASE
    content = file.read_bytes().replace(b"tablekept", b"table\xa0ept")
    file.write_bytes(content.replace(b"CREATE TABLE kept", b"CREATE TABLX kept"))
    for read_only in (False, True):
        with pytest.raises(StoreDamagedError, match="its schema is damaged"):
            open_store(path, read_only=read_only)


def test_a_store_is_refused_in_a_forked_process(path: Path, place: str) -> None:
    store = open_store(place)
    store.add("ada", clips(1))
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        said = str(answer_of(lambda: store.add("bert", clips(2)))) + str(answer_of(store.names))
        store.close()
        os.write(writing, said.encode())
        os._exit(0)
    os.waitpid(child, 0)
    told = os.read(reading, 10_000).decode()
    assert told.count("was opened by process") == 2
    assert "open it again in this process" in told
    assert store.add("cleo", clips(3)).name == "cleo"
    assert store.names() == ["ada", "cleo"]
    store.close()


@pytest.fixture
def left_behind(path: Path, tmp_path: Path) -> Path:
    """The files of a store as a killed process leaves them: its last change is in the log only."""
    with open_store(path) as store:
        store.add("newest", clips(99))
        return Path(shutil.copytree(path, tmp_path / "left"))


def test_a_log_that_is_there_is_read(left_behind: Path) -> None:
    with open_store(left_behind) as store:
        assert "newest" in store


@pytest.mark.parametrize("read_only", [True, False])
@pytest.mark.parametrize("lost", [["-wal"], ["-wal", "-shm"]])
def test_a_lost_log_is_told(left_behind: Path, lost: list[str], read_only: bool) -> None:
    for end in lost:
        (left_behind / f"{DATABASE}{end}").unlink()
    with pytest.raises(StoreDamagedError, match="its write-ahead log was lost") as caught:
        open_store(left_behind, read_only=read_only)
    assert "voiceprints.generation" in caught.value.advice


@pytest.mark.parametrize("read_only", [True, False])
def test_a_log_without_its_database_is_no_new_store(left_behind: Path, read_only: bool) -> None:
    (left_behind / DATABASE).unlink()
    with pytest.raises(StoreDamagedError, match=r"it is missing, but voiceprints\.sqlite3-wal is there"):
        open_store(left_behind, read_only=read_only)
    assert not (left_behind / DATABASE).exists()


# errors of the disk, before, in and after a commit


class Failing:
    """A connection on which one statement fails."""

    def __init__(self, connection: sqlite3.Connection, statement: str, code: int) -> None:
        self._connection, self._statement, self._code = connection, statement, code

    def __getattr__(self, name: str) -> object:
        return getattr(self._connection, name)

    def execute(
        self, statement: str, *values: tuple[str | bytes | int | float | None, ...]
    ) -> sqlite3.Cursor:
        if statement.startswith(self._statement):
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = self._code
            raise error
        return self._connection.execute(statement, *values)


@pytest.mark.parametrize(
    ("statement", "code", "message"),
    [
        ("BEGIN IMMEDIATE", sqlite3.SQLITE_IOERR, "disk I/O error; nothing was changed"),
        ("COMMIT", sqlite3.SQLITE_IOERR, "whether the change was made is not known"),
        ("COMMIT", sqlite3.SQLITE_IOERR_FSYNC, "whether the change was made is not known"),
        ("COMMIT", sqlite3.SQLITE_IOERR_WRITE, "disk I/O error; nothing was changed"),
        ("COMMIT", sqlite3.SQLITE_FULL, "the disk is full; nothing was changed"),
        ("PRAGMA wal_checkpoint", sqlite3.SQLITE_IOERR, "'person 1' was removed, but old bytes remain"),
        ("PRAGMA wal_checkpoint", sqlite3.SQLITE_FULL, "'person 1' was removed, but old bytes remain"),
    ],
)
def test_an_error_says_what_became_of_the_change(path: Path, statement: str, code: int, message: str) -> None:
    with open_store(path) as store:
        database = store._backend._database  # type: ignore[attr-defined]
        connection = database._connection
        database._connection = Failing(connection, statement, code)
        with pytest.raises(StoreError, match=message) as caught:
            store.remove("person 1")
        database._connection = connection
        assert ("person 1" in store) == ("old bytes" not in message)
        assert "nothing was changed" in str(caught.value) or "nothing was changed" not in message
        assert not ("nothing was changed" in str(caught.value) and "person 1" not in store)


def test_a_store_without_room_to_be_written_is_read(path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1024, hard))
    try:
        with open_store(path) as store:
            assert len(store.names()) == PEOPLE
            assert store.search(vector(1, 0), top=1)[0].name == "person 1"
            with pytest.raises(StoreError, match="nothing was changed"):
                store.remove("person 1")
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
            assert store.remove("person 1").name == "person 1"
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
