from __future__ import annotations

from pathlib import Path

import pytest

from voiceprint.corpus import Corpus, Utterance, read_manifest, write_manifest
from voiceprint.errors import CorpusError

HEADER = "path,speaker,session,split,seconds,gender,text,age\n"


def manifest(folder: Path, *lines: str, header: str = HEADER) -> Path:
    path = folder / "manifest.csv"
    path.write_text(header + "".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def utterance(speaker: str, name: str, *, split: str = "", corpus: str = "c") -> Utterance:
    return Utterance(
        path=Path("/x") / name, speaker=speaker, seconds=1.5, id=name, split=split, corpus=corpus
    )


def test_a_manifest_line_becomes_an_utterance(tmp_path: Path) -> None:
    path = manifest(tmp_path, 'a/1.wav,ada,day1,train,2.50,f,"ONE, TWO",36')
    corpus = read_manifest(path, name="mine")
    assert list(corpus) == [
        Utterance(
            path=tmp_path / "a/1.wav",
            speaker="ada",
            seconds=2.5,
            id="a/1.wav",
            session="day1",
            split="train",
            gender="f",
            age=36,
            text="ONE, TWO",
            corpus="mine",
        )
    ]
    assert corpus[0].speaker_id == "mine/ada"
    assert corpus[0].session_id == "mine/ada/day1"


def test_a_repeated_line_is_one_utterance(tmp_path: Path) -> None:
    assert len(read_manifest(manifest(tmp_path, "a.wav,ada,,,1,,,", "a.wav,ada,,,1,,,"))) == 1


def test_a_folder_stands_for_its_manifest_and_gives_the_corpus_its_name(tmp_path: Path) -> None:
    manifest(tmp_path, "a.wav,ada,,,1,,,")
    assert read_manifest(tmp_path)[0].corpus == tmp_path.name


def test_a_manifest_survives_writing_and_reading(tmp_path: Path) -> None:
    inside = Utterance(path=tmp_path / "a.wav", speaker="ada", seconds=1.25, id="a.wav", age=8, corpus="c")
    segment = Utterance(
        path=Path("/elsewhere/b.wav"), speaker="bob", seconds=2.0, id="bob-1", corpus="c", start=0.5, stop=2.5
    )
    corpus = Corpus([inside, segment])
    write_manifest(corpus, tmp_path / "manifest.csv")
    assert list(read_manifest(tmp_path, name="c")) == [inside, segment]


def test_speakers_of_the_same_name_in_two_corpora_are_two_people() -> None:
    corpus = Corpus([utterance("1", "a", corpus="x")]) + Corpus([utterance("1", "a", corpus="y")])
    assert corpus.speakers == ("x/1", "y/1")
    assert corpus.by_speaker == {"x/1": (0,), "y/1": (1,)}


def test_filter_keeps_what_all_conditions_keep() -> None:
    corpus = Corpus([utterance("1", "a", split="train"), utterance("2", "b", split="dev")])
    assert [u.id for u in corpus.filter(split="dev")] == ["b"]
    assert [u.id for u in corpus.filter(lambda u: u.speaker == "1")] == ["a"]
    with pytest.raises(CorpusError, match=r"split 'test'.*'dev', 'train'"):
        corpus.filter(split="test")


def test_fingerprint_follows_content_and_order_and_not_the_place() -> None:
    first, second = utterance("1", "a"), utterance("1", "b")
    moved = Utterance(path=Path("/moved/a"), speaker="1", seconds=1.5, id="a", corpus="c")
    assert Corpus([first, second]).fingerprint == Corpus([moved, second]).fingerprint
    assert Corpus([first, second]).fingerprint != Corpus([second, first]).fingerprint


def test_a_speaker_in_two_splits_is_named() -> None:
    corpus = Corpus([utterance("1", "a", split="train"), utterance("1", "b", split="dev")])
    with pytest.raises(CorpusError, match=r"'c/1' is in the splits 'train' and 'dev'"):
        corpus.require_disjoint_splits()
    corpus.filter(split="dev").require_disjoint_splits()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("a.wav,,,,1,,,", r"manifest.csv:2: speaker is empty"),
        ("a.wav,ada,,,long,,,", r"manifest.csv:2: seconds 'long' is not a number"),
        ("a.wav,ada,,,nan,,,", r"manifest.csv:2: seconds 'nan' is not a number"),
        ("a.wav,ada,,,-1,,,", r"manifest.csv:2: seconds '-1' is not a number"),
        ("a.wav,ada", r"manifest.csv:2: the line does not have as many fields"),
        ("a.wav,ada,,,1,,,,,", r"manifest.csv:2: the line does not have as many fields"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, line: str, message: str) -> None:
    with pytest.raises(CorpusError, match=message):
        read_manifest(manifest(tmp_path, line))


def test_wrong_manifests_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="there is no such manifest"):
        read_manifest(tmp_path / "none.csv")
    with pytest.raises(CorpusError, match="the corpus is empty"):
        read_manifest(manifest(tmp_path))
    with pytest.raises(CorpusError, match="header lacks speaker, seconds"):
        read_manifest(manifest(tmp_path, "a.wav", header="path\n"))
    with pytest.raises(CorpusError, match=r"manifest.csv: utterance 'a.wav'.*is there twice"):
        read_manifest(manifest(tmp_path, "a.wav,ada,,,1,,,", "a.wav,bob,,,1,,,"))
    (tmp_path / "manifest.csv").write_bytes(b"\xff\x00\x01")
    with pytest.raises(CorpusError, match="cannot be read as a CSV file"):
        read_manifest(tmp_path)


@pytest.mark.corpora
@pytest.mark.parametrize(
    ("name", "speakers", "utterances"),
    [
        ("speechocean762", 186, 3911),
        ("librispeech", 251, 1271),
        ("arabic_speech_commands", 30, 3000),
        ("voxforge", 34, 802),
        ("free_spoken_digits", 6, 600),
    ],
)
def test_real_manifests(corpora: Path, name: str, speakers: int, utterances: int) -> None:
    corpus = read_manifest(corpora / name)
    assert (len(corpus.speakers), len(corpus)) == (speakers, utterances)
    corpus.require_disjoint_splits()
