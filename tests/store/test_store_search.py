"""Searching, asked of each kind of store."""

import dataclasses
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.typing import NDArray
from store_voices import DIM, clip, clips, open_store, vector

from voiceprint.errors import (
    ArgumentError,
    StoreError,
)
from voiceprint.scoring import cosine
from voiceprint.store import EnrollmentStore


def test_search_ranks_as_brute_force(store: EnrollmentStore) -> None:
    rng = np.random.default_rng(5)
    expected = {}
    for person in range(200):
        name = f"{rng.integers(1 << 30)}"
        expected[name] = store.add(name, clips(person, 1 + person % 3)).centroid
    for number in range(20):
        query = vector(number, 77)
        scores = {name: float(cosine(voice, query)) for name, voice in expected.items()}
        ranking = sorted(scores, key=lambda name: (-scores[name], name))
        for top in (1, 7, 200, 500):
            hits = store.search(query, top=top)
            assert [hit.name for hit in hits] == ranking[:top]
            assert [hit.score for hit in hits] == [scores[name] for name in ranking[:top]]


def test_voices_that_half_precision_cannot_tell_apart_rank_exactly(store: EnrollmentStore) -> None:
    rng = np.random.default_rng(3)
    voices = {}
    for number in range(60):
        near = vector(1, 0) + 1e-4 * rng.standard_normal(DIM).astype(np.float32)
        utterance = dataclasses.replace(clip(1, number), embedding=near / np.linalg.norm(near))
        voices[f"{number}"] = store.add(f"{number}", [utterance]).centroid
    query = vector(1, 7)
    scores = {name: float(cosine(voice, query)) for name, voice in voices.items()}
    ranking = sorted(scores, key=lambda name: (-scores[name], name))
    assert [hit.name for hit in store.search(query, top=5)] == ranking[:5]


def test_equal_voices_come_in_order_of_their_names(store: EnrollmentStore) -> None:
    names = [f"{number:02d}" for number in np.random.default_rng(1).permutation(40)]
    for name in names:
        store.add(name, [clip(1, 0)])
    assert [hit.name for hit in store.search(vector(2, 0), top=3)] == ["00", "01", "02"]
    assert [hit.name for hit in store.search(vector(2, 0), top=40)] == sorted(names)


def test_a_hit_says_how_many_clips_it_rests_on(store: EnrollmentStore) -> None:
    store.add("ada", clips(1, 3))
    (hit,) = store.search(vector(1, 0), top=5)
    assert (hit.name, hit.n_utterances) == ("ada", 3)


def test_nobody_is_found_where_nobody_is(store: EnrollmentStore) -> None:
    assert store.search(vector(1, 0), top=3) == []
    store.add("ada", clips(1))
    store.remove("ada")
    assert store.search(vector(1, 0), top=3) == []


@pytest.mark.parametrize("query", [vector(1, dim=8), np.full(DIM, np.nan, np.float32), vector(1)[None]])
def test_an_unfit_query_is_refused(store: EnrollmentStore, query: NDArray[np.float32]) -> None:
    store.add("ada", clips(1))
    with pytest.raises(StoreError, match=r"finite embedding of shape \(32,\)"):
        store.search(query, top=1)


def test_a_search_for_none_is_refused(store: EnrollmentStore) -> None:
    with pytest.raises(ArgumentError, match="top is 0"):
        store.search(vector(1), top=0)


def test_a_search_sees_what_another_connection_changed(place: str, store: EnrollmentStore) -> None:
    store.add("ada", clips(1))
    assert store.search(vector(1, 0), top=9)[0].name == "ada"
    with open_store(place) as other:
        other.add("bert", clips(2))
        other.add("cleo", clips(3))
        assert {hit.name for hit in store.search(vector(1, 0), top=9)} == {"ada", "bert", "cleo"}
        other.remove("ada")
        other.add("bert", clips(4), mode="replace")
        other.rename("cleo", "clea")
    assert {hit.name for hit in store.search(vector(1, 0), top=9)} == {"bert", "clea"}
    assert store.search(vector(4, 0), top=1)[0].name == "bert"


def test_threads_may_share_a_store(store: EnrollmentStore) -> None:
    def work(first: int) -> None:
        for person in range(first, first + 10):
            store.add(f"{person}", clips(person))
            assert store.search(vector(person, 0), top=1)[0].name == f"{person}"

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(work, [100, 200, 300, 400]))
    assert len(store) == 40
    assert store.problems() == []
