"""Batches: a crop depends on its place in the run and on nothing else."""

from __future__ import annotations

import multiprocessing
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from training.conftest import tiny_recipe
from voiceprint.errors import ConfigError
from voiceprint.training.data.batches import (
    Batch,
    ClipBatches,
    CropDataset,
    PairBatches,
    SpeakerBatches,
    TripletBatches,
    make_loader,
    make_sampler,
)
from voiceprint.training.data.pool import Pool
from voiceprint.training.data.samplers import PairSampler, SpeakerBatchSampler, TripletSampler
from voiceprint.training.data.voices import DrawnVoice


def noisy(samples: NDArray[np.float32], generator: np.random.Generator) -> NDArray[np.float32]:
    return samples + np.float32(0.01) * generator.standard_normal(len(samples), dtype=np.float32)


def batches(
    pool: Path, start: int, stop: int, *, rank: int = 0, world_size: int = 1, **settings: Any
) -> list[Batch]:
    speech = Pool(pool, voices=2)
    config = SpeakerBatches(**{"speakers": 4, "seconds": (0.3, 0.6), "workers": 0, **settings})
    targets = np.arange(2 * len(speech), dtype=np.float32).reshape(-1, 2)
    dataset = CropDataset(speech, config, augment=noisy, targets=targets, seed=9)
    sampler = make_sampler(config, speech.speakers, seed=9, rank=rank, world_size=world_size)
    return list(make_loader(dataset, sampler, start=start, stop=stop))


def assert_equal(first: Batch, second: Batch) -> None:
    assert torch.equal(first.waveforms, second.waveforms)
    assert torch.equal(first.labels, second.labels)
    assert torch.equal(first.seeds, second.seeds)
    assert first.teacher is not None and second.teacher is not None
    assert torch.equal(first.teacher, second.teacher)


def test_a_step_gives_the_same_batch_wherever_the_loader_begins(tiny_pool: Path) -> None:
    straight, later = batches(tiny_pool, 0, 5), batches(tiny_pool, 3, 5)
    assert len(straight) == 5
    for first, second in zip(straight[3:], later, strict=True):
        assert_equal(first, second)
    assert not torch.equal(straight[0].seeds, straight[1].seeds)


def test_a_worker_leaves_signals_to_the_training_process(tiny_pool: Path) -> None:
    speech = Pool(tiny_pool, voices=2)
    config = SpeakerBatches(speakers=4, seconds=(0.3, 0.6), workers=1)
    dataset = CropDataset(speech, config, augment=noisy, targets=None, seed=9)
    loader = iter(make_loader(dataset, make_sampler(config, speech.speakers, seed=9), start=0, stop=12))
    next(loader)
    (worker,) = multiprocessing.active_children()
    for number in (signal.SIGINT, signal.SIGTERM):
        os.kill(worker.pid or 0, number)
    assert len(list(loader)) == 11


def test_across_the_end_of_an_epoch(tiny_pool: Path) -> None:
    assert_equal(batches(tiny_pool, 998, 1002)[3], batches(tiny_pool, 1001, 1002)[0])


def test_a_worker_process_gives_the_same_batches(tiny_pool: Path) -> None:
    for first, second in zip(batches(tiny_pool, 0, 2), batches(tiny_pool, 0, 2, workers=1), strict=True):
        assert_equal(first, second)


def test_two_ranks_have_the_rows_of_the_whole_batch(tiny_pool: Path) -> None:
    (whole,) = batches(tiny_pool, 7, 8)
    halves = [batches(tiny_pool, 7, 8, rank=rank, world_size=2)[0] for rank in (0, 1)]
    seeds = torch.cat([half.seeds for half in halves])
    order = [int((seeds == seed).nonzero()) for seed in whole.seeds]
    assert torch.equal(torch.cat([half.waveforms for half in halves])[order], whole.waveforms)
    assert torch.equal(torch.cat([half.labels for half in halves])[order], whole.labels)


