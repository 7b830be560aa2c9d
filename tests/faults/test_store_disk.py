"""Full disks, damaged files, folders that cannot be written."""

import os
import resource
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import faiss  # noqa: F401  (imported while this process may still read everything)
import numpy as np
import pytest
from store_voices import DIM, MODEL, clip, clips, open_store, vector

from voiceprint.errors import StoreDamagedError, StoreError, StoreReadOnlyError
from voiceprint.store import EnrollmentStore, read_export, write_export
from voiceprint.store.sqlite.backend import SqliteBackend

PEOPLE = 40


@pytest.fixture(scope="module")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "store"
    with open_store(folder) as store:
        for person in range(PEOPLE):
            store.add(f"person {person}", clips(person))
        store.search(vector(1, 0), top=1)
    return folder


@pytest.fixture
def path(made_once: Path, tmp_path: Path) -> Path:
    """A closed store with some people and an index."""
    return Path(shutil.copytree(made_once, tmp_path / "store"))


def check_whole(folder: Path, n_people: int = PEOPLE) -> None:
    with open_store(folder) as store:
        assert store.problems() == []
        assert len(store.names()) == n_people
        for person in range(n_people):
            assert store.get(f"person {person}").n_utterances == 2
            assert store.search(vector(person, 0), top=1)[0].name == f"person {person}"


def one_line(caught: pytest.ExceptionInfo[Exception]) -> bool:
    message = str(caught.value)
    return bool(message) and "\n" not in message and "Traceback" not in message


# a full disk


def test_a_file_that_may_not_grow_loses_nothing(path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    store = open_store(path)
    done = PEOPLE
    resource.setrlimit(resource.RLIMIT_FSIZE, (64 * 1024, hard))
    try:
        with pytest.raises(StoreError, match="nothing was changed; check that the disk has room") as caught:
            for person in range(PEOPLE, 10_000):
                store.add(f"person {person}", clips(person))
                done = person + 1
        with pytest.raises(StoreError):
            store.add("somebody else", clips(9999, 40))
        store.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert one_line(caught)
    assert done > PEOPLE
    check_whole(path, done)


def test_a_full_disk_says_so(path: Path) -> None:
    store = open_store(path)
    assert isinstance(store._backend, SqliteBackend)
    pages = store._backend._database._connection.execute("PRAGMA page_count").fetchone()[0]
    store._backend._database._connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StoreError, match="the disk is full; nothing was changed; make room") as caught:
        store.add("somebody", clips(99, 100))
    assert one_line(caught)
    assert store.search(vector(7, 0), top=1)[0].name == "person 7"
    store.close()
    check_whole(path)


def test_an_index_that_cannot_be_written_is_no_error(path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    (path / "voiceprints.faiss").unlink()
    store = open_store(path)
    store.search(vector(1, 0), top=1)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1024, hard))
    try:
        store.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(path.glob("*.faiss*")) == []
    check_whole(path)
    assert (path / "voiceprints.faiss").exists()


# damage


def _use_everything(folder: Path) -> None:
    with open_store(folder) as store:
        store.search(vector(1, 0), top=1)
        for name in store.names():
            store.get(name)
            store.utterances(name)
        store.everybody()
        store.keep("person 1", "key", b"answer", until=datetime(2100, 1, 1, tzinfo=UTC))
        store.opt_out("nobody")
        store.add("somebody", clips(99))


@pytest.mark.parametrize("content", [b"", b"x", b"not a database" * 1000, os.urandom(20_000)])
def test_a_database_that_is_none_is_told(path: Path, content: bytes) -> None:
    (path / "voiceprints.sqlite3").write_bytes(content)
    with pytest.raises(StoreDamagedError, match=r"is damaged .*restore it from a backup.*import") as caught:
        _use_everything(path)
    assert one_line(caught)
    assert caught.value.path == str(path)
    assert (path / "voiceprints.sqlite3").read_bytes() == content


