"""Samplers: balance, disjoint parts, and the same draws whenever and wherever they are made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest

from voiceprint.errors import ConfigError, CorpusError
from voiceprint.training.data.samplers import (
    BatchSampler,
    ClipSampler,
    Draw,
    PairSampler,
    SpeakerBatchSampler,
    TripletSampler,
)

# Speakers 10, 20, ... 70 with 1, 2, ... 7 utterances, in mixed order.
LABELS = [
    int(label)
    for label in np.random.default_rng(0).permutation(np.repeat(np.arange(10, 80, 10), range(1, 8)))
]


def p_by_k(seed: int = 1, rank: int = 0, world_size: int = 1, balance: float = 1.0) -> SpeakerBatchSampler:
    return SpeakerBatchSampler(
        LABELS,
        speakers=4,
        utterances=3,
        batches=9,
        seed=seed,
        rank=rank,
        world_size=world_size,
        balance=balance,
    )


def pairs(seed: int = 1, rank: int = 0, world_size: int = 1, balance: float = 1.0) -> PairSampler:
    return PairSampler(
        LABELS, pairs=8, batches=9, seed=seed, rank=rank, world_size=world_size, balance=balance
    )


def triplets(seed: int = 1, rank: int = 0, world_size: int = 1, balance: float = 1.0) -> TripletSampler:
    return TripletSampler(
        LABELS, triplets=6, batches=9, seed=seed, rank=rank, world_size=world_size, balance=balance
    )


def any_clips(seed: int = 1, rank: int = 0, world_size: int = 1) -> ClipSampler:
    return ClipSampler(len(LABELS), size=8, batches=9, seed=seed, rank=rank, world_size=world_size)


def test_corpora_come_up_by_their_shares_whoever_speaks_how_much_within() -> None:
    """Speakers 10 to 30 are of corpus a, 40 to 70 of b, which has 22 of the 28 utterances."""
    corpora = ["a" if label <= 30 else "b" for label in LABELS]

    def sampler(shares: dict[str, float], balance: float = 0.0) -> SpeakerBatchSampler:
        return SpeakerBatchSampler(
            LABELS,
            speakers=1,
            utterances=1,
            batches=4000,
            seed=1,
            balance=balance,
            corpora=corpora,
            shares=shares,
        )

    drawn = Counter(LABELS[draw.index] for batch in sampler({"a": 3.0, "b": 1.0}) for draw in batch)
    of_a = sum(count for label, count in drawn.items() if label <= 30)
    assert of_a / 4000 == pytest.approx(0.75, abs=0.02)
    # Within a corpus in proportion to clips: speakers 10, 20 and 30 have 1, 2 and 3.
    assert [drawn[label] / of_a for label in (10, 20, 30)] == pytest.approx([1 / 6, 2 / 6, 3 / 6], abs=0.03)
    with pytest.raises(ConfigError, match=r"batches.shares: are of a; the training speech is of a, b"):
        sampler({"a": 1.0})
    with pytest.raises(ConfigError, match="with shares of corpora give less than 1"):
        sampler({"a": 1.0, "b": 1.0}, balance=1.0)


Make = Callable[..., BatchSampler]
weighted = [partial(make, balance=0.3) for make in (p_by_k, pairs, triplets)]
every_sampler = pytest.mark.parametrize("make", [p_by_k, pairs, triplets, any_clips, *weighted])


def speakers_of(draws: list[Draw]) -> list[int]:
    return [LABELS[draw.index] for draw in draws]


# ---- P x K ----------------------------------------------------------------------------------------------


def test_a_batch_is_p_speakers_of_k_in_a_row_each_once() -> None:
    for batch in p_by_k():
        speakers = speakers_of(batch)
        assert len(batch) == 12
        assert speakers[0::3] == speakers[1::3] == speakers[2::3]
        assert len(set(speakers[0::3])) == 4


def test_every_speaker_comes_up_equally_often() -> None:
    # 9 batches of 4 are 36 turns for 7 speakers: 5 each, and 6 for one.
    turns = Counter(speaker for batch in p_by_k() for speaker in speakers_of(batch)[::3])
    assert sorted(turns.values()) == [5, 5, 5, 5, 5, 5, 6]


def test_every_speaker_comes_up_once_in_each_pass() -> None:
    sampler = SpeakerBatchSampler(LABELS, speakers=7, utterances=2, batches=3, seed=0)
    assert [sorted(speakers_of(batch)[::2]) for batch in sampler] == [[10, 20, 30, 40, 50, 60, 70]] * 3


def test_a_speaker_with_enough_utterances_gives_different_whole_ones() -> None:
    for batch in p_by_k():
        whole = [draw for draw in batch if LABELS[draw.index] >= 30]
        assert len({draw.index for draw in whole}) == len(whole)
        assert {(draw.part, draw.parts) for draw in whole} <= {(0, 1)}


def test_a_speaker_with_too_few_utterances_gives_disjoint_parts() -> None:
    seen = set()
    for batch in p_by_k():
        own: dict[int, list[tuple[int, int]]] = {10: [], 20: []}
        for draw in batch:
            if LABELS[draw.index] < 30:
                own[LABELS[draw.index]].append((draw.part, draw.parts))
        # One utterance in three parts; of two utterances one whole and one in halves.
        assert sorted(own[10]) in ([], [(0, 3), (1, 3), (2, 3)])
        assert sorted(own[20]) in ([], [(0, 1), (0, 2), (1, 2)])
        seen |= {speaker for speaker, draws in own.items() if draws}
    assert seen == {10, 20}


def test_all_utterances_are_used_in_the_end() -> None:
    sampler = SpeakerBatchSampler(LABELS, speakers=7, utterances=2, batches=60, seed=0)
    assert {draw.index for batch in sampler for draw in batch} == set(range(len(LABELS)))


def test_balance_below_one_favours_speakers_with_many_utterances() -> None:
    labels = [0] * 90 + [1] * 9 + [2]
    sampler = SpeakerBatchSampler(labels, speakers=1, utterances=1, batches=2000, seed=0, balance=0.0)
    turns = np.bincount([labels[draw.index] for batch in sampler for draw in batch])
    # One speaker a batch, so exactly in proportion: 1800, 180, 20 of 2000; standard deviation 13 at most.
    assert np.abs(turns - [1800, 180, 20]).max() < 50
    half = SpeakerBatchSampler(labels, speakers=1, utterances=1, batches=2000, seed=0, balance=0.5)
    turns = np.bincount([labels[draw.index] for batch in half for draw in batch])
    # Square roots 9.49, 3 and 1 of 13.49.
    assert np.abs(turns - np.sqrt([90, 9, 1]) / (np.sqrt(90) + 4) * 2000).max() < 80


@pytest.mark.parametrize(("make", "rows"), [(pairs, 2), (triplets, 3)])
def test_pairs_and_triplets_favour_speakers_with_many_utterances_as_much(make: Make, rows: int) -> None:
    sampler = make(balance=0.5)
    drawn = [speakers_of(batch) for epoch in range(40) for batch in epoch_of(sampler, epoch)]
    expected = np.sqrt(range(1, 8)) / np.sqrt(range(1, 8)).sum()
    first = np.bincount([speaker // 10 - 1 for batch in drawn for speaker in batch[::rows]])
    # 2160 draws or more: a standard deviation of 0.9 % at most.
    assert np.abs(first / first.sum() - expected).max() < 0.03
    # Whoever is met is drawn by the same chances among the rest: of speaker 70, those of 1 to 6 utterances.
    met = [
        b for batch in drawn for a, b in zip(batch[0::rows], batch[rows - 1 :: rows], strict=True) if a == 70
    ]
    others = np.bincount([speaker // 10 - 1 for speaker in met if speaker != 70])
    assert len(others) == 6
    assert np.abs(others / others.sum() - expected[:6] / expected[:6].sum()).max() < 0.08


def test_pairs_and_triplets_may_outnumber_the_speakers() -> None:
    of_pairs = PairSampler([0, 0, 0, 1], pairs=8, batches=3, seed=0, balance=0.3)
    assert [len(batch) for batch in of_pairs] == [16] * 3
    of_triplets = TripletSampler([0, 0, 0, 1], triplets=8, batches=3, seed=0, balance=0.3)
    assert [len(batch) for batch in of_triplets] == [24] * 3


def test_weighted_batches_hold_no_speaker_twice() -> None:
    sampler = SpeakerBatchSampler(LABELS, speakers=5, utterances=2, batches=20, seed=0, balance=0.3)
    assert all(len(set(speakers_of(batch))) == 5 for batch in sampler)


# ---- pairs and triplets ---------------------------------------------------------------------------------


def test_half_of_the_pairs_are_of_one_speaker() -> None:
    for batch in pairs():
        first, second = speakers_of(batch)[0::2], speakers_of(batch)[1::2]
        assert [a == b for a, b in zip(first, second, strict=True)] == [True] * 4 + [False] * 4
        assert all(batch[i] != batch[i + 1] for i in range(0, 16, 2))


def test_triplets_are_anchor_positive_and_another_speaker() -> None:
    for batch in triplets():
        for i in range(0, 18, 3):
            anchor, positive, negative = speakers_of(batch[i : i + 3])
            assert anchor == positive != negative
            assert batch[i] != batch[i + 1]


@pytest.mark.parametrize(("make", "rows"), [(pairs, 2), (triplets, 3)])
def test_first_speakers_come_up_equally_often(make: Make, rows: int) -> None:
    turns = Counter(speaker for batch in make() for speaker in speakers_of(batch)[::rows])
    assert len(turns) == 7
    assert max(turns.values()) - min(turns.values()) <= 1


def test_the_other_speaker_is_any_of_the_rest() -> None:
    met = {
        (speakers[i], speakers[i + 2])
        for epoch in range(20)
        for speakers in map(speakers_of, epoch_of(triplets(), epoch))
        for i in range(0, 18, 3)
    }
    assert met == {(a, b) for a in set(LABELS) for b in set(LABELS) if a != b}


# ---- seeds, resumption, processes -----------------------------------------------------------------------


def epoch_of(sampler: BatchSampler, epoch: int) -> list[list[Draw]]:
    sampler.set_epoch(epoch)
    return list(sampler)


@every_sampler
def test_seed_and_epoch_decide_the_draws(make: Make) -> None:
    assert epoch_of(make(), 3) == epoch_of(make(), 3)
    assert list(make()) == epoch_of(make(), 0)
    assert epoch_of(make(), 3) != epoch_of(make(), 4)
    assert epoch_of(make(), 3) != epoch_of(make(seed=2), 3)


@every_sampler
def test_an_epoch_resumes_at_any_batch(make: Make) -> None:
    sampler = make()
    whole = epoch_of(sampler, 2)
    assert len(sampler) == len(whole) == 9
    for batch in (0, 4, 9):
        sampler.start(batch)
        assert list(sampler) == whole[batch:]
    sampler.start(4)
    assert len(epoch_of(sampler, 2)) == 9


@every_sampler
def test_processes_share_the_batch_of_one(make: Make) -> None:
    whole = epoch_of(make(), 1)
    first, second = (epoch_of(make(rank=rank, world_size=2), 1) for rank in range(2))
    for batch, a, b in zip(whole, first, second, strict=True):
        assert len(a) == len(b) == len(batch) // 2
        rows = len(batch) // make().units
        units = [batch[i : i + rows] for i in range(0, len(batch), rows)]
        assert a == [draw for unit in units[0::2] for draw in unit]
        assert b == [draw for unit in units[1::2] for draw in unit]


@every_sampler
def test_batches_differ(make: Make) -> None:
    whole = list(make())
    assert all(one != other for i, one in enumerate(whole) for other in whole[:i])


# ---- refusals -------------------------------------------------------------------------------------------


def test_corpora_that_cannot_be_sampled_are_refused() -> None:
    with pytest.raises(CorpusError, match="at least 2 speakers, and 3 utterances are of 1"):
        SpeakerBatchSampler([5, 5, 5], speakers=1, utterances=2, batches=1, seed=0)
    with pytest.raises(CorpusError, match="at least 2 speakers, and 0 utterances are of 0"):
        PairSampler([], pairs=2, batches=1, seed=0)
    with pytest.raises(CorpusError, match="label -1 is no speaker"):
        TripletSampler([0, -1, 1], triplets=1, batches=1, seed=0)
    with pytest.raises(CorpusError, match=r"batches.speakers: 3 a batch, and there are only 2"):
        SpeakerBatchSampler([0, 1, 1], speakers=3, utterances=2, batches=1, seed=0)


def test_numbers_out_of_range_are_refused() -> None:
    with pytest.raises(ConfigError, match="4 units a batch do not divide among 3 processes"):
        p_by_k(world_size=3)
    with pytest.raises(ConfigError, match="rank 2 is not from 0 to 1"):
        p_by_k(rank=2, world_size=2)
    with pytest.raises(ConfigError, match="0 units and 1 batches must both be 1 or more"):
        TripletSampler(LABELS, triplets=0, batches=1, seed=0)
    with pytest.raises(ConfigError, match=r"batches.utterances: 0 must be 1 or more"):
        SpeakerBatchSampler(LABELS, speakers=2, utterances=0, batches=1, seed=0)
    with pytest.raises(ConfigError, match=r"batches.balance: 1.5 is not between 0 and 1"):
        SpeakerBatchSampler(LABELS, speakers=2, utterances=2, batches=1, seed=0, balance=1.5)
    with pytest.raises(ConfigError, match=r"batches.balance: -0.1 is not between 0 and 1"):
        TripletSampler(LABELS, triplets=2, batches=1, seed=0, balance=-0.1)
    with pytest.raises(ConfigError, match=r"batches.pairs: 3 is odd"):
        PairSampler(LABELS, pairs=3, batches=1, seed=0)
    with pytest.raises(ConfigError, match="batch 10 is not in an epoch of 9"):
        p_by_k().start(10)


# ---- clips ----------------------------------------------------------------------------------------------


def test_every_clip_comes_up_once_before_any_comes_up_twice() -> None:
    # 28 clips in batches of 8: three batches and a half are a pass, and two passes end with a batch.
    drawn = [draw.index for batch in any_clips() for draw in batch]
    assert len(drawn) == 72
    assert sorted(drawn[:28]) == sorted(drawn[28:56]) == list(range(28))
    assert drawn[:28] != drawn[28:56]


def test_one_clip_is_nothing_to_draw_from() -> None:
    with pytest.raises(CorpusError, match="at least 2"):
        ClipSampler(1, size=8, batches=1, seed=0)