def test_crops_are_of_one_length_within_the_bounds(tiny_pool: Path) -> None:
    lengths = {batch.waveforms.shape[1] for batch in batches(tiny_pool, 0, 12)}
    assert all(4800 <= length <= 9600 for length in lengths)
    assert len(lengths) > 6


@pytest.mark.parametrize(("own_voice", "own"), [(1.0, {True}), (0.0, {False})])
def test_the_own_voice_comes_as_often_as_asked(tiny_pool: Path, own_voice: float, own: set[bool]) -> None:
    classes = Pool(tiny_pool, voices=2).classes
    heard = {
        classes[label][1] == DrawnVoice()
        for batch in batches(tiny_pool, 0, 4, own_voice=own_voice)
        for label in batch.labels
    }
    assert heard == own


def test_one_voice_of_a_speaker_in_a_batch(tiny_pool: Path) -> None:
    for batch in batches(tiny_pool, 0, 4):
        assert torch.equal(batch.labels[0::2], batch.labels[1::2])


def test_targets_belong_to_their_rows(tiny_pool: Path) -> None:
    labels = Pool(tiny_pool, voices=2).labels
    (batch,) = batches(tiny_pool, 0, 1)
    assert batch.teacher is not None
    assert [labels[int(row[0]) // 2] for row in batch.teacher] == batch.labels.tolist()


def test_crops_have_few_lengths_from_the_shortest_to_the_longest(tiny_pool: Path) -> None:
    lengths = {batch.waveforms.shape[1] for batch in batches(tiny_pool, 0, 200, seconds=(0.3, 0.6))}
    assert len(lengths) == 16
    assert (min(lengths), max(lengths)) == (4_800, 9_600)


def test_clips_shorter_than_the_crop_are_repeated(tiny_pool: Path) -> None:
    (batch,) = batches(tiny_pool, 0, 1, seconds=(2.0, 2.0))
    assert batch.waveforms.shape == (8, 32_000)
    levels = batch.waveforms.reshape(8, 4, -1).square().mean(dim=2)
    assert float(levels.min()) > 1e-4  # no stretch of silence


def test_kinds_of_samplers() -> None:
    speakers = [0, 0, 1, 1, 2, 2]
    assert isinstance(make_sampler(SpeakerBatches(speakers=2), speakers, seed=0), SpeakerBatchSampler)
    assert isinstance(make_sampler(PairBatches(pairs=4), speakers, seed=0), PairSampler)
    assert isinstance(make_sampler(TripletBatches(triplets=4), speakers, seed=0), TripletSampler)
    for config in (
        SpeakerBatches(speakers=2, balance=0.3),
        PairBatches(balance=0.3),
        TripletBatches(balance=0.3),
    ):
        assert make_sampler(config, speakers, seed=0).balance == 0.3
    assert type(tiny_recipe(batches={"kind": "speakers"}).batches) is SpeakerBatches
    assert type(tiny_recipe().batches) is SpeakerBatches


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"seconds": (2.0, 1.0)}, "batches.seconds"),
        ({"seconds": (0.01, 1.0)}, "batches.seconds"),
        ({"own_voice": 1.5}, "batches.own_voice: 1.5"),
        ({"workers": -1}, "batches.workers: -1"),
    ],
)
def test_settings_that_make_no_batch(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        SpeakerBatches(**settings)


def test_a_crop_of_a_whole_clip_is_the_clip(tiny_pool: Path) -> None:
    speech = Pool(tiny_pool, voices=1)
    config = ClipBatches(size=4, seconds=(1.0, 1.0), workers=0)
    dataset = CropDataset(speech, config, augment=lambda samples, _: samples, targets=None, seed=1)
    (batch,) = make_loader(dataset, make_sampler(config, speech.speakers, seed=1), start=0, stop=1)
    clips = [speech.read(index, 0, 16_000) for index in range(len(speech))]
    assert batch.waveforms.shape == (4, 16_000)
    for waveform, label in zip(batch.waveforms.numpy(), batch.labels, strict=True):
        (index,) = [i for i, clip in enumerate(clips) if np.array_equal(clip, waveform)]
        assert speech.labels[index] == label
