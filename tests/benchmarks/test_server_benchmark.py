"""What a load came to: outcomes counted, promises held to, requests as a form has them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from small_corpus import write_small_corpus

from benchmarks.program import BenchmarkError
from benchmarks.server.client import Answered, form, summary
from benchmarks.server.clips import read_people
from benchmarks.server.command import judge
from benchmarks.server.load import Load, measure_ours

LOAD = Load(processes=2, rate=60.0, seconds=30.0, requests=1000, seed=0)


def figures(**overload: Any) -> dict[str, Any]:
    kept = {
        "outcomes": {"200": 10, "503": 5},
        "p99_ms": 300.0,
        "refused_without_retry_after": 0,
        "enrollments_lost": 0,
        "store_problems": [],
    }
    return {
        "steady": {"outcomes": {"200": 100}, "p99_ms": 100.0},
        "many": {"memory_mib": [100.0, 104.0]},
        "overload": kept | overload,
    }


@pytest.mark.parametrize(
    ("overload", "broken"),
    [
        ({}, 0),
        ({"outcomes": {"200": 10, "503": 5, "500": 1}}, 1),
        ({"outcomes": {"200": 10, "503": 5, "timeout": 1}}, 1),
        ({"p99_ms": 500.0}, 1),
        ({"refused_without_retry_after": 1}, 1),
        ({"enrollments_lost": 1}, 1),
        ({"store_problems": ["damaged"]}, 1),
        ({"p99_ms": None, "outcomes": {"503": 5}}, 1),  # nothing was answered in time
    ],
)
def test_figures_are_held_to_each_promise(overload: dict[str, Any], broken: int) -> None:
    promises = judge(figures(**overload), LOAD)
    assert len(promises) == 7
    assert sum(not kept for kept in promises.values()) == broken


def test_memory_that_grows_breaks_its_promise() -> None:
    grown = figures() | {"many": {"memory_mib": [100.0, 106.0]}}
    assert [promise for promise, kept in judge(grown, LOAD).items() if not kept] == [
        "memory is flat over 1000 requests"
    ]


def test_outcomes_are_counted_and_only_good_ones_timed() -> None:
    answers = [Answered(outcome="200", seconds=0.1), Answered(outcome="503", seconds=9.0)]
    assert summary(answers) == {
        "requests": 2,
        "outcomes": {"200": 1, "503": 1},
        "p50_ms": 100.0,
        "p99_ms": 100.0,
    }
    assert summary([])["p50_ms"] is None


def test_a_form_says_how_long_it_is() -> None:
    head, _, body = form("/v1/speakers", "clips", [b"RIFF"], "key", name="ada").partition(b"\r\n\r\n")
    assert b"POST /v1/speakers HTTP/1.1" in head
    assert f"Content-Length: {len(body)}".encode() in head
    assert b'name="name"\r\n\r\nada\r\n' in body and b"RIFF" in body


def test_a_server_answers_every_verification(
    tmp_path: Path, model_folder: Path, voice: Callable[..., object]
) -> None:
    write_small_corpus(tmp_path / "small", voice, clips=4, seconds=4.0)
    manifest = tmp_path / "small" / "manifest.csv"
    with pytest.raises(BenchmarkError, match="lists 6 speakers with 4 clips; 7 are needed"):
        read_people(manifest, 7)
    people = read_people(manifest, 2)
    assert [len(clips) for clips in people.values()] == [4, 4]
    load = Load(processes=1, rate=4.0, seconds=2.0, requests=10, seed=0)
    found = measure_ours(tmp_path / "store", people, load, model=model_folder)
    assert found["enrolled"] == 2
    assert found["steady"]["outcomes"] == {"200": 8}
    assert found["many"]["outcomes"] == {"200": 10}
    assert found["overload"]["enrollments_lost"] == 0
    assert len(found["many"]["memory_mib"]) == 10
