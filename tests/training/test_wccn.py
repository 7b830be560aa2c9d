"""WCCN: embeddings are centred, even within speakers, and come out of the last layer so."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from training.conftest import tiny_recipe
from voiceprint.errors import ConfigError, CorpusError
from voiceprint.training.data.pool import Pool
from voiceprint.training.encoders import VoicemapConfig, make_encoder
from voiceprint.training.export.wccn import (
    Normalization,
    fold,
    mean_of_corpora,
    measure_normalization,
    normalization,
    within_class_covariance,
)
from voiceprint.training.run.assembly import training_batches
from voiceprint.training.run.task import Noise

SPEAKERS = [f"{name}/{number % 4}" for name in "ab" for number in range(40)]
CORPORA = [speaker[0] for speaker in SPEAKERS]


def embeddings() -> NDArray[np.float64]:
    """Of three dimensions, the first of which differs most within a speaker, and an offset."""
    rng = np.random.default_rng(0)
    centre = {speaker: rng.normal(size=3) for speaker in sorted(set(SPEAKERS))}
    return np.array([centre[s] + rng.normal(size=3) * (5, 1, 1) + (0, 7, 0) for s in SPEAKERS])


def within(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Covariance about the speakers' means."""
    rows = np.array(SPEAKERS)
    residuals = np.concatenate(
        [vectors[rows == s] - vectors[rows == s].mean(0) for s in sorted(set(SPEAKERS))]
    )
    covariance: NDArray[np.float64] = residuals.T @ residuals / len(residuals)
    return covariance


def change(vectors: NDArray[np.float64], *, shrinkage: float) -> Normalization:
    """WCCN by these vectors' own speakers."""
    _, classes = np.unique(SPEAKERS, return_inverse=True)
    covariance = within_class_covariance(vectors, classes)
    return normalization(mean_of_corpora(vectors, CORPORA), covariance, shrinkage=shrinkage)


def test_without_shrinkage_the_covariance_within_speakers_becomes_the_unit_matrix() -> None:
    before = embeddings()
    found = change(before, shrinkage=0.0)
    after = (before - found.mean) @ found.matrix
    assert within(after) == pytest.approx(np.eye(3), abs=1e-9)
    assert after.mean(axis=0) == pytest.approx(0, abs=1e-9)


def test_shrinkage_leaves_some_of_the_difference_and_at_one_only_centres() -> None:
    before = embeddings()
    some = change(before, shrinkage=0.5).matrix
    spread = np.diag(within(before @ some))
    assert spread[0] > spread[1] and spread[0] / spread[1] < 0.5 * 25
    whole = change(before, shrinkage=1.0).matrix
    assert whole == pytest.approx(whole[0, 0] * np.eye(3), abs=1e-12)


def test_every_corpus_counts_alike_in_the_mean() -> None:
    vectors = np.array([[0.0], [0.2], [0.1], [1.0], [1.2]])
    assert mean_of_corpora(vectors, list("aaabb")) == pytest.approx([(0.1 + 1.1) / 2])


def test_the_covariance_is_that_about_the_means_of_classes_of_two_or_more() -> None:
    vectors = np.array([[0.0, 1.0], [50.0, 70.0], [2.0, 1.0], [7.0, 3.0], [7.0, 5.0]])
    classes = np.array([3, 9, 3, 4, 4])
    assert within_class_covariance(vectors, classes) == pytest.approx(np.diag([0.5, 0.5]))


def test_speakers_of_one_clip_each_say_nothing_about_how_clips_differ() -> None:
    with pytest.raises(CorpusError, match="no training speaker has two clips"):
        within_class_covariance(np.ones((2, 3)), np.array([0, 1]))


def test_the_last_layer_gives_normalised_embeddings_of_what_training_hears(tiny_pool: Path) -> None:
    encoder = make_encoder(tiny_recipe().encoder, seed=1).eval()
    pool = Pool(tiny_pool, voices=1)
    batches = list(training_batches(tiny_recipe(), pool, Noise(), steps=30))
    waveforms = [batch.waveforms for batch in batches]
    labels = torch.cat([batch.labels for batch in batches]).numpy()
    told: list[tuple[int, int]] = []
    found = measure_normalization(
        encoder, pool, batches, seed=0, progress=lambda done, total: told.append((done, total))
    )
    with torch.inference_mode():
        before = torch.cat([encoder(w) for w in waveforms]).double().numpy()
        fold(encoder, found)
        after = torch.cat([encoder(w) for w in waveforms]).double().numpy()
    assert after == pytest.approx((before - found.mean) @ found.matrix, rel=1e-3, abs=1e-2)
    # A fifth of the way to the unit matrix: directions in which one speaker's crops differ are drawn in.
    uneven = [
        np.ptp(np.linalg.eigvalsh(c := within_class_covariance(x, labels))) / np.trace(c)
        for x in (before, after)
    ]
    assert uneven[1] < 0.8 * uneven[0]
    assert [done for done, _ in told] == list(range(1, len(pool) + 31))


def test_crops_are_those_of_the_runs_first_steps(tiny_pool: Path) -> None:
    recipe, pool = tiny_recipe(), Pool(tiny_pool, voices=1)
    first = [batch.waveforms for batch in training_batches(recipe, pool, Noise(), steps=3)]
    again = [batch.waveforms for batch in training_batches(recipe, pool, Noise(), steps=2)]
    assert len(first) == 3
    assert all(torch.equal(a, b) for a, b in zip(again, first, strict=False))


def test_other_encoders_are_left_as_they_are(tiny_pool: Path) -> None:
    encoder = make_encoder(VoicemapConfig(filters=4, dim=8), seed=1).eval()
    with pytest.raises(ConfigError, match="conv_bilstm, not for Voicemap"):
        measure_normalization(encoder, Pool(tiny_pool, voices=1), [], seed=0)
    with pytest.raises(ConfigError, match="conv_bilstm, not for Voicemap"):
        fold(encoder, Normalization(np.zeros(8), np.eye(8)))
