"""The page of baselines: every table has its shape, and every figure its interval, cost and commit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from baseline_records import MEASURED, record, tables

from benchmarks.baselines.bench import (
    default_clips,
)
from benchmarks.baselines.records import (
    Accuracy,
    Confusion,
    Costs,
    Record,
)
from benchmarks.baselines.report import NOT_YET, markdown, verdicts, write_report
from benchmarks.baselines.rows import ROWS


def test_every_table_has_a_cell_for_every_column_and_every_row_stands_somewhere() -> None:
    for records in ({}, {row.name: record(row.name, MEASURED) for row in ROWS}):
        page = markdown(records, {})
        assert "{{" not in page
        for table in tables(page):
            assert len({line.count("|") for line in table}) == 1, table[0]
        for row in ROWS:
            assert f"`{row.name}`" in page, row.name
        assert any(NOT_YET in line for table in tables(page) for line in table) == (not records)


def test_what_did_not_run_is_said_and_nothing_else_is_claimed() -> None:
    page = markdown({}, {})
    assert "No row has run yet." in page
    first = next(table for table in tables(page) if "(`keras-fft`)" in "".join(table))
    assert all(NOT_YET in line for line in first[2:])


def test_rows_that_had_less_time_are_named() -> None:
    records = {
        "voicemap": record("voicemap", MEASURED),
        "svm": record("svm", replace(MEASURED, training_minutes=1.0, converged=True)),
        "lstm-triplet": record("lstm-triplet", replace(MEASURED, training_minutes=17.2)),
    }
    assert "with the rest: `lstm-triplet`; the same command" in markdown(records, {})
    header = verdicts(records).splitlines()[0]
    assert "`default` beats `lstm-triplet` (so far: 17 minutes) |" in header
    assert "`default` beats `voicemap` |" in header
    del records["lstm-triplet"]
    assert "with the rest" not in markdown(records, {})


def test_figures_stand_with_interval_cost_and_commit() -> None:
    page = markdown({"keras-fft": record("keras-fft", MEASURED)}, {})
    (line,) = [line for line in page.splitlines() if "(`keras-fft`)" in line]
    assert "| - | 90.0 (85.0 to 95.1) | 1,234,567 | - | 90.0, **unconverged** | 1.2 | `abc` |" in line


def test_where_nobody_was_missed_wilsons_interval_stands() -> None:
    right = Confusion(title="random", names=("a", "b"), counts=((50, 0), (0, 50)))
    sure = Accuracy(what="accuracy/random", value=1.0, low=1.0, high=1.0)
    page = markdown(
        {"keras-fft": record("keras-fft", replace(MEASURED, figures=(sure,), confusions=(right,)))}, {}
    )
    (line,) = [line for line in page.splitlines() if "(`keras-fft`)" in line]
    assert "| 100.0 (96.3 to 100.0) | - |" in line  # n / (n + z^2)


def test_a_users_choice_without_training_stands_with_the_classifiers() -> None:
    near = Accuracy(what="centroid/20/blocks", value=0.8, low=0.7, high=0.9)
    page = markdown({"centroids": record("centroids", replace(MEASURED, figures=(near,)))}, {})
    table = next(table for table in tables(page) if "(`keras-fft`)" in "".join(table))
    (line,) = [line for line in table if "20 clips" in line]
    assert "| - | 80.0 (70.0 to 90.0) |" in line


def test_what_was_trained_elsewhere_has_no_minutes() -> None:
    elsewhere = replace(MEASURED, training_minutes=None, clips_seen=640, converged=True)
    page = markdown({"default": record("default", elsewhere)}, {})
    lines = [line for line in page.splitlines() if "(`default`)" in line]
    assert len(lines) == 2 and all("| 1,234,567 | 640 | 0.0 | - | 1.2 |" in line for line in lines)


def test_verification_by_mixtures_has_costs_of_its_own() -> None:
    apart = Costs(parameters=777, clips_seen=None, training_minutes=3.0, ms_per_clip=9.0)
    page = markdown({"gmm-ubm": record("gmm-ubm", replace(MEASURED, verification=apart))}, {})
    closed, verification = [line for line in page.splitlines() if "(`gmm-ubm`)" in line]
    assert "| 1,234,567 | - | 90.0, **unconverged** | 1.2 |" in closed
    assert "| 777 | - | - | 3.0, **unconverged** | 9.0 |" in verification


def test_clips_stand_with_their_share_of_the_defaults() -> None:
    half = replace(MEASURED, clips_seen=default_clips() // 2)
    page = markdown({"voicemap": record("voicemap", half)}, {})
    lines = [line for line in page.splitlines() if "(`voicemap`)" in line]
    assert any(f"| {default_clips() // 2:,} | 50 |" in line for line in lines)
    few = record("voicemap", replace(MEASURED, clips_seen=default_clips() // 500))
    assert f"| {default_clips() // 500:,} | 0.2 |" in markdown({"voicemap": few}, {})


def test_the_default_beats_another_system_where_margin_or_intervals_say_so() -> None:
    spread = np.linspace(-1, 1, 101)  # of draws, from the lower end of an interval to the upper

    def of(row: str, *figures: tuple[str, float, float]) -> Record:
        known = [
            Accuracy(
                what=what,
                value=(low + high) / 2,
                low=low,
                high=high,
                drawn=tuple((low + high) / 2 + (high - low) / 2 * spread),
            )
            for what, low, high in figures
        ]
        return record(row, replace(MEASURED, figures=tuple(known)))

    shots = "1-shot 5-way/voxforge"
    records = {
        "default": of("default", ("eer/speechocean762", 0.02, 0.04), (shots, 0.9, 0.95)),
        "voicemap": of("voicemap", ("eer/speechocean762", 0.1, 0.2), (shots, 0.8, 0.91)),
        "lstm-triplet": of("lstm-triplet", ("eer/speechocean762", 0.1, 0.2), (shots, 0.7, 0.89)),
    }
    cells = {tuple(line.split(" | ")[:2]): line.split(" | ")[2:5] for line in verdicts(records).splitlines()}
    # Speakers who are hard for one are as hard for the other: the margin is 12 points, give or take 4.
    assert cells["| EER", "speechocean762"] == [margin := "yes, by 12.0 (8.2 to 15.8)", NOT_YET, margin]
    assert cells["| 1-shot 5-way", "voxforge"] == ["no", NOT_YET, "yes"]
    assert cells["| EER", "voxforge"] == ["-", NOT_YET, "-"]
    kept = [replace(figure, drawn=()) for figure in records["voicemap"].measured.figures]
    undrawn = {**records, "voicemap": record("voicemap", replace(MEASURED, figures=tuple(kept)))}
    assert f"| EER | speechocean762 | - | {NOT_YET} | yes, by" in verdicts(undrawn)
    # By the distance that it was trained by it may be better than by cosines.
    records["voicemap"] = of(
        "voicemap",
        *(("eer/speechocean762", 0.1, 0.2), ("eer-distance/speechocean762", 0.03, 0.1)),
        *((shots, 0.5, 0.6), ("1-shot 5-way-distance/voxforge", 0.85, 0.95)),
    )
    assert "| EER | speechocean762 | yes, by 3.5 (1.1 to 5.9) † |" in verdicts(records)
    records["default"] = of("default", ("eer/speechocean762", 0.05, 0.07), (shots, 0.9, 0.95))
    assert "| EER | speechocean762 | no, by 0.5 (-1.9 to 2.9) † |" in verdicts(records)
    assert "| 1-shot 5-way | voxforge | no |" in verdicts(records)


def test_groups_stand_with_their_spread() -> None:
    page = markdown({"svm": record("svm", MEASURED)}, {})
    (line,) = [line for line in page.splitlines() if line.startswith("| 3 | voxforge | same | 33 |")]
    assert "70.0 (60.0 to 80.0); groups 30 to 100" in line


def test_curves_and_matrices_are_drawn(tmp_path: Path) -> None:
    write_report({"default": record("default", MEASURED)}, tmp_path / "page.md", tmp_path / "images")
    page = (tmp_path / "page.md").read_text(encoding="utf-8")
    assert "](images/baselines-shots.png)" in page
    for image in ("baselines-shots.png", "baselines-confusions-blocks.png"):
        assert (tmp_path / "images" / image).read_bytes().startswith(b"\x89PNG")
