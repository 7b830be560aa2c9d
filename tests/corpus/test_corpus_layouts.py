from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from voiceprint.corpus import (
    Corpus,
    Finding,
    Layout,
    Utterance,
    check_corpus,
    corpus_stats,
    detect_layout,
    scan_corpus,
    split_corpus,
)
from voiceprint.errors import CorpusError


def clip(path: Path, seconds: float = 1.0, seed: int = 0, gain: float = 0.1) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    samples = gain * np.random.default_rng(seed).standard_normal(round(16000 * seconds))
    soundfile.write(path, np.clip(samples, -1, 1), 16000)
    return path


def text(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")


def only(folder: Path, layout: Layout) -> Utterance:
    """The one utterance of a corpus whose layout is told from its files."""
    scan = scan_corpus(folder)
    assert scan.layout == layout == detect_layout(folder)
    assert scan.unreadable == ()
    (utterance,) = scan.corpus
    assert utterance.corpus == folder.name
    return utterance


def test_folder_a_speaker(tmp_path: Path) -> None:
    clip(tmp_path / "ada" / "a.wav", 1.5)
    clip(tmp_path / "bob" / "monday" / "b.flac")
    (tmp_path / "empty").mkdir()
    scan = scan_corpus(tmp_path, name="mine")
    assert scan.layout == "folders"
    assert [(u.speaker, u.session, u.id, u.seconds) for u in scan.corpus] == [
        ("ada", "", "ada/a.wav", 1.5),
        ("bob", "monday", "bob/monday/b.flac", 1.0),
    ]
    assert scan.corpus.speakers == ("mine/ada", "mine/bob")


def test_librispeech(tmp_path: Path) -> None:
    clip(tmp_path / "dev-clean" / "84" / "121123" / "84-121123-0000.flac")
    text(tmp_path / "dev-clean/84/121123/84-121123-0000.txt", "ignored")
    text(tmp_path / "dev-clean/84/121123/84-121123.trans.txt", "84-121123-0000 GO DO YOU HEAR\n")
    text(tmp_path / "SPEAKERS.TXT", ";ID |SEX| SUBSET\n84   | F | dev-clean | 8.02 | Christie Nowak\n")
    found = only(tmp_path, "librispeech")
    assert (found.speaker, found.session, found.split, found.gender, found.text) == (
        "84",
        "121123",
        "dev",
        "f",
        "GO DO YOU HEAR",
    )


@pytest.mark.parametrize(
    ("meta", "line"),
    [
        ("vox1_meta.csv", "VoxCeleb1 ID\tVGGFace1 ID\tGender\tNationality\tSet\nid10270\tX\tm\tUK\t{}\n"),
        ("vox2_meta.csv", "VoxCeleb2 ID ,VGGFace2 ID ,Gender ,Set\nid10270 ,n1 ,m ,{}\n"),
    ],
)
# What VoxCeleb calls dev is what it is trained on.
@pytest.mark.parametrize(("published", "split"), [("dev", "train"), ("test", "test"), ("?", "")])
def test_voxceleb(tmp_path: Path, meta: str, line: str, published: str, split: str) -> None:
    clip(tmp_path / "wav" / "id10270" / "5r0dWxy17C8" / "00001.wav")
    text(tmp_path / meta, line.format(published))
    found = only(tmp_path, "voxceleb")
    assert (found.speaker, found.session, found.split, found.gender) == (
        "id10270",
        "5r0dWxy17C8",
        split,
        "m",
    )
    assert found.id == "wav/id10270/5r0dWxy17C8/00001.wav"


def test_voxforge(tmp_path: Path) -> None:
    session = tmp_path / "Aaron-20080318-kdl"
    clip(session / "wav" / "b0019.wav")
    text(session / "etc" / "README", "User Name:Aaron\n\nSpeaker Characteristics:\n\nGender: Male\n")
    text(session / "etc" / "PROMPTS", "Aaron-20080318-kdl/mfc/b0019 HE HAD FAITH\n")
    found = only(tmp_path, "voxforge")
    assert (found.speaker, found.session, found.gender, found.text) == (
        "Aaron",
        "20080318-kdl",
        "m",
        "HE HAD FAITH",
    )


def test_two_anonymous_sessions_are_two_people(tmp_path: Path) -> None:
    clip(tmp_path / "anonymous-20080318-abc" / "wav" / "a.wav")
    clip(tmp_path / "anonymous-20090318-xyz" / "wav" / "a.wav")
    assert len(scan_corpus(tmp_path).corpus.speakers) == 2


def test_speechocean762(tmp_path: Path) -> None:
    for split, name in (("train", "000010011"), ("test", "000030012")):
        clip(tmp_path / "WAVE" / f"SPEAKER{name[:4]}" / f"{name}.WAV")
        text(tmp_path / split / "wav.scp", f"{name}\tWAVE/SPEAKER{name[:4]}/{name}.WAV\n")
        text(tmp_path / split / "utt2spk", f"{name}\t{name[:4]}\n")
        text(tmp_path / split / "spk2gender", f"{name[:4]}\tm\n")
        text(tmp_path / split / "spk2age", f"{name[:4]}\t6\n")
    scan = scan_corpus(tmp_path)
    assert scan.layout == "speechocean762"
    assert [(u.speaker, u.split, u.gender, u.age) for u in scan.corpus] == [
        ("0000", "train", "m", 6),
        ("0000", "test", "m", 6),
    ]


def test_kaldi_with_segments(tmp_path: Path) -> None:
    clip(tmp_path / "calls" / "one.wav", 4.0)
    text(tmp_path / "wav.scp", "call1 calls/one.wav\n")
    text(tmp_path / "segments", "ada-1 call1 0.5 2.25\n")
    text(tmp_path / "utt2spk", "ada-1 ada\n")
    text(tmp_path / "text", "ada-1 hello there\n")
    found = only(tmp_path, "kaldi")
    assert (found.id, found.speaker, found.text, found.start, found.stop, found.seconds) == (
        "ada-1",
        "ada",
        "hello there",
        0.5,
        2.25,
        1.75,
    )


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("wav.scp", "u1 sph2pipe -f wav a.sph |\n", "is a command, which is not run"),
        ("wav.scp", "u1 raw.ark:1234\n", "is a place in an archive"),
        ("wav.scp", "u1\n", r"wav\.scp:1: 'u1' has nothing after its first word"),
        ("utt2spk", "u2 ada\n", "does not say who speaks in 'u1'"),
        ("segments", "u1 u1 1.0 zwei\n", "is not 'utterance recording start stop'"),
        ("segments", "u1 other 1.0 2.0\n", "recording 'other' of 'u1' is not in wav.scp"),
        ("segments", "u1 u1 2.0 1.0\n", "ends at 1.0 s, not after its start at 2.0 s"),
    ],
)
def test_wrong_kaldi_lists_are_named(tmp_path: Path, name: str, content: str, message: str) -> None:
    text(tmp_path / "wav.scp", "u1 a.wav\n")
    text(tmp_path / "utt2spk", "u1 ada\n")
    text(tmp_path / name, content)
    with pytest.raises(CorpusError, match=message):
        scan_corpus(tmp_path)


