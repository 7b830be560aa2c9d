"""The index of a folder: right whatever it is asked, level with the database, and empty of who is gone."""

import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from store_voices import DIM, MODEL, bytes_of, clip, clips, open_store, vector

from voiceprint.errors import StoreError
from voiceprint.store import EnrollmentStore, ImportMode, VoiceprintRecord
from voiceprint.store.sqlite import index as index_module
from voiceprint.store.sqlite.backend import SqliteBackend
from voiceprint.store.sqlite.index import SpeakerIndex
from voiceprint.store.sqlite.live_index import LiveIndex
from voiceprint.store.sqlite.rows import PlainRows, find_faiss, new_rows, read_rows

PEOPLE = 40


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A closed store with an index file."""
    with open_store(tmp_path / "store") as store:
        import_people(store, range(PEOPLE))
        store.search(vector(0), top=1)
    return tmp_path / "store"


@pytest.fixture
def sketching(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let small stores use the sketch."""
    monkeypatch.setattr(index_module, "SKETCH_FROM", 1000)
    monkeypatch.setattr(index_module, "_FIRST_CANDIDATES", 200)
    monkeypatch.setattr(index_module, "_SKETCHED_AT_A_TIME", 1500)


@pytest.fixture
def without_faiss(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Make FAISS seem not to be installed."""
    monkeypatch.setitem(sys.modules, "faiss", None)
    find_faiss.cache_clear()
    yield
    find_faiss.cache_clear()


@pytest.fixture
def no_rebuild(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail where an index is made anew from the whole database."""

    def refuse(*_: object) -> None:
        raise AssertionError("the index was rebuilt")

    monkeypatch.setattr(LiveIndex, "_rebuild", refuse)


def import_people(store: EnrollmentStore, numbers: Iterable[int], mode: ImportMode = "new") -> None:
    time = datetime(2026, 1, 1, tzinfo=UTC)
    records = [
        VoiceprintRecord(name=f"{n}", notes="", created=time, updated=time, utterances=(clip(n, 0),))
        for n in numbers
    ]
    store.import_records(records, model_id=MODEL, dim=DIM, mode=mode)


def units(rng: np.random.Generator, *shape: int, dim: int = DIM) -> NDArray[np.float32]:
    rows = rng.standard_normal((*shape, dim))
    unit: NDArray[np.float32] = (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)
    return unit


def voices(kind: str, rng: np.random.Generator, n: int) -> NDArray[np.float32]:
    """Unit vectors: alike in all directions, in few directions, around 30 points, or near one point."""
    if kind == "few directions":
        rows = rng.standard_normal((n, DIM)) * np.arange(1, DIM + 1) ** -0.8
    elif kind == "groups":
        rows = units(rng, 30)[rng.integers(30, size=n)] + 0.8 * units(rng, n)
    elif kind == "one mean":
        rows = units(rng, 1) + 0.7 * units(rng, n)
    else:
        rows = units(rng, n)
    unit: NDArray[np.float32] = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return unit


def filled(rows: NDArray[np.float32]) -> SpeakerIndex:
    index = SpeakerIndex(rows.shape[1])
    index.put(np.arange(1, len(rows) + 1), rows)
    return index


@pytest.mark.parametrize("kind", ["all directions", "few directions", "groups", "one mean"])
def test_the_sketch_finds_whom_comparing_everybody_finds(kind: str, sketching: None) -> None:
    rng = np.random.default_rng(5)
    rows = voices(kind, rng, 6000)
    index = filled(rows)
    enrolled = rows[:200] + 0.8 * units(rng, 200)
    queries = np.concatenate([enrolled, voices(kind, rng, 200)]).astype(np.float32)
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    missed, approximate = 0, 0
    for query in queries:
        right = np.argsort(-(rows @ query))[:10] + 1
        approximate += index._sketched(query, top=10, error=1e-3) is not None
        missed += len(set(right.tolist()) - set(index.candidates(query, top=10).tolist()))
    assert missed <= 0.0005 * 10 * len(queries)
    assert approximate > 0.5 * len(queries)


def test_where_a_thousand_voices_are_alike_everybody_is_compared(sketching: None) -> None:
    rng = np.random.default_rng(6)
    twins = units(rng, 1) + 1e-3 * units(rng, 3000)
    rows = np.concatenate([twins, units(rng, 3000)]).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    index = filled(rows)
    for _ in range(5):
        found = index.candidates(rows[0], top=10)
    right = np.argsort(-(rows @ rows[0]))[:10] + 1
    assert set(right.tolist()) <= set(found.tolist())


def test_exact_asks_no_sketch(sketching: None) -> None:
    index = filled(units(np.random.default_rng(1), 2000))
    for _ in range(4):
        index.candidates(vector(1), top=5, exact=True)
    before = index._sketch
    assert before is None
    for _ in range(4):
        index.candidates(vector(1), top=5)
    assert index._sketch is not None
    assert len(index._sketch) == 2000


def test_people_come_and_go_without_a_rebuild(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_module, "SKETCH_FROM", 300)
    monkeypatch.setattr(index_module, "_FIRST_CANDIDATES", 100)
    path = tmp_path / "store"
    with open_store(path) as store:
        import_people(store, range(1000))
        for _ in range(3):
            store.search(vector(0), top=3)
    with open_store(path) as reader, open_store(path) as writer:
        for _ in range(3):
            reader.search(vector(0), top=3)
        monkeypatch.setattr(LiveIndex, "_rebuild", None)
        writer.remove("7")
        writer.add("8", [clip(5008, 0)], mode="replace")
        writer.add("new", clips(6000))
        import_people(writer, range(7000, 7600))
        for store in (reader, writer):
            assert "7" not in {hit.name for hit in store.search(vector(7, 0), top=5)}
            assert store.search(vector(8, 0), top=1)[0].name != "8"
            assert store.search(vector(5008, 0), top=1)[0].name == "8"
            assert store.search(vector(6000, 0), top=1)[0].name == "new"
            assert [store.search(vector(n, 0), top=1)[0].name for n in (7000, 7599)] == ["7000", "7599"]
            assert len(store) == 1000 - 1 + 1 + 600


def test_a_removal_keeps_the_index_and_takes_one_voice_out_of_it(path: Path, no_rebuild: None) -> None:
    index = path / "voiceprints.faiss"
    before = index.stat().st_ino
    halves = {n: vector(n, 0).astype(np.float16).tobytes() for n in range(PEOPLE)}
    assert all(half in index.read_bytes() for half in halves.values())
    with open_store(path) as store:
        store.remove("3")
        store.add("4", [clip(404, 0)], mode="replace")
        content = index.read_bytes()
        assert [n for n, half in halves.items() if half not in content] == [3, 4]
        assert halves[3][:16] not in bytes_of(path)
    assert index.stat().st_ino == before
    with open_store(path) as store:
        assert store.search(vector(3, 0), top=1)[0].name != "3"
        assert store.search(vector(404, 0), top=1)[0].name == "4"
        assert len(store.search(vector(1), top=100)) == PEOPLE - 1


@pytest.mark.parametrize("writes", range(8))
def test_a_process_killed_while_it_strikes_out_leaves_the_rest_to_the_next(
    path: Path, monkeypatch: pytest.MonkeyPatch, writes: int
) -> None:
    store = open_store(path)
    given, left = os.pwrite, writes

    def die_after_some(descriptor: int, data: bytes, offset: int) -> int:
        nonlocal left
        if not left:
            raise KeyboardInterrupt
        left -= 1
        return given(descriptor, data, offset)

    monkeypatch.setattr("voiceprint.store.sqlite.index_file.os.pwrite", die_after_some)
    monkeypatch.setattr(LiveIndex, "save", lambda *_: None)
    try:
        store.add("5", [clip(505, 0)], mode="replace")
        store.remove("6")
    except KeyboardInterrupt:
        assert writes < 8
    monkeypatch.undo()
    assert isinstance(store._backend, SqliteBackend)
    store._backend._database.close()
    with open_store(path) as store:
        content = (path / "voiceprints.faiss").read_bytes()
        assert vector(5, 0).astype(np.float16).tobytes() not in content
        assert ("6" in store) == (vector(6, 0).astype(np.float16).tobytes() in content)
        assert store.search(vector(505, 0), top=1)[0].name == "5"
        assert {hit.name for hit in store.search(vector(1), top=100)} == set(store.names())
        assert store.problems() == []


def test_a_removal_that_is_taken_back_takes_nobody_out_of_the_index(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, store = open_store(path), open_store(path)
    assert reader.search(vector(3, 0), top=1)[0].name == "3"
    with pytest.raises(KeyboardInterrupt), store._backend.writing() as tables:
        person = tables.find("3")
        assert person is not None
        store._delete(tables, [person])
        raise KeyboardInterrupt
    store.close()
    assert reader.search(vector(3, 0), top=1)[0].name == "3"
    reader.close()
    with open_store(path) as store:
        assert store.search(vector(3, 0), top=1)[0].name == "3"


def test_a_search_during_which_somebody_is_struck_out_is_made_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = SpeakerIndex.candidates
    monkeypatch.setattr("voiceprint.store.sqlite.backend.ERASE_SECONDS", 0.0)
    with open_store(path) as reader, open_store(path) as writer:
        reader.search(vector(1), top=1)

        def meanwhile(
            index: SpeakerIndex, query: NDArray[np.float32], *, top: int, exact: bool
        ) -> NDArray[np.int64]:
            monkeypatch.setattr(SpeakerIndex, "candidates", given)
            with pytest.raises(StoreError, match="old bytes remain in the files"):
                writer.add("9", [clip(9, 0), clip(9, 1)], mode="replace")
            return given(index, query, top=top, exact=exact)

        monkeypatch.setattr(SpeakerIndex, "candidates", meanwhile)
        assert reader.search(vector(9, 0), top=1)[0].name == "9"


def test_an_index_written_by_an_older_version_is_replaced(path: Path) -> None:
    index = path / "voiceprints.faiss"
    index.write_bytes(b"VPINDEX1" + index.read_bytes()[8:])
    with open_store(path) as store:
        store.remove("3")
        assert not index.exists()
        assert store.search(vector(4, 0), top=1)[0].name == "4"
    assert index.read_bytes()[:8] == b"VPINDEX2"


def test_a_flipped_bit_anywhere_in_the_index_changes_no_answer(path: Path) -> None:
    index = path / "voiceprints.faiss"
    sound = index.read_bytes()
    rng = np.random.default_rng(3)
    with open_store(path) as store:
        right = store.search(vector(11, 1), top=PEOPLE)
    places = [*range(0, 600, 3), *rng.integers(600, len(sound), size=100).tolist()]
    for place in places:
        damaged = bytearray(sound)
        damaged[place] ^= 1 << int(rng.integers(8))
        index.write_bytes(damaged)
        with open_store(path) as store:
            assert store.search(vector(11, 1), top=PEOPLE) == right, place


def test_a_removal_from_a_file_with_a_damaged_header_leaves_no_voice_behind(
    path: Path, tmp_path: Path
) -> None:
    rng, half = np.random.default_rng(4), vector(3, 0).astype(np.float16).tobytes()
    for place in range(0, 96, 5):  # all of the header: facts, digest and marks
        copy = tmp_path / f"{place}"
        shutil.copytree(path, copy)
        damaged = bytearray((copy / "voiceprints.faiss").read_bytes())
        damaged[place] ^= 1 << int(rng.integers(8))
        (copy / "voiceprints.faiss").write_bytes(damaged)
        with open_store(copy) as store:
            store.remove("3")
            assert half[:16] not in bytes_of(copy), place


@pytest.mark.parametrize("share", [0.1, 0.9, 1.0])
def test_expired_people_are_passed_over_however_many_they_are(tmp_path: Path, share: float) -> None:
    expired = int(share * PEOPLE)
    ago = datetime.now(UTC) - timedelta(days=1)
    with open_store(tmp_path / "store") as store:
        import_people(store, range(PEOPLE))
        for number in range(expired):
            store.set_terms(f"{number}", consent=None, expires=ago)
        everybody = store.search(vector(0, 0), top=PEOPLE)
        assert len(everybody) == PEOPLE - expired
        for top in (1, 3, PEOPLE):
            assert store.search(vector(0, 0), top=top) == everybody[:top]


@pytest.mark.parametrize("way", ["argument", "environment"])
def test_an_exact_search_can_be_asked_for(
    path: Path, sketching: None, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    asked = []
    given = SpeakerIndex.candidates

    def noting(
        index: SpeakerIndex, query: NDArray[np.float32], *, top: int, exact: bool
    ) -> NDArray[np.int64]:
        asked.append(exact)
        return given(index, query, top=top, exact=exact)

    monkeypatch.setattr(SpeakerIndex, "candidates", noting)
    with open_store(path) as store:
        store.search(vector(1), top=1)
        if way == "environment":
            monkeypatch.setenv("VOICEPRINT_EXACT", "1")
        store.search(vector(1), top=1, exact=way == "argument")
    assert asked == [False, True]


@pytest.mark.parametrize("at", [24, 32, 40, 47, 60])
def test_an_index_whose_header_is_damaged_is_not_believed_when_somebody_is_removed(
    path: Path, at: int
) -> None:
    index = path / "voiceprints.faiss"
    content = bytearray(index.read_bytes())
    content[at] ^= 0x40
    index.write_bytes(content)
    with open_store(path) as store:
        store.remove("3")
        assert not index.exists()
        assert store.search(vector(4, 0), top=1)[0].name == "4"


def test_marks_from_the_future_are_not_believed(path: Path) -> None:
    index = path / "voiceprints.faiss"
    content = bytearray(index.read_bytes())
    content[96 + 7] ^= 0x40  # the highest byte of the generation until which people are struck out
    index.write_bytes(content)
    with open_store(path) as store:
        store.remove("3")
        assert vector(3, 0).astype(np.float16).tobytes() not in bytes_of(path)


def test_without_faiss_the_same_people_are_nearest(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_store(path) as store:
        with_faiss = [store.search(vector(n), top=5) for n in range(PEOPLE)]
    monkeypatch.setitem(sys.modules, "faiss", None)
    find_faiss.cache_clear()
    try:
        with open_store(path) as store:
            assert [store.search(vector(n), top=5) for n in range(PEOPLE)] == with_faiss
    finally:
        find_faiss.cache_clear()


def test_without_faiss_no_index_is_written_and_nobody_who_is_removed_stays_in_one(
    path: Path, without_faiss: None
) -> None:
    index = path / "voiceprints.faiss"
    before = index.read_bytes()
    with open_store(path) as store:
        gone = store.get("7")
        half = gone.centroid.astype(np.float16).tobytes()
        assert half in before
        import_people(store, range(PEOPLE, PEOPLE + 300))
        store.remove("7")
        assert "7" not in [hit.name for hit in store.search(vector(7), top=5)]
    assert half not in index.read_bytes()
    index.unlink()
    with open_store(path) as store:
        store.search(vector(0), top=1)
    assert not index.exists()


def test_plain_rows_are_found_like_those_of_faiss(without_faiss: None) -> None:
    rng = np.random.default_rng(0)
    rows, centroids = new_rows(DIM), units(rng, 300)
    assert isinstance(rows, PlainRows)
    for start in range(0, 300, 7):
        rows.add(centroids[start : start + 7])
    query = units(rng, 1)
    scores, places = rows.search(query, 20)
    right = np.argsort(-(centroids @ query[0]), kind="stable")[:20]
    assert places[0].tolist() == right.tolist()
    assert np.allclose(scores[0], (centroids @ query[0])[right])
    assert len(rows.search(query, 1000)[0][0]) == rows.ntotal == 300
    assert np.array_equal(read_rows(rows, np.array([3, 299])), centroids[[3, 299]])
