"""Packs: training speech in few megabytes, and the pool that is made of it."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from training.conftest import SPEAKERS
from voiceprint.corpus import Corpus, read_manifest
from voiceprint.errors import CorpusError
from voiceprint.training.data.packs import PackFacts, read_pack, unpack, write_pack
from voiceprint.training.data.pool import Pool, read_packed, read_teacher
from voiceprint.training.data.rendering import label_shard, prepare_pool
from voiceprint.training.origins import SourceModel, save_record

TEACHER = SourceModel(title="large 2", id="ab" * 32)
CLIPS = 4 * SPEAKERS["train"]
ENOUGH = 10_000_000


@pytest.fixture(scope="module")
def tiny(tiny_corpora: Path) -> Corpus:
    return read_manifest(tiny_corpora / "tiny")


@pytest.fixture(scope="module")
def taught_pool(tiny: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Own voices, with a teacher's embeddings and the responses of rooms."""
    folder = tmp_path_factory.mktemp("taught")
    prepare_pool(tiny.filter(split="train"), folder)
    label_shard(folder, 0, teacher=lambda samples: np.array([samples.std(), np.abs(samples).max(), 1.0]))
    save_record(TEACHER, folder / "teacher.json")
    responses = np.random.default_rng(0).uniform(-1, 1, (3, 2, 500)).astype(np.float32)
    np.save(folder / "rooms-v1-3x2-seed0.npy", responses / 20)
    return folder


def pack(tiny: Corpus, pool: Path, folder: Path, *, limit: int = ENOUGH) -> PackFacts:
    dev = tiny.filter(split="dev").first_clips(2)
    return write_pack(folder, tiny.filter(split="train"), beside=dev, pool=pool, limit=limit)


def test_a_pool_comes_out_of_a_pack_as_it_went_in(tiny: Corpus, taught_pool: Path, tmp_path: Path) -> None:
    about = pack(tiny, taught_pool, tmp_path / "pack")
    packed = unpack(tmp_path / "pack", tmp_path / "pool", jobs=2)
    before, after = Pool(taught_pool, voices=1), Pool(tmp_path / "pool", voices=1)
    assert after.utterances == before.utterances
    assert after.classes == before.classes
    for index in range(len(before)):
        assert np.corrcoef(before.read(index), after.read(index))[0, 1] > 0.9
    assert before.teacher is not None
    assert after.teacher == pytest.approx(before.teacher, abs=1e-3)
    rooms = [np.load(folder / "rooms-v1-3x2-seed0.npy") for folder in (taught_pool, tmp_path / "pool")]
    assert rooms[1] == pytest.approx(rooms[0], abs=1e-4)
    assert read_teacher(tmp_path / "pool") == TEACHER
    assert read_packed(tmp_path / "pool") == packed
    assert packed.title == about.title == f"a pack of {CLIPS} of {CLIPS} clips in Opus at 24 kbit/s"
    assert read_packed(taught_pool) is None


def test_a_pack_is_a_root_of_corpora(tiny: Corpus, taught_pool: Path, tmp_path: Path) -> None:
    pack(tiny, taught_pool, tmp_path / "pack")
    found = read_manifest(tmp_path / "pack" / "tiny")
    kept = Corpus([*tiny.filter(split="train"), *tiny.filter(split="dev").first_clips(2)])
    assert [(u.id, u.speaker, u.split) for u in found] == [(u.id, u.speaker, u.split) for u in kept]


def test_where_not_all_fits_everyone_keeps_as_many_seconds(
    tiny: Corpus, taught_pool: Path, tmp_path: Path
) -> None:
    limit = 105_000
    about = pack(tiny, taught_pool, tmp_path / "pack", limit=limit)
    assert sum(path.stat().st_size for path in (tmp_path / "pack").rglob("*") if path.is_file()) <= limit
    assert about.title.endswith("in Opus at 10 kbit/s")
    found = read_manifest(tmp_path / "pack" / "tiny").filter(split="train")
    counts = [len(places) for places in found.by_speaker.values()]
    assert len(counts) == SPEAKERS["train"]
    assert max(counts) - min(counts) <= 1
    assert len(found) < CLIPS
    unpack(tmp_path / "pack", tmp_path / "pool", jobs=1)
    pool = Pool(tmp_path / "pool", voices=1)
    assert pool.teacher is not None
    assert pool.teacher.shape == (len(found), 3)


def test_a_limit_below_one_clip_of_everybody(tiny: Corpus, taught_pool: Path, tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"one clip of each of 12 speakers .* takes \d+ bytes"):
        pack(tiny, taught_pool, tmp_path / "pack", limit=40_000)
    assert not (tmp_path / "pack").exists()