def test_a_database_cut_off_is_told(path: Path) -> None:
    database = path / "voiceprints.sqlite3"
    database.write_bytes(database.read_bytes()[: database.stat().st_size // 2])
    with pytest.raises(StoreDamagedError, match="is damaged"):
        _use_everything(path)


def test_overwritten_pages_are_told_or_do_not_matter(path: Path) -> None:
    database = path / "voiceprints.sqlite3"
    sound = database.read_bytes()
    told = 0
    for start in range(0, len(sound), 4096):
        database.write_bytes(sound[:start] + b"\xff" * 4096 + sound[start + 4096 :])
        for rest in ("-wal", "-shm"):
            database.with_name(database.name + rest).unlink(missing_ok=True)
        try:
            _use_everything(path)
        except StoreDamagedError:
            told += 1
    assert told >= len(sound) // 4096 - 4


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE voiceprints SET content = x'00' WHERE id = 3",
        "UPDATE voiceprints SET content = zeroblob(4092) WHERE id = 3",
        "UPDATE voiceprints SET bucket = 1 - bucket WHERE id = 3",
        "UPDATE voiceprints SET n_utterances = 3 WHERE id = 3",
        "UPDATE voiceprints SET seconds_of_speech = 1e9 WHERE id = 3",
        "UPDATE voiceprints SET expires = 'one day' WHERE id = 3",
        "UPDATE voiceprints SET id = 500 WHERE id = 3",
        "UPDATE voiceprints SET content = (SELECT content FROM voiceprints WHERE id = 4) WHERE id = 3",
        "DELETE FROM voiceprints WHERE id = 3",
        "DELETE FROM store",
        "UPDATE store SET generation = generation + 1",
        "UPDATE store SET model_id = 'b'",
        "UPDATE store SET dim = 16",
        "UPDATE store SET n_speakers = 1",
        "UPDATE store SET require_consent = 1",
    ],
)
def test_rows_that_are_not_what_they_should_be_are_told(path: Path, statement: str) -> None:
    connection = sqlite3.connect(path / "voiceprints.sqlite3")
    connection.execute(statement)
    connection.commit()
    connection.close()
    with pytest.raises(StoreDamagedError, match="is damaged"):
        _use_everything(path)


def test_a_database_of_another_program_is_left_alone(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "voiceprints.sqlite3")
    connection.execute("CREATE TABLE cookies (name)")
    connection.close()
    with pytest.raises(StoreDamagedError, match="the database of another program"):
        open_store(tmp_path)


def test_a_newer_format_is_refused(path: Path) -> None:
    connection = sqlite3.connect(path / "voiceprints.sqlite3")
    connection.execute("PRAGMA user_version = 9")
    connection.close()
    with pytest.raises(StoreError, match=r"has format 9, made by a newer voiceprint.*upgrade"):
        open_store(path)


@pytest.mark.parametrize("damage", ["missing", "empty", "cut", "flipped", "header", "other", "folder"])
def test_a_damaged_index_is_rebuilt(path: Path, tmp_path: Path, damage: str) -> None:
    index = path / "voiceprints.faiss"
    sound = bytearray(index.read_bytes())
    index.unlink()
    if damage == "empty":
        index.touch()
    elif damage == "cut":
        index.write_bytes(sound[:-100])
    elif damage == "flipped":
        sound[-10] ^= 1
        index.write_bytes(sound)
    elif damage == "header":
        index.write_bytes(b"\x00" * 64 + sound[64:])
    elif damage == "folder":
        index.mkdir()
    elif damage == "other":
        with open_store(tmp_path / "other") as other:
            for person in range(PEOPLE):
                other.add(f"{person}", clips(person + 500))
            other.search(vector(1), top=1)
        foreign = (tmp_path / "other" / "voiceprints.faiss").read_bytes()
        index.write_bytes(foreign[:24] + sound[24:32] + foreign[32:])  # even if the generation were the same
    check_whole(path)


def test_an_index_of_a_lost_history_is_rebuilt(path: Path, tmp_path: Path) -> None:
    backup = tmp_path / "backup.sqlite3"
    shutil.copy(path / "voiceprints.sqlite3", backup)
    with open_store(path) as store:
        for person in (0, 1):
            store.add(f"person {person}", clips(777 + person), mode="replace")
        store.search(vector(1), top=1)
    shutil.copy(backup, path / "voiceprints.sqlite3")
    with pytest.raises(
        StoreDamagedError, match=r"its last changes are missing.*delete .*voiceprints\.generation"
    ):
        open_store(path)
    (path / "voiceprints.generation").unlink()  # as the message says
    with open_store(path) as store:
        store.rename("person 5", "somebody")
        store.rename("somebody", "person 5")  # as many changes as the lost history had
    check_whole(path)


def test_a_store_replaced_while_open_is_noticed(path: Path, tmp_path: Path) -> None:
    store = open_store(path)
    shutil.move(path, tmp_path / "elsewhere")
    shutil.copytree(tmp_path / "elsewhere", path)
    with pytest.raises(StoreError, match="was deleted or replaced while it was open; open it again"):
        store.add("somebody", clips(99))
    assert isinstance(store._backend, SqliteBackend)
    store._backend._database.close()


# read-only


