from __future__ import annotations

import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from voiceprint.audio.quality import ClipQuality
from voiceprint.errors import TrialError
from voiceprint.evaluation.benchmark import Benchmark, LabelledEmbeddings, open_set
from voiceprint.scoring import centroid, cosine, normalize
from voiceprint.store import EnrolledUtterance, EnrollmentStore


def people(
    speakers: int, clips: int, *, dim: int = 16, noise: float = 1.0, sessions: int = 0, seed: int = 0
) -> LabelledEmbeddings:
    rng = np.random.default_rng(seed)
    means = rng.standard_normal((speakers, 1, dim))
    rows = means + noise * rng.standard_normal((speakers, clips, dim))
    return LabelledEmbeddings(
        embeddings=normalize(rows.reshape(-1, dim)),
        speakers=np.repeat([f"s{i:03}" for i in range(speakers)], clips),
        sessions=np.tile([f"d{i % sessions}" if sessions else "" for i in range(clips)], speakers),
    )


def test_episodes_are_what_they_should_be() -> None:
    clips = people(12, 6)
    drawn = Benchmark(clips).draw(n=3, k=5, episodes=500, seed=1)
    assert drawn.support.shape == (500, 5, 3)
    who = clips.speakers[drawn.support]
    assert (who == who[..., :1]).all()  # the clips of one person are of one person,
    assert all(len(set(row)) == 5 for row in who[..., 0])  # the people differ,
    assert all(len(set(row)) == 15 for row in drawn.support.reshape(500, -1))  # no clip comes twice,
    asked = who[np.arange(500), drawn.answer, 0]
    assert (asked == clips.speakers[drawn.query]).all()  # the answer is right,
    assert not (drawn.support.reshape(500, -1) == drawn.query[:, None]).any()  # and the query is another clip


