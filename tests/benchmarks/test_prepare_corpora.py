"""Corpora are built from archives as publishers lay them out; here from tiny ones of synthetic speech."""

from __future__ import annotations

import hashlib
import io
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from benchmarks.corpora.building import LISTS, build_corpus, read_rows
from benchmarks.corpora.sources import SOURCES, Archive
from benchmarks.synthetic_speech import Speechlike
from voiceprint.corpus import read_manifest


def encoded(samples: NDArray[np.float32], *, rate: int = 16_000, container: str = "WAV") -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=container)
    return file.getvalue()


def write_tar(path: Path, members: dict[str, bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))


def write_zip(path: Path, members: dict[str, bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)


@pytest.fixture(scope="module")
def speech(speechlike: Speechlike) -> NDArray[np.float32]:
    return speechlike(1, 3.0)


def row(path: str, seconds: float, **more: str) -> dict[str, str]:
    return {"path": path, "seconds": f"{seconds:.2f}", "split": "train", **more}


def test_speechocean762_comes_out_of_its_tar(tmp_path: Path, speech: NDArray[np.float32]) -> None:
    write_tar(
        tmp_path / "archives" / "speechocean762.tar.gz",
        {
            "speechocean762/README": b"read me",
            "speechocean762/WAVE/SPEAKER0001/000010011.WAV": encoded(speech),
            "speechocean762/WAVE/SPEAKER0003/000030012.WAV": encoded(speech[:32_000]),
        },
    )
    rows = [
        row("0001/000010011.opus", 3.0, gender="m", age="6"),
        row("0003/000030012.opus", 2.0, gender="f", age="30"),
    ]
    folder = tmp_path / "speechocean762"
    built = build_corpus(SOURCES["speechocean762"], rows, folder, tmp_path / "archives", download=False)
    assert built.written == 2
    assert built.problems == ()
    corpus = read_manifest(folder / "manifest.csv")
    assert [(u.speaker, u.split, u.gender, u.age) for u in corpus] == [
        ("0001", "train", "m", 6),
        ("0003", "train", "f", 30),
    ]
    info = soundfile.info(corpus[0].path)
    assert (info.samplerate, info.channels, info.subtype) == (16_000, 1, "OPUS")
    assert info.duration == pytest.approx(3.0, abs=0.03)


def test_a_clip_is_cut_to_the_length_of_its_list(tmp_path: Path, speech: NDArray[np.float32]) -> None:
    source = SOURCES["librispeech"]
    path = tmp_path / "train-clean-100.tar.gz"
    name = "LibriSpeech/train-clean-100/19/198/19-198-0000.flac"
    write_tar(path, {name: encoded(speech, container="FLAC")})
    digest = hashlib.md5(path.read_bytes()).hexdigest()
    known = replace(source, archive=lambda name: Archive(name=name, address="", md5=digest))
    folder = tmp_path / "librispeech"
    built = build_corpus(known, [row("19/19-198-0000.opus", 1.5)], folder, tmp_path, download=False)
    assert built.problems == ()
    assert soundfile.info(folder / "19/19-198-0000.opus").duration == pytest.approx(1.5, abs=0.03)
    assert read_manifest(folder / "manifest.csv")[0].seconds == 1.5


@pytest.mark.parametrize(
    ("corpus", "archive", "member", "clip", "rate"),
    [
        (
            "arabic_speech_commands",
            "arabic-speech-commands.zip",
            "arabic-speech-commands-dataset-master/dataset/zoom in/00000001_NO_09.wav",
            "00000001/zoom in_09.opus",
            16_000,
        ),
        (
            "free_spoken_digits",
            "free-spoken-digit-dataset.zip",
            "free-spoken-digit-dataset-master/recordings/0_george_1.wav",
            "george/0_george_1.opus",
            8_000,
        ),
        (
            "five_speakers",
            "speaker-recognition-dataset.zip",
            "16000_pcm_speeches/Nelson_Mandela/7.wav",
            "Nelson_Mandela/7.opus",
            16_000,
        ),
        (
            "synthetic_voices",
            "mimic3-voices.zip",
            "mimic3-voices-master/.samples/en_US/vctk_low/sample_p267.wav",
            "en_US__vctk_low__p267/sample.opus",
            22_050,
        ),
        (
            "synthetic_voices",
            "mimic3-voices.zip",
            "mimic3-voices-master/.samples/ko_KO/kss_low/sample.wav",
            "ko_KO__kss_low__/sample.opus",
            22_050,
        ),
        (
            "noise",
            "ESC-10.zip",
            "ESC-10-master/001 - Dog bark/1-30226-A.ogg",
            "001_Dog_bark/1-30226-A.opus",
            44_100,
        ),
    ],
)
def test_clips_are_found_where_publishers_put_them(
    tmp_path: Path, speech: NDArray[np.float32], corpus: str, archive: str, member: str, clip: str, rate: int
) -> None:
    samples = speech[:rate]
    others = {member.replace("/", "/x", 1): b"of no use", "README.md": b"read me"}
    write_zip(tmp_path / archive, {**others, member: encoded(samples, rate=rate)})
    rows = [row(clip, 1.0, speaker="somebody")]
    built = build_corpus(SOURCES[corpus], rows, tmp_path / corpus, tmp_path, download=False)
    assert (built.written, built.problems) == (1, ())


def test_voxforge_is_an_archive_a_session(tmp_path: Path, speech: NDArray[np.float32]) -> None:
    for session in ("20130718-lws", "20140101-abc"):
        write_tar(tmp_path / f"AT-{session}.tgz", {f"AT-{session}/wav/a0011.wav": encoded(speech)})
    rows = [row(f"AT/{session}_a0011.opus", 3.0) for session in ("20130718-lws", "20140101-abc")]
    built = build_corpus(SOURCES["voxforge"], rows, tmp_path / "voxforge", tmp_path, download=False)
    assert (built.written, built.problems) == (2, ())


def test_what_is_missing_or_other_than_listed_is_said(tmp_path: Path, speech: NDArray[np.float32]) -> None:
    write_tar(
        tmp_path / "speechocean762.tar.gz",
        {
            "speechocean762/WAVE/SPEAKER0001/000010011.WAV": encoded(speech[:16_000]),
            "speechocean762/WAVE/SPEAKER0001/000010012.WAV": b"RIFF and nothing else",
        },
    )
    rows = [row(f"0001/00001001{i}.opus", 3.0) for i in (1, 2, 3)]
    built = build_corpus(
        SOURCES["speechocean762"], rows, tmp_path / "speechocean762", tmp_path, download=False
    )
    assert built.written == 1
    shorter, unreadable, missing = built.problems
    assert "is 1.00 s long, the list says 3.00" in shorter
    assert "000010012.WAV" in unreadable
    assert missing.endswith("holds no WAVE/SPEAKER0001/000010013.WAV")


def test_an_archive_that_is_not_there_or_not_whole_is_said(tmp_path: Path) -> None:
    rows = [row("0001/000010011.opus", 3.0)]
    folder = tmp_path / "speechocean762"
    source = SOURCES["speechocean762"]
    (problem,) = build_corpus(source, rows, folder, tmp_path, download=False).problems
    assert "speechocean762.tar.gz: not there (1 clips)" in problem
    (tmp_path / "speechocean762.tar.gz").write_bytes(b"half a download")
    problems = build_corpus(source, rows, folder, tmp_path, download=False).problems
    assert any("damaged" in problem for problem in problems)
    (tmp_path / "train-clean-100.tar.gz").write_bytes(b"half a download")
    (problem,) = build_corpus(
        SOURCES["librispeech"], [row("19/19-198-0000.opus", 1.5)], folder, tmp_path, download=False
    ).problems
    assert "its publisher says 2a93770f6d5c6c964bc36631d331a522" in problem
    assert not folder.exists()


def test_what_is_there_is_not_made_again(tmp_path: Path, speech: NDArray[np.float32]) -> None:
    archive, folder = tmp_path / "speechocean762.tar.gz", tmp_path / "speechocean762"
    write_tar(archive, {"speechocean762/WAVE/SPEAKER0001/000010011.WAV": encoded(speech)})
    rows = [row("0001/000010011.opus", 3.0)]
    build_corpus(SOURCES["speechocean762"], rows, folder, tmp_path, download=False)
    archive.unlink()
    built = build_corpus(SOURCES["speechocean762"], rows, folder, tmp_path, download=False)
    assert (built.written, built.problems) == (1, ())


@pytest.mark.parametrize("name", SOURCES)
def test_every_listed_clip_has_a_place_of_its_own(name: str) -> None:
    rows = read_rows(LISTS / f"{name}.csv")
    clips = [SOURCES[name].find(PurePosixPath(row["path"])) for row in rows]
    assert len({(clip.archive, clip.pattern) for clip in clips}) == len(rows)
    assert min(float(row["seconds"]) for row in rows) > 0.1


@pytest.mark.corpora
@pytest.mark.parametrize("name", SOURCES)
def test_the_lists_are_those_of_the_corpora(corpora: Path, name: str) -> None:
    rows = read_rows(LISTS / f"{name}.csv")
    found = read_manifest(corpora / name / "manifest.csv")
    listed = {(row["path"], float(row["seconds"]), row.get("split", "")) for row in rows}
    assert listed == {(u.id, u.seconds, u.split) for u in found}
    assert np.array_equal([row["path"] for row in rows], [u.id for u in found])
