"""What a folder promises beyond what every store does: its files, and what is left of a voice in them."""

import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from store_voices import bytes_of, clip, clips, open_store, traces, vector

from voiceprint.errors import SpeakerNotFoundError, StoreError
from voiceprint.store import EnrollmentStore, default_store_path
from voiceprint.store.sqlite.backend import SqliteBackend
from voiceprint.store.sqlite.tables import _PEOPLE


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def store(path: Path) -> Iterator[EnrollmentStore]:
    with open_store(path) as opened:
        yield opened


def test_replace_leaves_nothing_of_the_old_voice(path: Path) -> None:
    with open_store(path) as store:
        store.add("ada", clips(1, 3))
        store.search(vector(1, 0), top=1)
    with open_store(path) as store:
        replaced = store.add("ada", [clip(2, 0)], mode="replace")
        assert replaced.n_utterances == 1
        assert traces(path, "nobody", clips(1, 3)) == []
        assert store.search(vector(2, 0), top=1)[0].score == pytest.approx(1.0)


def test_remove_leaves_no_byte_behind(path: Path) -> None:
    name = "a name that nothing else in the store contains"
    with open_store(path) as store:
        for person in range(30):
            store.add(f"{person}", clips(person, 3))
        store.add(name, clips(99, 4), notes="a note on nobody else")
        store.search(vector(99, 0), top=1)
    assert len(traces(path, name, clips(99, 4))) == 9
    with open_store(path) as store:
        assert store.remove(name).n_utterances == 4
        assert traces(path, name, clips(99, 4)) == []
        assert b"a note on" not in (path / "voiceprints.sqlite3").read_bytes()
        assert store.search(vector(99, 0), top=1)[0].name != name
        with pytest.raises(SpeakerNotFoundError):
            store.get(name)
    assert traces(path, name, clips(99, 4)) == []
    assert len(traces(path, "12", clips(12, 3))) == 7


def test_the_centroid_of_a_removed_person_is_in_no_file(path: Path) -> None:
    with open_store(path) as store:
        store.add("bert", clips(2))
        centroid = store.add("ada", clips(1, 3)).centroid
        store.search(vector(1, 0), top=1)
    in_database, in_index = centroid.tobytes(), centroid.astype(np.float16).tobytes()
    assert in_database in bytes_of(path)
    assert in_index in (path / "voiceprints.faiss").read_bytes()
    with open_store(path) as store:
        store.remove("ada")
        assert _pieces_of(path, {in_database, in_index}) == set()
        store.search(vector(1, 0), top=1)
    assert _pieces_of(path, {in_database, in_index}) == set()
    assert (path / "voiceprints.faiss").exists()


def test_rename_keeps_the_voice_and_leaves_no_old_name(path: Path, store: EnrollmentStore) -> None:
    store.add("a rather distinctive name", clips(1))
    renamed = store.rename("a rather distinctive name", "ada")
    assert (renamed.name, renamed.n_utterances) == ("ada", 2)
    assert store.search(vector(1, 0), top=1)[0].name == "ada"
    assert traces(path, "a rather distinctive name", []) == []


def test_removal_says_so_when_a_reader_keeps_old_pages(
    path: Path, store: EnrollmentStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voiceprint.store.sqlite.backend.ERASE_SECONDS", 0.2)
    store.add("ada", clips(1))
    store.add("bert", clips(2))
    reader = sqlite3.connect(path / "voiceprints.sqlite3", isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM voiceprints").fetchone()
    with pytest.raises(
        StoreError, match=r"'ada' was removed, but old bytes remain .*: other processes were reading"
    ):
        store.remove("ada")
    assert store.names() == ["bert"]
    reader.close()
    store.erase()
    assert traces(path, "ada", clips(1)) == []


def test_looking_up_one_person_loads_no_index(path: Path) -> None:
    with open_store(path) as store:
        store.add("ada", clips(1))
    code = (
        "import sys\nfrom voiceprint.store import EnrollmentStore\n"
        f"with EnrollmentStore.open({str(path)!r}) as store:\n    store.get('ada')\n"
        "sys.exit('faiss' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_files_are_for_their_owner_only(path: Path) -> None:
    mask = os.umask(0)
    try:
        with open_store(path) as store:
            store.add("ada", clips(1))
            store.search(vector(1, 0), top=1)
            assert isinstance(store._backend, SqliteBackend)
            store._backend._live.save(store._backend.writing)
            modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.iterdir()}
    finally:
        os.umask(mask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o700
    names = ["voiceprints.faiss", "voiceprints.generation"] + [
        f"voiceprints.sqlite3{end}" for end in ("", "-shm", "-wal")
    ]
    assert modes == dict.fromkeys(names, 0o600)


def test_an_odd_folder_name_is_a_folder_name(tmp_path: Path) -> None:
    path = tmp_path / "a?mode=memory#b%20c ü"
    with open_store(path) as store:
        store.add("ada", clips(1))
    assert (path / "voiceprints.sqlite3").is_file()


def test_a_missing_store_is_not_made_by_looking(path: Path) -> None:
    with pytest.raises(StoreError, match=r"there is no store at .*store; enroll somebody first"):
        open_store(path, read_only=True)
    assert not path.exists()


def test_default_store_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOICEPRINT_STORE", str(tmp_path / "named"))
    assert default_store_path() == tmp_path / "named"
    monkeypatch.delenv("VOICEPRINT_STORE")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    named = default_store_path()
    assert isinstance(named, Path)
    assert named.is_absolute()
    assert named.name == "enrollments"
    (tmp_path / "enrollments").mkdir()
    assert Path(default_store_path()).resolve() == tmp_path / "enrollments"


def _pieces_of(path: Path, wanted: Iterable[bytes]) -> set[bytes]:
    everything = bytes_of(path)
    return {piece for piece in wanted if piece in everything}


@pytest.mark.parametrize("sweep", ["sweep_keepsakes", "remove_expired"])
def test_what_was_to_be_kept_until_now_leaves_the_files(
    path: Path, store: EnrollmentStore, sweep: str
) -> None:
    store.add("ada", clips(1))
    assert store.keep("ada", "key", b"what ada was answered", until=datetime.now(UTC))
    assert b"what ada was answered" in bytes_of(path)
    getattr(store, sweep)()
    assert b"what ada was answered" not in bytes_of(path)


def test_stats_count_the_bytes_of_all_files(path: Path, store: EnrollmentStore) -> None:
    store.add("ada", clips(1, 3))
    assert store.stats().bytes_on_disk == sum(file.stat().st_size for file in path.iterdir())


def test_rows_that_are_being_read_when_the_store_is_closed_end_without_an_error(path: Path) -> None:
    store = open_store(path)
    for person in range(3):
        store.add(f"{person}", clips(person, 1))
    backend = store._backend
    assert isinstance(backend, SqliteBackend)
    with backend.reading() as tables:
        rows = tables._unsealed(_PEOPLE)
        next(rows)
    store.close()
    rows.close()  # type: ignore[attr-defined]


def test_a_store_that_nobody_closes_is_closed_without_a_warning(path: Path) -> None:
    code = (
        "import sys\nfrom voiceprint.store import EnrollmentStore\n"
        "store = EnrollmentStore.open(sys.argv[1])\nstore.names()\ndel store"
    )
    command = [sys.executable, "-W", "error", "-X", "dev", "-c", code, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert [file.name for file in path.glob("*-wal")] == []
