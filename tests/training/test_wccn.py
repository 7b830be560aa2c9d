"""WCCN: embeddings are centred, even within speakers, and come out of the last layer so."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from training.conftest import tiny_recipe
from voiceprint.errors import ConfigError, CorpusError
from voiceprint.training.encoders import VoicemapConfig, make_encoder
from voiceprint.training.pool import Pool
from voiceprint.training.wccn import Normalization, fold, measure_normalization, within_class_normalization

SPEAKERS = [f"{name}/{number % 4}" for name in "ab" for number in range(40)]
CORPORA = [speaker[0] for speaker in SPEAKERS]


def embeddings() -> np.ndarray:
    """Of three dimensions, the first of which differs most within a speaker, and an offset."""
    rng = np.random.default_rng(0)
    centre = {speaker: rng.normal(size=3) for speaker in sorted(set(SPEAKERS))}
    return np.array([centre[s] + rng.normal(size=3) * (5, 1, 1) + (0, 7, 0) for s in SPEAKERS])


def within(vectors: np.ndarray) -> np.ndarray:
    """Covariance about the speakers' means."""
    rows = np.array(SPEAKERS)
    residuals = np.concatenate(
        [vectors[rows == s] - vectors[rows == s].mean(0) for s in sorted(set(SPEAKERS))]
    )
    return residuals.T @ residuals / len(residuals)


def test_without_shrinkage_the_covariance_within_speakers_becomes_the_unit_matrix() -> None:
    before = embeddings()
    found = within_class_normalization(before, SPEAKERS, CORPORA, shrinkage=0.0)
    after = (before - found.mean) @ found.matrix
    assert within(after) == pytest.approx(np.eye(3), abs=1e-9)
    assert after.mean(axis=0) == pytest.approx(0, abs=1e-9)


def test_shrinkage_leaves_some_of_the_difference_and_at_one_only_centres() -> None:
    before = embeddings()
    some = within_class_normalization(before, SPEAKERS, CORPORA, shrinkage=0.5).matrix
    spread = np.diag(within(before @ some))
    assert spread[0] > spread[1] and spread[0] / spread[1] < 0.5 * 25
    whole = within_class_normalization(before, SPEAKERS, CORPORA, shrinkage=1.0).matrix
    assert whole == pytest.approx(whole[0, 0] * np.eye(3), abs=1e-12)


def test_every_corpus_counts_alike_in_the_mean() -> None:
    vectors = np.array([[0.0], [0.2], [0.1], [1.0], [1.2]])
    found = within_class_normalization(
        vectors, ["a/1", "a/1", "a/2", "b/1", "b/1"], list("aaabb"), shrinkage=0
    )
    assert found.mean == pytest.approx([(0.1 + 1.1) / 2])


def test_speakers_of_one_clip_each_say_nothing_about_how_clips_differ() -> None:
    with pytest.raises(CorpusError, match="no training speaker has two clips"):
        within_class_normalization(np.ones((2, 3)), ["a/1", "a/2"], ["a", "a"], shrinkage=0.5)


def test_the_last_layer_gives_normalised_embeddings(tiny_pool: Path) -> None:
    encoder = make_encoder(tiny_recipe().encoder, seed=1).eval()
    pool = Pool(tiny_pool, voices=1)
    clip = torch.from_numpy(pool.read(0))[None]
    with torch.inference_mode():
        before = encoder(clip).double().numpy()
    found = measure_normalization(encoder, pool, seed=0)
    fold(encoder, found)
    with torch.inference_mode():
        after = encoder(clip).numpy()
    assert after == pytest.approx((before - found.mean) @ found.matrix, rel=1e-3, abs=1e-3)
    assert after != pytest.approx(before, rel=1e-2)


def test_other_encoders_are_left_as_they_are(tiny_pool: Path) -> None:
    encoder = make_encoder(VoicemapConfig(filters=4, dim=8), seed=1).eval()
    with pytest.raises(ConfigError, match="conv_bilstm, not for Voicemap"):
        measure_normalization(encoder, Pool(tiny_pool, voices=1), seed=0)
    with pytest.raises(ConfigError, match="conv_bilstm, not for Voicemap"):
        fold(encoder, Normalization(np.zeros(8), np.eye(8)))