def test_common_voice(tmp_path: Path) -> None:
    clip(tmp_path / "clips" / "common_voice_en_1.flac")
    header = "client_id\tpath\tsentence\tage\tgender\n"
    text(
        tmp_path / "dev.tsv",
        header + '9f3a\tcommon_voice_en_1.flac\t"Quoted" words\ttwenties\tfemale_feminine\n',
    )
    text(tmp_path / "validated.tsv", header)
    found = only(tmp_path, "commonvoice")
    assert (found.speaker, found.split, found.gender, found.text) == ("9f3a", "dev", "f", '"Quoted" words')
    text(tmp_path / "dev.tsv", header + "9f3a\n")
    with pytest.raises(CorpusError, match=r"dev\.tsv:2: lacks client_id or path"):
        scan_corpus(tmp_path)


def test_what_is_no_corpus_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="there is no such folder"):
        scan_corpus(tmp_path / "none")
    with pytest.raises(CorpusError, match="holds no folders"):
        scan_corpus(tmp_path)
    (tmp_path / "ada").mkdir()
    with pytest.raises(CorpusError, match="holds no audio in the layout 'folders'"):
        scan_corpus(tmp_path)


def test_unreadable_files_are_listed_and_refused_above_a_hundredth(tmp_path: Path) -> None:
    clip(tmp_path / "ada" / "good.wav")
    text(tmp_path / "ada" / "bad.wav", "no audio")
    with pytest.raises(CorpusError, match=r"1 of 2 utterances cannot be read, more than 1%: .*bad\.wav"):
        scan_corpus(tmp_path)
    scan = scan_corpus(tmp_path, max_unreadable=0.5)
    assert [u.id for u in scan.corpus] == ["ada/good.wav"]
    assert [u.utterance.id for u in scan.unreadable] == ["ada/bad.wav"]