def test_a_folder_that_is_there_is_not_packed_into(tiny: Corpus, taught_pool: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(CorpusError, match="is there already"):
        pack(tiny, taught_pool, tmp_path)
    assert (tmp_path / "notes.txt").read_text() == "mine"


@pytest.fixture(scope="module")
def whole_pack(tiny: Corpus, taught_pool: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("packed") / "pack"
    pack(tiny, taught_pool, folder)
    return folder


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    "name", ["tiny/0.opus", "tiny/manifest.csv", "teacher.npy", "teacher.json", "rooms-v1-3x2-seed0.flac"]
)
def test_a_damaged_pack_is_refused(whole_pack: Path, tmp_path: Path, name: str) -> None:
    copy = shutil.copytree(whole_pack, tmp_path / "pack")
    flip(copy / name)
    with pytest.raises(CorpusError, match=f"{name}: is damaged; copy the pack again"):
        unpack(copy, tmp_path / "pool", jobs=1)
    (copy / name).unlink()
    with pytest.raises(CorpusError, match="is no whole pack"):
        unpack(copy, tmp_path / "pool", jobs=1)
    assert not (tmp_path / "pool").exists()


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"title": 1, "speech": [], "rooms": {}, "files": 3}'])
def test_what_is_no_pack(whole_pack: Path, tmp_path: Path, text: str) -> None:
    copy = shutil.copytree(whole_pack, tmp_path / "pack")
    (copy / "pack.json").write_text(text)
    with pytest.raises(CorpusError, match="is no whole pack"):
        read_pack(copy)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"rooms": {"../evil.flac": [2, 8]}}, "is no plain name"),
        ({"rooms": {"/evil.flac": [2, 8]}}, "is no plain name"),
        ({"speech": ["../tiny"]}, "is no plain name"),
        ({"files": {}}, "tiny/manifest.csv has no checksum"),
        ({"files": {"../pack.json": "0"}, "speech": [], "rooms": {}}, "teacher.npy has no checksum"),
    ],
)
def test_a_pack_leads_nowhere_else(
    whole_pack: Path, tmp_path: Path, change: dict[str, Any], why: str
) -> None:
    copy = shutil.copytree(whole_pack, tmp_path / "pack")
    table = json.loads((copy / "pack.json").read_text())
    (copy / "pack.json").write_text(json.dumps(table | change))
    with pytest.raises(CorpusError, match=why):
        unpack(copy, tmp_path / "pool", jobs=1)
    assert not (tmp_path / "pool").exists()


def test_a_manifest_of_a_pack_leads_nowhere_else(whole_pack: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(whole_pack, tmp_path / "pack")
    manifest = copy / "tiny" / "manifest.csv"
    manifest.write_text(manifest.read_text().replace("0.opus", "../../elsewhere.opus"))
    table = json.loads((copy / "pack.json").read_text())
    table["files"]["tiny/manifest.csv"] = hashlib.sha256(manifest.read_bytes()).hexdigest()
    (copy / "pack.json").write_text(json.dumps(table))
    with pytest.raises(CorpusError, match="names clips that lie elsewhere"):
        unpack(copy, tmp_path / "pool", jobs=1)


def test_a_pool_of_other_speech_is_not_unpacked_into(
    whole_pack: Path, taught_pool: Path, tmp_path: Path
) -> None:
    with pytest.raises(CorpusError, match="holds other speech than"):
        unpack(whole_pack, taught_pool, jobs=1)
    first = unpack(whole_pack, tmp_path / "pool", jobs=1)
    stamp = (tmp_path / "pool" / "voice-0.pcm").stat().st_mtime_ns
    assert unpack(whole_pack, tmp_path / "pool", jobs=1) == first
    assert (tmp_path / "pool" / "voice-0.pcm").stat().st_mtime_ns == stamp
    other = shutil.copytree(whole_pack, tmp_path / "other")
    table = json.loads((other / "pack.json").read_text())
    (other / "pack.json").write_text(json.dumps(table | {"title": "another"}))
    with pytest.raises(CorpusError, match="holds other speech than"):
        unpack(other, tmp_path / "pool", jobs=1)


def test_what_lies_beside_the_speech_has_to_be_readable(
    tiny: Corpus, taught_pool: Path, tmp_path: Path
) -> None:
    gone = Corpus([replace(u, path=tmp_path / "gone.wav") for u in tiny.filter(split="dev")])
    with pytest.raises(CorpusError, match=r"gone\.wav: cannot be read; a pack needs all of dev and noise"):
        write_pack(tmp_path / "pack", tiny.filter(split="train"), beside=gone, pool=taught_pool, limit=ENOUGH)
    assert not (tmp_path / "pack").exists()
