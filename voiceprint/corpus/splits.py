"""Splits in which no speaker is twice."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from voiceprint.arguments import check_choice, check_count
from voiceprint.corpus.manifest import Corpus, Utterance, read_manifest
from voiceprint.corpus.scan import scan_corpus
from voiceprint.errors import CorpusError

SHARES: Mapping[str, float] = {"train": 0.8, "dev": 0.1, "test": 0.1}
"""The share of the speakers in each split unless others are asked for."""


def split_corpus(
    corpus: Corpus, shares: Mapping[str, float] = SHARES, *, only: str | None = None, seed: int = 0
) -> Corpus:
    """Deal the speakers into splits at random; all clips of a speaker go to one.

    Parameters
    ----------
    corpus : Corpus
        Its present splits are forgotten, unless ``only`` one is dealt.
    shares : mapping of str to float
        The fraction of the speakers that each split gets; they sum to 1.
    only : str, optional
        The split whose speakers are dealt; all others keep theirs.

    Returns
    -------
    Corpus
        The same utterances in the same order.

    Raises
    ------
    CorpusError
        If the shares are wrong, or there are fewer speakers than splits; or, with ``only``, nobody is in that
        split, speakers are in two, or a share is named as a split that is kept.

    Examples
    --------
    >>> divided = split_corpus(corpus, {"train": 0.6, "test": 0.4}, seed=1)
    >>> sorted({(each.split, each.speaker) for each in divided})[:2]
    [('test', ...), ('test', ...)]
    """
    check_count("seed", seed, least=0)
    if not shares or min(shares.values()) <= 0 or not math.isclose(math.fsum(shares.values()), 1.0):
        raise CorpusError(f"the shares {dict(shares)} must be above 0 and sum to 1")
    speakers = corpus.speakers if only is None else _speakers_of(corpus, only, shares)
    if len(speakers) < len(shares):
        raise CorpusError(f"{len(speakers)} speakers cannot fill {len(shares)} splits: {', '.join(shares)}")
    dealt = np.random.default_rng(seed).permutation(np.array(speakers))
    ends = np.cumsum(_sizes(len(dealt), list(shares.values())))
    split_of = {
        str(speaker): split
        for split, of_split in zip(shares, np.split(dealt, ends[:-1]), strict=True)
        for speaker in of_split
    }
    return Corpus(replace(u, split=split_of.get(u.speaker_id, u.split)) for u in corpus)


def _speakers_of(corpus: Corpus, split: str, shares: Mapping[str, float]) -> tuple[str, ...]:
    """The speakers of one split, where dealing them leaves the other splits as they are."""
    speakers = corpus.filter(split=split).speakers
    corpus.require_disjoint_splits()
    kept = sorted(set(shares) & set(corpus.splits) - {split})
    if kept:
        raise CorpusError(
            f"the shares {dict(shares)} deal speakers of {split!r} into {kept[0]!r}, which is to stay as it "
            f"is; leave {kept[0]!r} out of the shares"
        )
    return speakers


def _sizes(total: int, shares: list[float]) -> list[int]:
    """Whole numbers of at least 1 that sum to `total`, nearest to the shares by largest remainder."""
    spare = total - len(shares)
    exact = [max(0.0, share * total - 1) for share in shares]
    scale = spare / math.fsum(exact) if spare else 0.0
    sizes = [math.floor(part * scale) for part in exact]
    remainders = sorted(range(len(shares)), key=lambda i: sizes[i] - exact[i] * scale)
    for i in remainders[: spare - sum(sizes)]:
        sizes[i] += 1
    return [size + 1 for size in sizes]


ClipSplit = Literal["random", "blocks", "manifest"]

_HELD_OUT = 0.1
_DIGITS = re.compile(r"(\d+)")


def read_people(source: Path) -> Corpus:
    """Read the clips of named people: a folder with a folder of clips for each, or a manifest.

    A ``manifest.csv`` in the folder goes first. CorpusError if there are no clips, or they cannot be read.
    """
    manifest = source if source.is_file() else source / "manifest.csv"
    return read_manifest(manifest) if manifest.exists() else scan_corpus(source, layout="folders").corpus


def split_clips(corpus: Corpus, kind: ClipSplit, *, seed: int = 43) -> Corpus:
    """Give clips to ``train``, ``dev`` and ``test`` such that every speaker is in each.

    Parameters
    ----------
    kind : {"random", "blocks", "manifest"}
        ``random`` holds 10 % of all clips out as ``dev``, whoever speaks, and has no test clips. Where clips
        are pieces of one recording, neighbours land on both sides, which flatters. ``blocks`` takes each
        speaker's clips in the order of their names (2 before 10): the first 80 % to train, the next 10 %
        dev, the last test. ``manifest`` keeps the splits that the corpus comes with.
    seed : int
        Of ``random``.

    Returns
    -------
    Corpus
        The same utterances in the same order.

    Raises
    ------
    CorpusError
        There is one speaker only, or one has no clip to train on or none for dev.
    """
    check_choice("split", kind, get_args(ClipSplit))
    check_count("seed", seed, least=0)
    if len(corpus.speakers) < 2:
        raise CorpusError(
            f"all clips are of {corpus.speakers[0]!r}; a classifier tells two people or more apart, a "
            "folder each"
        )
    dealt = (
        corpus
        if kind == "manifest"
        else Corpus(_blocks(corpus) if kind == "blocks" else _random(corpus, seed))
    )
    _require_everywhere(dealt, kind)
    return dealt


def _random(corpus: Corpus, seed: int) -> list[Utterance]:
    order = np.random.default_rng(seed).permutation(len(corpus))
    held_out = set(order[: int(_HELD_OUT * len(corpus))].tolist())
    return [replace(u, split="dev" if i in held_out else "train") for i, u in enumerate(corpus)]


def _blocks(corpus: Corpus) -> list[Utterance]:
    split_of: dict[int, str] = {}
    for indices in corpus.by_speaker.values():
        ordered = sorted(indices, key=lambda i: _natural(corpus[i].id))
        held_out = max(1, int(_HELD_OUT * len(ordered)))
        first = len(ordered) - 2 * held_out
        splits = ["train"] * first + ["dev"] * held_out + ["test"] * held_out
        split_of |= dict(zip(ordered, splits[-len(ordered) :], strict=True))
    return [replace(u, split=split_of[i]) for i, u in enumerate(corpus)]


def _natural(name: str) -> list[tuple[int, str]]:
    """A key that puts clip 2 before clip 10."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in _DIGITS.split(name)]


def _require_everywhere(corpus: Corpus, kind: str) -> None:
    for split in ("train", "dev"):
        there = {u.speaker_id for u in corpus if u.split == split}
        missing = sorted(set(corpus.speakers) - there)
        if missing:
            raise CorpusError(
                f"{missing[0]!r} has no clip in the split {split!r} ({kind}); give at least three clips of "
                "everybody, or name each clip's split in a manifest"
            )
