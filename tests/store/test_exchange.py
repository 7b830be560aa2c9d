"""Export files: whole, streamed, in every encoding, and refused in one line whatever is wrong with them."""

import io
import json
import random
import struct
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from store_voices import DIM, MODEL, clip, open_store

from voiceprint.errors import StoreError, VoiceprintError
from voiceprint.store import Consent, ExportFile, VoiceprintRecord, read_export, write_export

Member = NDArray[np.generic] | bytes | None

TIME = datetime(2026, 1, 31, 12, tzinfo=UTC)


def person(number: int, n_clips: int = 2) -> VoiceprintRecord:
    return VoiceprintRecord(
        name=f"person {number}",
        notes="",
        created=TIME,
        updated=TIME,
        utterances=tuple(clip(number, n) for n in range(n_clips)),
        consent=Consent(by="ada", purpose="calls", given=TIME),
        expires=TIME.replace(year=2999),
    )


@pytest.fixture(params=[".json", ".npz"])
def export(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A sound file with three people and two opt-outs."""
    path = tmp_path / f"voices{request.param}"
    people = [person(number) for number in range(3)]
    write_export(path, people, model_id=MODEL, dim=DIM, opt_outs={"bert": TIME, "çelik": TIME})
    return path


def read_all(path: Path) -> tuple[ExportFile, list[VoiceprintRecord]]:
    found = read_export(path)
    return found, list(found.records)


def test_what_was_written_is_read_as_often_as_one_likes(export: Path) -> None:
    found, people = read_all(export)
    assert (found.model_id, found.dim, found.opt_outs) == (MODEL, DIM, {"bert": TIME, "çelik": TIME})
    assert [record.name for record in people] == [record.name for record in found.records]
    for read, written in zip(people, map(person, range(3)), strict=True):
        assert (read.created, read.consent, read.expires) == (TIME, written.consent, written.expires)
        for one, other in zip(read.utterances, written.utterances, strict=True):
            np.testing.assert_array_equal(one.embedding, other.embedding)
            assert (one.clip_sha256, one.quality) == (other.clip_sha256, other.quality)


def test_an_npz_export_opens_in_numpy(tmp_path: Path) -> None:
    path = tmp_path / "voices.npz"
    assert write_export(path, [person(1), person(2, 3)], model_id=MODEL, dim=DIM) == 2
    with np.load(path, allow_pickle=False) as arrays:
        assert arrays["embeddings"].shape == (5, DIM)
        assert arrays["embeddings"].dtype == np.float32
        document = json.loads(arrays["document"].tobytes())
    assert [speaker["name"] for speaker in document["speakers"]] == ["person 1", "person 2"]


def test_an_npz_that_numpy_wrote_is_read(tmp_path: Path, export: Path) -> None:
    if export.suffix == ".npz":
        with np.load(export) as arrays:
            parts = dict(arrays)
        for save in (np.savez, np.savez_compressed):
            save(tmp_path / "again.npz", **parts)
            assert len(read_all(tmp_path / "again.npz")[1]) == 3


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_an_export_may_be_in_any_encoding_with_a_mark(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "voices.json"
    write_export(path, [person(1)], model_id=MODEL, dim=DIM, opt_outs={"çelik": TIME})
    path.write_bytes(path.read_text(encoding="utf-8").encode(encoding))
    found, people = read_all(path)
    assert (list(found.opt_outs), people[0].name) == (["çelik"], "person 1")


def test_members_may_stand_in_any_order(tmp_path: Path) -> None:
    path = tmp_path / "voices.json"
    write_export(path, [person(1)], model_id=MODEL, dim=DIM, opt_outs={"bert": TIME})
    document = json.loads(path.read_text())
    path.write_text(json.dumps({"x": [], **{key: document[key] for key in sorted(document, reverse=True)}}))
    found, people = read_all(path)
    assert (list(found.opt_outs), len(people), found.dim) == (["bert"], 1, DIM)


def test_an_export_of_an_older_version_has_no_opt_outs(tmp_path: Path) -> None:
    path = tmp_path / "voices.json"
    write_export(path, [person(1)], model_id=MODEL, dim=DIM)
    document = json.loads(path.read_text())
    del document["opt_outs"]
    path.write_text(json.dumps(document))
    assert read_all(path)[0].opt_outs == {}


@pytest.mark.parametrize("suffix", [".json", ".npz"])
def test_size_costs_no_memory(tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("voiceprint.store.json_stream._CHUNK", 1 << 14)
    path = tmp_path / f"voices{suffix}"

    def peak(n_people: int) -> int:
        tracemalloc.start()
        write_export(path, (person(number) for number in range(n_people)), model_id=MODEL, dim=DIM)
        assert sum(1 for _ in read_export(path).records) == n_people
        size = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return size

    peak(10)
    assert peak(1500) < peak(300) + 300_000


def test_a_killed_export_leaves_no_half(tmp_path: Path) -> None:
    def people() -> Iterator[VoiceprintRecord]:
        yield person(1)
        raise KeyboardInterrupt

    for suffix in (".json", ".npz"):
        with pytest.raises(KeyboardInterrupt):
            write_export(tmp_path / f"voices{suffix}", people(), model_id=MODEL, dim=DIM)
    assert list(tmp_path.iterdir()) == []


# what is wrong


def refused(path: Path) -> str:
    """Read all of a file; returns what is said about it, nothing if it is not refused."""
    try:
        read_all(path)
    except StoreError as error:
        assert "\n" not in str(error)
        assert str(path) in str(error)
        assert len(str(error)) < 800
        return str(error)
    return ""


def changed(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


@pytest.mark.parametrize(
    ("where", "value", "said"),
    [
        (("dim",), 10**30, "dim is 1000"),
        (("dim",), 0, "dim is 0"),
        (("dim",), True, "dim is True"),
        (("opt_outs",), {}, "opt_outs is"),
        (("opt_outs",), [3], "an object with 'name' is a int"),
        (("speakers",), {}, "'[' is missing"),
        (("speakers", 0), 3, "an object with 'name' is a int"),
        (("speakers", 0), [], "an object with 'name' is a list"),
        (("speakers", 0, "name"), "a\0", "name holds a character"),
        (("speakers", 0, "notes"), "\ud800", "notes holds a character"),
        (("speakers", 0, "created"), "0001-01-01T00:00:00+23:59", "date value out of range"),
        (("speakers", 0, "created"), "2026-01-01", "without its zone"),
        (("speakers", 0, "consent"), 7, "an object with 'by' is a int"),
        (("speakers", 0, "consent", "by"), "", "consent: by is ''"),
        (("speakers", 0, "expires"), 7, "expires is 7"),
        (("speakers", 0, "utterances"), None, "utterances is None"),
        (("speakers", 0, "utterances", 0), "x", "an object with 'clip_sha256' is a str"),
        (("speakers", 0, "utterances", 0, "seconds"), 10**400, "int too large"),
        (("speakers", 0, "utterances", 0, "embedding"), [10**400], "int too large"),
        (("speakers", 0, "utterances", 0, "embedding"), [1e300] * DIM, "a number beyond 2"),
        (("speakers", 0, "utterances", 0, "embedding"), ["1"] * DIM, "other than numbers"),
        (("speakers", 0, "utterances", 0, "embedding"), [[1.0]] * DIM, "other than numbers"),
        (("speakers", 0, "utterances", 0, "embedding"), 3, "embedding is 3"),
    ],
)
def test_a_value_of_the_wrong_kind_is_named(
    tmp_path: Path, where: tuple[str | int, ...], value: object, said: str
) -> None:
    path = tmp_path / "voices.json"
    write_export(path, [person(1)], model_id=MODEL, dim=DIM)

    def change(document: Any) -> None:
        *way, last = where
        for step in way:
            document = document[step]
        document[last] = value

    changed(path, change)
    assert said in refused(path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"a": 1, "a": 2}', "stands twice"),
        ('{"a": NaN}', "NaN is no number"),
        ('{"a": 1} x', "something follows"),
        ('{"a" 1}', "':' is missing"),
        ('{"a": 1 "b": 2}', "',' is missing"),
        ("{", "'\"' is missing|Expecting value"),
        ("", "'{' is missing where 'the end'"),
        ("[" * 50_000, "'{' is missing"),
        ('{"a": ' + "[" * 100_000, "recursion"),
        ('{"a": ' + "9" * 5000 + "}", "integer string conversion"),
    ],
)
def test_a_text_that_is_no_json_is_told(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "voices.json"
    path.write_text(text)
    assert any(words in refused(path) for words in said.split("|"))


def test_a_value_without_end_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("voiceprint.store.json_stream._MOST", 1 << 16)
    path = tmp_path / "voices.json"
    path.write_text('{"a": "' + "x" * (1 << 22))
    assert "longer than 65,536 characters" in refused(path)


def npz(
    path: Path,
    document: Member = None,
    embeddings: Member = None,
    *,
    compression: int = zipfile.ZIP_STORED,
    compresslevel: int | None = None,
) -> Path:
    """An npz file with these arrays, or these bytes, as its members."""
    with zipfile.ZipFile(path, "w", compression=compression, compresslevel=compresslevel) as archive:
        for name, content in (("document", document), ("embeddings", embeddings)):
            if content is not None:
                archive.writestr(f"{name}.npy", content if isinstance(content, bytes) else as_npy(content))
    return path


def as_npy(array: NDArray[np.generic]) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array, allow_pickle=False)
    return stream.getvalue()


def header(kind: str, shape: str) -> bytes:
    text = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text


ROWS, TEXT = np.eye(4, dtype=np.float32), np.frombuffer(b"{}", dtype=np.uint8)


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({"embeddings": ROWS}, "document.npy"),
        ({"document": TEXT}, "embeddings.npy"),
        ({"document": TEXT, "embeddings": ROWS.astype(np.float64)}, "embeddings are <f8|is <f8"),
        ({"document": TEXT, "embeddings": ROWS[0]}, "embeddings are <f4 of shape (4,)"),
        ({"document": TEXT, "embeddings": np.asfortranarray(ROWS[:, :2])}, "another kind"),
        ({"document": ROWS, "embeddings": ROWS}, "document is <f4"),
        ({"document": TEXT, "embeddings": b"no array"}, "is no array"),
        ({"document": TEXT, "embeddings": header("<f4", "(9999999999, 192)")}, "but has 0 bytes"),
        ({"document": TEXT, "embeddings": header("<f4", "(-1, 192)")}, "another kind"),
        ({"document": TEXT, "embeddings": header("|O", "(1, 2)") + b"x"}, "is |O of shape"),
        ({"document": TEXT, "embeddings": header("<f4", "(0, 0)")}, "embeddings are <f4 of shape (0, 0)"),
    ],
)
def test_an_npz_with_other_arrays_is_told(tmp_path: Path, parts: dict[str, Member], said: str) -> None:
    path = npz(tmp_path / "voices.npz", parts.get("document"), parts.get("embeddings"))
    assert any(words in refused(path) for words in said.split("|"))


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_an_npz_packed_in_another_way_is_told(tmp_path: Path, method: int) -> None:
    assert "deflate" in refused(npz(tmp_path / "x.npz", TEXT, ROWS, compression=method))


def test_a_small_file_that_would_unpack_to_a_large_one_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "voices.npz"
    large = header("<f4", "(100000, 192)") + bytes(4 * 192 * 100_000)
    npz(path, TEXT, large, compression=zipfile.ZIP_DEFLATED, compresslevel=9)
    assert path.stat().st_size < 200_000
    tracemalloc.start()
    assert "unpacks" in refused(path)
    assert tracemalloc.get_traced_memory()[1] < 5_000_000
    tracemalloc.stop()


def mutated(rng: random.Random, content: bytes) -> bytes:
    """Some bytes flipped, cut out, doubled, or put in the place of others."""
    data = bytearray(content)
    for _ in range(rng.choice([1, 1, 2, 5, 20])):
        at = rng.randrange(len(data))
        length = rng.choice([1, 2, 4, 50])
        what = rng.randrange(5)
        if what == 0:
            data[at] ^= 1 << rng.randrange(8)
        elif what == 1:
            del data[at : at + length]
        elif what == 2:
            data[at:at] = data[at : at + length]
        elif what == 3:
            data[at : at + length] = rng.randbytes(length)
        else:
            data[at : at + 1] = rng.choice(
                [b"9" * 30, b"null", b"[", b"}", b'"', b"-", b"1e999", b"\xff\xff"]
            )
        if not data:
            return b""
    return bytes(data)


def test_thousands_of_damaged_files_are_read_or_refused(tmp_path: Path, export: Path) -> None:
    rng = random.Random(11)
    sound = export.read_bytes()
    said = sum(export.write_bytes(mutated(rng, sound)) >= 0 and refused(export) != "" for _ in range(800))
    assert said > 300


def test_what_is_refused_changes_nothing(tmp_path: Path, export: Path) -> None:
    rng = random.Random(12)
    sound = export.read_bytes()
    with open_store(tmp_path / "store") as store:
        store.add("cleo", [clip(9, 0)])
        before = store.generation
        for _ in range(150):
            export.write_bytes(mutated(rng, sound))
            try:
                found = read_export(export)
                store.import_records(found.records, model_id=found.model_id, dim=found.dim, mode="replace")
            except VoiceprintError:
                assert (store.generation, store.names()) == (before, ["cleo"])
            else:
                for name in set(store.names()) - {"cleo"}:
                    store.remove(name)
                before = store.generation
        assert store.problems() == []