@pytest.fixture
def unwritable(path: Path) -> Iterator[Path]:
    """The store in a folder that may not be written, seen by a user who is not root."""
    root = Path(tempfile.mkdtemp())
    folder = root / "store"
    shutil.copytree(path, folder)
    for file in folder.iterdir():
        file.chmod(0o444)
    folder.chmod(0o555)
    root.chmod(0o755)
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)  # root may write everywhere
    try:
        yield folder
    finally:
        os.seteuid(user)
        folder.chmod(0o755)
        shutil.rmtree(root)


def test_a_store_that_cannot_be_written_still_answers(unwritable: Path) -> None:
    before = sorted(unwritable.iterdir())
    with open_store(unwritable) as store:
        assert store.read_only
        assert len(store.names()) == PEOPLE
        assert store.get("person 3").n_utterances == 2
        assert store.search(vector(3, 0), top=1)[0].name == "person 3"
        with pytest.raises(StoreReadOnlyError, match="open for reading only") as caught:
            store.add("somebody", clips(99))
        assert one_line(caught)
    assert sorted(unwritable.iterdir()) == before


def test_changes_left_in_a_log_are_never_overlooked(path: Path, tmp_path: Path) -> None:
    writer = open_store(path)
    writer.add("person 40", clips(40))
    copy = tmp_path / "copy"
    copy.mkdir()
    for file in path.iterdir():
        if not file.name.endswith("-shm"):
            shutil.copy(file, copy)
    writer.close()
    assert (copy / "voiceprints.sqlite3-wal").stat().st_size > 0
    root = Path(tempfile.mkdtemp())
    root.chmod(0o755)
    shutil.copytree(copy, root / "store")
    for file in (root / "store").iterdir():
        file.chmod(0o444)
    (root / "store").chmod(0o555)
    user = os.geteuid()
    try:
        if user == 0:
            os.seteuid(65534)
        with pytest.raises(StoreError, match=r"its last changes are still in voiceprints\.sqlite3-wal"):
            open_store(root / "store")
    finally:
        os.seteuid(user)
        (root / "store").chmod(0o755)
        shutil.rmtree(root)
    check_whole(copy, 41)


def test_an_unwritable_store_that_its_owner_changes_is_read_anew(unwritable: Path) -> None:
    user = os.geteuid()
    reader = open_store(unwritable)
    assert reader.search(vector(1, 0), top=1)[0].name == "person 1"
    os.seteuid(os.getuid())
    for file in [unwritable, *unwritable.iterdir()]:
        file.chmod(0o755 if file.is_dir() else 0o644)
    with open_store(unwritable) as writer:
        writer.add("person 40", [clip(40, 0)])
    os.seteuid(user)
    assert reader.search(vector(40, 0), top=1)[0].name == "person 40"
    reader.close()


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "store"):
        with pytest.raises(StoreError) as caught:
            open_store(folder)
        assert one_line(caught)


# export files


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a sound export"),
        (b"PK\x03\x04 not a zip", "not a sound export"),
        (b"\xff\xfe", "not a sound export"),
        (b"[]", "'{' is missing"),
        (b"{}", "its format is not 'voiceprint-export'"),
        (b"[" * 100_000, "not a sound export"),
        (b'{"format": "voiceprint-export", "version": 2}', "version is 2"),
        (b'{"format": "voiceprint-export", "version": 1}', "speakers is missing"),
        (b'{"format": "voiceprint-export", "version": 1, "speakers": [3]}', "model_id is missing"),
        (
            b'{"format": "voiceprint-export", "version": 1, "model_id": "m", "dim": 2, "speakers": [3]}',
            "an object with 'name' is a int",
        ),
    ],
)
def test_an_unfit_export_file_is_told(tmp_path: Path, content: bytes, message: str) -> None:
    file = tmp_path / "voices.json"
    file.write_bytes(content)
    with pytest.raises(StoreError, match=message) as caught:
        list(read_export(file).records)
    assert one_line(caught)


def test_an_export_with_pickled_arrays_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "voices.npz"
    np.savez(file, document=np.array([{}], dtype=object), embeddings=np.zeros((1, 2), np.float32))
    with pytest.raises(StoreError, match="not a sound export"):
        read_export(file)


def test_an_export_that_cannot_be_written_keeps_the_old_one(path: Path, tmp_path: Path) -> None:
    file = tmp_path / "voices.json"
    file.write_text("old")
    with EnrollmentStore.open(path) as store:
        records = list(store.export_records())
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        with pytest.raises(StoreError, match="cannot write the export"):
            write_export(file, records, model_id=MODEL, dim=DIM)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert file.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir() if "voices" in entry.name] == ["voices.json"]
