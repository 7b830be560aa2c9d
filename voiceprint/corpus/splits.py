"""Splits in which no speaker is twice."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from voiceprint.arguments import check_count
from voiceprint.corpus.manifest import Corpus
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
