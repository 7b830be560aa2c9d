"""Splits within speakers: how many clips of whom go where."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from voiceprint.corpus import Corpus, Utterance, write_manifest
from voiceprint.corpus.splits import read_people, split_clips
from voiceprint.errors import CorpusError


def clips(*people: tuple[str, int]) -> Corpus:
    """Clips ``name/0.wav``, ``name/1.wav`` ... in the order of the alphabet, as a folder lists them."""
    return Corpus(
        Utterance(path=Path(f"/{name}/{number}.wav"), speaker=name, seconds=1.0, id=f"{name}/{number}.wav")
        for name, count in people
        for number in sorted(range(count), key=str)
    )


def splits_of(corpus: Corpus, speaker: str) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for u in corpus:
        if u.speaker == speaker:
            found.setdefault(u.split, []).append(int(u.path.stem))
    return {split: sorted(numbers) for split, numbers in found.items()}


def test_random_holds_out_a_tenth_of_all_clips_whoever_speaks() -> None:
    corpus = split_clips(clips(("ada", 120), ("bert", 85)), "random")
    assert Counter(u.split for u in corpus) == {"train": 185, "dev": 20}  # 20.5 rounded down, as the example
    assert corpus == split_clips(corpus, "random", seed=43) or [u.split for u in corpus] == [
        u.split for u in split_clips(corpus, "random", seed=43)
    ]
    assert [u.split for u in corpus] != [u.split for u in split_clips(corpus, "random", seed=44)]


def test_blocks_are_consecutive_clips_two_before_ten() -> None:
    corpus = split_clips(clips(("ada", 20), ("bert", 11)), "blocks")
    assert splits_of(corpus, "ada") == {"train": list(range(16)), "dev": [16, 17], "test": [18, 19]}
    assert splits_of(corpus, "bert") == {"train": list(range(9)), "dev": [9], "test": [10]}


def test_a_manifests_own_splits_are_kept() -> None:
    corpus = split_clips(clips(("ada", 20), ("bert", 20)), "blocks")
    assert [u.split for u in split_clips(corpus, "manifest")] == [u.split for u in corpus]


def test_one_speaker_is_nobody_to_tell_apart() -> None:
    with pytest.raises(CorpusError, match="all clips are of 'ada'; a classifier tells two people or more"):
        split_clips(clips(("ada", 9)), "blocks")


@pytest.mark.parametrize("kind", ["blocks", "manifest"])
def test_somebody_without_clips_in_a_split_is_named(kind: str) -> None:
    corpus = clips(("ada", 5), ("bert", 2))
    if kind == "manifest":
        corpus = Corpus(replace(u, split="train" if u.path.stem != "0" else "dev") for u in corpus)
        corpus = Corpus(u for u in corpus if not (u.speaker == "bert" and u.split == "dev"))
    missing = "train" if kind == "blocks" else "dev"
    with pytest.raises(CorpusError, match=f"'bert' has no clip in the split '{missing}'"):
        split_clips(corpus, kind)  # type: ignore[arg-type]


def test_people_are_read_from_folders_or_from_a_manifest(people: Path, tmp_path: Path) -> None:
    of_folders = read_people(people)
    assert [speaker.rpartition("/")[2] for speaker in of_folders.speakers] == [
        "ada",
        "bert",
        "cleo",
        "dmitri",
    ]
    write_manifest(Corpus(u for u in of_folders if u.speaker == "ada"), tmp_path / "manifest.csv")
    assert len(read_people(tmp_path).speakers) == 1
    assert len(read_people(tmp_path / "manifest.csv")) == 5


def test_a_folder_without_clips(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="holds no audio"):
        read_people(tmp_path)
