"""Tables in Markdown, and what work costs."""

from __future__ import annotations

from benchmarks.speed.verification import verification_table
from benchmarks.tables import markdown_table
from benchmarks.timing import peak_bytes, processor_name, repeat, resident_bytes, spent


def test_a_table_has_a_rule() -> None:
    assert markdown_table(["a", "b"], [["1", "2 %"]]) == "| a | b |\n| --- | --- |\n| 1 | 2 % |"
    assert markdown_table(["a", "b"], [], numbers=True) == "| a | b |\n| --- | ---: |"


def test_work_is_timed_as_often_as_it_is_asked_for() -> None:
    calls: list[int] = []
    times = repeat(lambda: calls.append(1), times=5, warm_up=0.0)
    assert len(times) == len(calls) == 5
    took = spent(lambda: sum(range(100_000)))
    assert took.seconds > 0 and took.processor > 0


def test_memory_and_processor_are_known() -> None:
    assert 0 < resident_bytes() <= peak_bytes() < 2**40
    assert processor_name()


def test_the_table_of_verification_says_what_missed_its_target() -> None:
    process = {"median": 0.5, "fastest": 0.4, "slowest": 0.6, "processor_seconds": 0.3, "peak_bytes": 80e6}
    found = {
        "seconds_of_audio": 3.0,
        "repetitions": 9,
        "processes": {"voiceprint": process, "resemblyzer": process | {"median": 1.5}},
        "times_faster": 3.0,
        "steps": {
            "voiceprint": {"decode": 0.001, "find_speech": 0.003, "embed": 0.003},
            "resemblyzer": {"decode and find_speech": 0.01, "embed": 0.03, "torch": "2.8"},
        },
        "embedding_of_real_time": 0.001,
        "installed": {name: {"bytes": 2e8, "packages": 20} for name in ("voiceprint", "resemblyzer")},
    }
    table = verification_table(found)
    assert "| verify, whole process, s | 0.50 | 1.50 | under 0.7: met |" in table
    assert "|   times faster | 3.0 | 1 | at least 4: MISSED |" in table
    assert "| embedding alone, fraction of real time | 1/1000 | 1/100 | under 1/333: met |" in table
    assert "| installed, MB (packages; torch 2.8) | 200 (20) | 200 (20) |  |" in table
