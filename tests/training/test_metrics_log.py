"""The log of a run: appended, read while it is written, and cut where a run goes on."""

from __future__ import annotations

from pathlib import Path

from voiceprint.training.run.metrics_log import append_metrics, cut_metrics, read_metrics


def test_lines_come_back_in_their_order(tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert read_metrics(run) == []
    for step in (1, 2):
        append_metrics(run, {"step": step, "loss": 1 / step})
    assert read_metrics(run) == [{"step": 1, "loss": 1.0}, {"step": 2, "loss": 0.5}]


def test_a_line_that_is_being_written_is_left_out(tmp_path: Path) -> None:
    append_metrics(tmp_path, {"step": 1})
    with (tmp_path / "metrics.jsonl").open("a") as log:
        log.write('{"step": 2, "lo')
    assert read_metrics(tmp_path) == [{"step": 1}]


def test_steps_that_are_done_again_are_cut(tmp_path: Path) -> None:
    for step in (1, 2, 3):
        append_metrics(tmp_path, {"step": step})
    with (tmp_path / "metrics.jsonl").open("a") as log:
        log.write('{"step": 4, "lo')
    (tmp_path / "earlier").hardlink_to(tmp_path / "metrics.jsonl")
    cut_metrics(tmp_path, after=2)
    assert read_metrics(tmp_path) == [{"step": 1}, {"step": 2}]
    assert len((tmp_path / "earlier").read_text().splitlines()) == 4, "a reader has the old file, whole"
    append_metrics(tmp_path, {"step": 3})
    assert [line["step"] for line in read_metrics(tmp_path)] == [1, 2, 3]


def test_a_run_without_a_log_has_nothing_to_cut(tmp_path: Path) -> None:
    cut_metrics(tmp_path, after=0)
    assert list(tmp_path.iterdir()) == []