def test_files_that_are_cut_short_are_no_utterances(tmp_path: Path) -> None:
    clip(tmp_path / "ada" / "good.wav")
    whole = (tmp_path / "ada" / "good.wav").read_bytes()
    (tmp_path / "ada" / "half.wav").write_bytes(whole[: len(whole) // 2])
    scan = scan_corpus(tmp_path, max_unreadable=0.5)
    assert [u.id for u in scan.corpus] == ["ada/good.wav"]
    assert "is cut short" in scan.unreadable[0].reason


def people(count: int, clips: int = 2) -> Corpus:
    return Corpus(
        Utterance(path=Path(f"/x/{s}-{c}"), speaker=f"s{s}", seconds=2.0, id=f"{s}-{c}", gender="fm"[s % 2])
        for s in range(count)
        for c in range(clips)
    )


def test_splits_share_no_speaker_and_follow_the_seed() -> None:
    corpus = split_corpus(people(20), seed=1)
    corpus.require_disjoint_splits()
    assert [len(corpus.filter(split=split).speakers) for split in ("train", "dev", "test")] == [16, 2, 2]
    assert [u.id for u in corpus] == [u.id for u in people(20)]
    assert list(corpus) == list(split_corpus(people(20), seed=1))
    assert list(corpus) != list(split_corpus(people(20), seed=2))


@pytest.mark.parametrize("speakers", range(3, 40))
def test_every_split_gets_speakers_near_its_share(speakers: int) -> None:
    corpus = split_corpus(people(speakers), {"train": 0.7, "dev": 0.2, "test": 0.1})
    sizes = [len(corpus.filter(split=split).speakers) for split in ("train", "dev", "test")]
    assert sum(sizes) == speakers
    assert min(sizes) >= 1
    assert abs(sizes[0] - 0.7 * speakers) <= 1.5


def test_one_split_is_dealt_and_the_others_stay() -> None:
    published = Corpus(replace(u, split="test" if u.speaker in {"s0", "s1"} else "train") for u in people(12))
    corpus = split_corpus(published, {"train": 0.8, "dev": 0.2}, only="train", seed=1)
    corpus.require_disjoint_splits()
    assert corpus.filter(split="test").speakers == ("s0", "s1")
    assert [len(corpus.filter(split=split).speakers) for split in ("train", "dev")] == [8, 2]
    assert [u.id for u in corpus] == [u.id for u in published]
    with pytest.raises(CorpusError, match=r"deal speakers of 'train' into 'test', which is to stay as it is"):
        split_corpus(published, only="train")
    with pytest.raises(CorpusError, match="no utterance is left of split 'eval'; there are the splits"):
        split_corpus(published, {"train": 0.8, "dev": 0.2}, only="eval")
    torn = Corpus(replace(u, split=("train", "test")[i % 2]) for i, u in enumerate(people(4)))
    with pytest.raises(CorpusError, match="'s0' is in the splits"):
        split_corpus(torn, {"train": 0.8, "dev": 0.2}, only="train")


def test_wrong_shares_are_refused() -> None:
    with pytest.raises(CorpusError, match="must be above 0 and sum to 1"):
        split_corpus(people(9), {"train": 0.5, "dev": 0.4})
    with pytest.raises(CorpusError, match="2 speakers cannot fill 3 splits"):
        split_corpus(people(2))


def test_stats_by_hand() -> None:
    (stats,) = corpus_stats(people(3, clips=4))
    assert (stats.split, stats.speakers, stats.utterances, stats.sessions) == ("", 3, 12, 0)
    assert stats.hours == pytest.approx(24 / 3600)
    assert (stats.seconds, stats.per_speaker) == ((2.0, 2.0, 2.0), (4.0, 4.0, 4.0))
    assert stats.genders == {"f": 2, "m": 1}


def test_check_finds_what_is_wrong_and_nothing_else(tmp_path: Path) -> None:
    def utterance(speaker: str, name: str, seconds: float = 1.0, split: str = "train") -> Utterance:
        return Utterance(path=tmp_path / name, speaker=speaker, seconds=seconds, id=name, split=split)

    clip(tmp_path / "good.wav", seed=1)
    clip(tmp_path / "copy.wav", seed=1)
    clip(tmp_path / "quiet.wav", seed=2, gain=1e-4)
    clip(tmp_path / "loud.wav", seed=3, gain=3.0)
    clip(tmp_path / "short.wav", 0.3, seed=4)
    clip(tmp_path / "long.wav", 2.0, seed=5)
    corpus = Corpus(
        [
            utterance("ada", "good.wav"),
            utterance("bob", "copy.wav"),
            utterance("ada", "quiet.wav"),
            utterance("ada", "loud.wav"),
            utterance("ada", "short.wav", 0.3),
            utterance("ada", "long.wav", split="dev"),
            utterance("ada", "gone.wav"),
        ]
    )
    findings = check_corpus(corpus)
    assert [(f.kind, f.where) for f in findings] == [
        ("two_splits", "ada"),
        ("one_utterance", "bob"),
        ("duplicate", "copy.wav"),
        ("silent", "quiet.wav"),
        ("clipped", "loud.wav"),
        ("too_short", "short.wav"),
        ("wrong_length", "long.wav"),
        ("unreadable", "gone.wav"),
    ]
    assert findings[2] == Finding(
        kind="duplicate", where="copy.wav", what="has the samples of good.wav, of ada"
    )
    assert findings[6].what == "lasts 2.00 s, and 1.00 s by the manifest"
