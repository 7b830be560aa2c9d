"""A store measured at tiny size: every figure is there, and a search that is exact misses nobody."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.program import BenchmarkError
from benchmarks.store.command import measure_index
from benchmarks.store.measure import measure_store
from benchmarks.store.people import Crowd
from benchmarks.store.voices import Voices, nearest


def crowd(n: int) -> Crowd:
    rng = np.random.default_rng(1)
    return Crowd(Voices(rng, dim=16, decay=0.35), n, most_clips=3, rng=rng)


def test_a_store_is_measured_and_only_an_empty_one(tmp_path: Path) -> None:
    place = str(tmp_path / "store")
    figures = measure_store(place, crowd(60), queries=8, seed=1, exchanged=True)
    assert figures["speakers"] == 60
    assert figures["recall at 10, everybody, enrolled"] == 1.0
    for what in ("enroll", "remove", "a process that searches", "search, as usual"):
        assert 0 < figures[f"{what}, median (ms)"] <= figures[f"{what}, 90th percentile (ms)"]
    assert all(figures[f"import {suffix}, megabytes of memory"] > 10 for suffix in ("npz", "json"))
    with pytest.raises(BenchmarkError, match="is not empty"):
        measure_store(place, crowd(60), queries=8, seed=1, exchanged=False)


def test_an_index_is_measured_alone() -> None:
    voices = Voices(np.random.default_rng(1), dim=16, decay=0.35)
    figures = measure_index(voices, 300, queries=8, seed=1)
    assert figures["recall at 10, by the sketch, enrolled"] == 1.0


def test_voices_are_of_unit_length_and_clips_near_theirs() -> None:
    voices = Voices(np.random.default_rng(1), dim=64, decay=0.35)
    many = voices.draw_many(200)
    np.testing.assert_allclose(np.linalg.norm(many, axis=1), 1.0, rtol=1e-5)
    cosines = [float(voices.clip_of(voice) @ voice) for voice in many]
    assert 0.65 < np.mean(cosines) < 0.85
    asked = voices.queries(many, 10, seed=3)
    places = np.random.default_rng(3).integers(200, size=5)
    assert [nearest(many, query, 1)[0] for query in asked[:5]] == places.tolist()


def test_voices_may_be_drawn_around_real_ones() -> None:
    real = np.random.default_rng(0).standard_normal((50, 8))
    voices = Voices(np.random.default_rng(1), dim=192, decay=0.35, real=real)
    assert voices.draw_many(3).shape == (3, 8)
    assert voices.draw().shape == (8,)
