"""Splits in which everybody is everywhere: for classifying named people, not for verification."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from voiceprint.arguments import check_choice, check_count
from voiceprint.corpus.manifest import Corpus, Utterance, read_manifest
from voiceprint.corpus.scan import scan_corpus
from voiceprint.errors import CorpusError

__all__ = ["ClipSplit", "read_people", "split_clips"]

ClipSplit = Literal["random", "blocks", "manifest"]

_HELD_OUT = 0.1
_DIGITS = re.compile(r"(\d+)")


def read_people(source: Path) -> Corpus:
    """Read the clips of named people: a folder with a folder of clips for each, or a manifest.

    Parameters
    ----------
    source : Path
        The folder, or a manifest, or a folder that holds a ``manifest.csv``, which goes first.

    Raises
    ------
    CorpusError
        It holds no clips, or they cannot be read.
    """
    manifest = source if source.is_file() else source / "manifest.csv"
    return read_manifest(manifest) if manifest.exists() else scan_corpus(source, layout="folders").corpus


def split_clips(corpus: Corpus, kind: ClipSplit, *, seed: int = 43) -> Corpus:
    """Give clips to ``train``, ``dev`` and ``test`` such that every speaker is in each.

    Parameters
    ----------
    corpus : Corpus
        Clips of the people who are to be told apart.
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