def test_draws_follow_the_seed_and_are_even() -> None:
    benchmark = Benchmark(people(6, 4))
    first, again, other = (benchmark.draw(n=1, k=2, episodes=6000, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.support, again.support)
    assert not np.array_equal(first.query, other.query)
    assert set(Counter(first.answer.tolist())) == {0, 1}
    counts = Counter(first.query.tolist())
    assert len(counts) == 24
    assert min(counts.values()) > 250 - 5 * 16  # 250 each, five standard deviations
    assert max(counts.values()) < 250 + 5 * 16


def test_the_answers_are_the_nearest_centroids() -> None:
    clips = people(10, 5, noise=2.0)
    benchmark = Benchmark(clips)
    drawn = benchmark.draw(n=2, k=4, episodes=50, seed=3)
    plain = [
        max(
            range(4),
            key=lambda way: float(cosine(centroid(clips.embeddings[support[way]]), clips.embeddings[query])),
        )
        for support, query in zip(drawn.support, drawn.query, strict=True)
    ]
    assert benchmark.answer(drawn).tolist() == plain
    assert benchmark.run(n=2, k=4, episodes=50, seed=3).accuracy == np.mean(plain == drawn.answer)


def test_nearness_may_be_other_than_a_cosine() -> None:
    rows = np.array([[1, 0], [1, 0.2], [9, 0], [9, 0.2]], dtype=np.float32)  # apart by their lengths alone
    clips = LabelledEmbeddings(embeddings=rows, speakers=np.array(["ada", "ada", "bob", "bob"]))

    def by_first(known: NDArray[np.float32], asked: NDArray[np.float32]) -> NDArray[np.float32]:
        apart: NDArray[np.float32] = np.abs(known[..., 0].mean(axis=2) - asked[:, None, 0])
        return -apart

    assert Benchmark(clips, nearness=by_first).run(n=1, k=2, episodes=50).accuracy == 1.0


def test_an_episode_is_what_identify_does(tmp_path: Path) -> None:
    clips = people(8, 4, noise=2.0)
    benchmark = Benchmark(clips)
    drawn = benchmark.draw(n=3, k=6, episodes=10, seed=0)
    quality = ClipQuality(seconds=3.0, seconds_of_speech=3.0, level_dbfs=-20.0, clipped=0.0, snr_db=30.0)
    for episode, nearest in enumerate(benchmark.answer(drawn)):
        with EnrollmentStore.open(tmp_path / str(episode), model_id="a" * 64, dim=16) as store:
            for way, support in enumerate(drawn.support[episode]):
                utterances = [
                    EnrolledUtterance(
                        embedding=clips.embeddings[row],
                        clip_sha256=f"{row:064x}",
                        source=str(row),
                        quality=quality,
                    )
                    for row in support
                ]
                store.add(str(way), utterances)
            (hit,) = store.search(clips.embeddings[drawn.query[episode]], top=1)
        assert hit.name == str(nearest)


def test_sessions_of_query_and_support_differ() -> None:
    clips = people(6, 6, sessions=3)
    assert clips.sessions is not None
    drawn = Benchmark(clips, across_sessions=True).draw(n=4, k=3, episodes=300, seed=0)
    own = clips.sessions[drawn.support[np.arange(300), drawn.answer]]
    assert not (own == clips.sessions[drawn.query][:, None]).any()
    assert all(len(set(row.tolist())) == 4 for row in drawn.support[np.arange(300), drawn.answer])


def test_unknown_sessions_are_never_queries() -> None:
    clips = people(4, 6, sessions=3)
    assert clips.sessions is not None
    sessions = np.where(np.arange(24) % 6 == 0, "", clips.sessions)
    unsure = LabelledEmbeddings(embeddings=clips.embeddings, speakers=clips.speakers, sessions=sessions)
    drawn = Benchmark(unsure, across_sessions=True).draw(n=1, k=2, episodes=300, seed=0)
    assert (sessions[drawn.query] != "").all()
    with pytest.raises(TrialError, match="needs sessions"):
        Benchmark(people(4, 3), across_sessions=True)


def test_who_has_too_few_clips_is_named() -> None:
    full = people(5, 4)
    clips = LabelledEmbeddings(embeddings=full.embeddings[:-2], speakers=full.speakers[:-2])
    result = Benchmark(clips).run(n=3, k=4, episodes=100)
    assert (result.speakers, result.excluded) == (4, ("s004",))
    with pytest.raises(TrialError, match="k is 5, but only 4 of 5 speakers have the clips for n = 3"):
        Benchmark(clips).run(n=3, k=5, episodes=100)


def test_accuracy_of_the_perfect_and_of_the_deaf() -> None:
    perfect = people(10, 3, noise=1e-3)
    result = Benchmark(perfect).run(n=1, k=5, episodes=500)
    assert (result.accuracy, result.low, result.high) == (1.0, 0.7, 1.0)  # rule of three, 10 speakers
    deaf = LabelledEmbeddings(embeddings=np.tile(perfect.embeddings[:1], (30, 1)), speakers=perfect.speakers)
    result = Benchmark(deaf).run(n=1, k=5, episodes=5000)
    assert abs(result.accuracy - 0.2) < 0.03
    assert result.low < result.accuracy < result.high


def test_more_shots_help_and_more_ways_hurt() -> None:
    benchmark = Benchmark(people(25, 8, noise=2.5))
    one, five, many = (benchmark.run(n=n, k=k, episodes=3000).accuracy for n, k in ((1, 5), (5, 5), (1, 20)))
    assert many < one < five
    assert [(r.n, r.k) for r in benchmark.grid(n=[1, 2], k=[2, 3], episodes=10)] == [
        (1, 2),
        (1, 3),
        (2, 2),
        (2, 3),
    ]


def test_ten_thousand_episodes_are_quick() -> None:
    benchmark = Benchmark(people(30, 20, dim=192))
    benchmark.run(n=5, k=20, episodes=100)
    start = time.process_time()  # the machine may be busy with other things
    benchmark.run(n=5, k=20, episodes=10_000)
    assert time.process_time() - start < 2.0


def test_rows_and_names_must_match() -> None:
    with pytest.raises(TrialError, match="there are 2 speakers"):
        LabelledEmbeddings(embeddings=np.eye(3, dtype=np.float32), speakers=np.array(["a", "b"]))


def test_open_set_by_hand() -> None:
    # One person is enrolled from a pair of like clips; the other pair are out of the set, at right angles.
    clips = LabelledEmbeddings(
        embeddings=normalize([[1, 0], [1, 0], [0, 1], [0, 1]]), speakers=np.array(["a", "a", "b", "b"])
    )
    result = open_set(clips, n=1, enrolled=1, rates=(0.5,), draws=3)
    assert (result.rank1, result.n_known, result.n_out_of_set) == (1.0, 3, 6)
    assert result.rates[0].dir == 1.0
    assert result.rates[0].threshold == 1.0
    assert not result.rates[0].resolved
    np.testing.assert_allclose(result.p_fa, [0, 0, 1])
    np.testing.assert_allclose(result.dir, [0, 1, 1])


def test_open_set_is_honest_at_its_own_threshold() -> None:
    result = open_set(people(20, 8, noise=1.5), n=3, rates=(0.1, 0.01, 0.001), draws=40)
    loose, strict, strictest = result.rates
    assert result.rank1 >= loose.dir >= strict.dir >= strictest.dir > 0
    assert (loose.resolved, strict.resolved, strictest.resolved) == (True, True, False)
    place = np.flatnonzero(result.dir == loose.dir)[0]
    assert result.p_fa[place] <= 0.1
    assert result.dir[-1] == result.rank1
    assert result.enrolled == 10


@pytest.mark.parametrize("options", [{"n": 8}, {"enrolled": 21}, {"enrolled": 20}])
def test_open_set_needs_people_inside_and_outside(options: dict[str, int]) -> None:
    with pytest.raises(TrialError, match="somebody must be left outside the set"):
        open_set(people(20, 8), **options)  # type: ignore[arg-type]
