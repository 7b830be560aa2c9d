from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tiny_model import tiny_calibration

from voiceprint.calibration import OpenSet
from voiceprint.model.card import PAGE_FILE, ModelCard
from voiceprint.model.card_page import render_card
from voiceprint.model.folder import write_model_card

CARD = ModelCard(
    name="example",
    version="2",
    dim=64,
    files={"encoder.onnx": "ab" * 32},
    licence="CC-BY-4.0",
    calibration=tiny_calibration(),
    training={
        "steps": 12_000,
        "seed": 3,
        "losses": {"triplet": 1.0, "softmax": 0.5},
        "speech": {
            "readers": {"speakers": 20, "utterances": 300, "hours": 1.25, "licence": "CC0", "source": "home"},
            "others": {"speakers": 2, "utterances": 3, "hours": 0.5},
        },
        "noise": {"kitchen": {"utterances": 8, "hours": 0.25, "licence": "CC BY 4.0"}},
        "data": "Read by volunteers.",
        "teacher": "Nobody taught it.",
    },
    measured={
        "dev": {"eer": 0.1, "eer/readers/clean": 0.051, "eer/readers/noise": 0.149},
        "dev_intervals": {"eer": [0.08, 0.13], "eer/readers/clean": [0.031, 0.072]},
        "dev_suite": {
            "clips_per_speaker": 10,
            "longest_seconds": 6,
            "speech": {"readers": {"speakers": 7, "utterances": 65}},
        },
    },
)


def test_the_page_is_written_with_the_card(tmp_path: Path) -> None:
    write_model_card(tmp_path, CARD)
    assert (tmp_path / PAGE_FILE).read_text(encoding="utf-8") == render_card(CARD)


def test_data_losses_and_errors_stand_on_the_page() -> None:
    page = render_card(CARD)
    assert page.startswith("# example 2\n")
    assert "| licence of the weights | CC-BY-4.0 |" in page
    assert "| readers | 20 | 300 | 1.2 | CC0 | home |" in page
    assert "| others | 2 | 3 | 0.5 | not stated |  |" in page
    assert "| kitchen (mixed into the speech) | - | 8 | 0.2 | CC BY 4.0 |  |" in page
    assert "12,000 steps; seed 3; losses triplet x 1, softmax x 0.5." in page
    assert "Read by volunteers.\n\nNobody taught it." in page
    assert "| corpus | clean | noise |\n| --- | --- | --- |\n| readers | 5.1 (3.1 to 7.2) | 14.9 |" in page
    assert "The mean of all is 10.0 (8.0 to 13.0)." in page


def test_the_page_says_of_which_clips_the_dev_rates_are() -> None:
    said = "over all pairs of the first 10 clips of every speaker, cut to 6 s (readers: 7 speakers, 65 clips)"
    assert said in render_card(CARD)
    suite = {**CARD.measured["dev_suite"], "clips_per_speaker": 0}
    assert "pairs of all clips, cut" in render_card(
        replace(CARD, measured={**CARD.measured, "dev_suite": suite})
    )
    old = render_card(replace(CARD, measured={"dev": CARD.measured["dev"]}))
    assert "some of each corpus's clips" in old
    assert "In brackets" not in old


def test_another_models_rates_stand_below_its_own() -> None:
    other = {
        "title": "alone 1",
        "id": "cd" * 32,
        "description": "The same, with no teacher.",
        "steps": 9000,
        "dev": {"eer": 0.2, "eer/readers/clean": 0.12, "eer/readers/noise": 0.28},
        "dev_intervals": {"eer/readers/clean": [0.1, 0.15]},
    }
    page = render_card(replace(CARD, extra={"beside": other}))
    told = page[
        page.index("For comparison, alone 1 (`cdcdcdcdcdcd`, 9,000 steps): The same, with no teacher.") :
    ]
    assert told.index("The mean of all is 20.0.") < told.index("| readers | 12.0 (10.0 to 15.0) | 28.0 |")
    assert "For comparison" not in render_card(CARD)


def test_every_cell_of_the_calibration_has_a_row_and_unmeasured_rates_a_star() -> None:
    calibration = tiny_calibration()
    page = render_card(CARD)
    for cell in calibration.cells:
        resolved = calibration.resolves(0.01, n_enroll=cell.n_enroll, seconds=cell.seconds)
        threshold = calibration.threshold(p_fa=0.01, n_enroll=cell.n_enroll, seconds=cell.seconds)
        assert f"| {threshold:.3f}{'' if resolved else '*'} |" in page
    rows = [line for line in page.splitlines() if line.endswith("% |") or " % | " in line]
    assert len(rows) == len(calibration.cells) + 1  # and the heads


def test_the_page_says_how_a_search_decides() -> None:
    page = render_card(replace(CARD, open_set=OpenSet(grid=tiny_calibration(), gain=0.3, nearest=7)))
    assert "the best score less 0.3 of the mean score of its 7 nearest\nrivals" in page
    assert "rivals" not in render_card(CARD)


def test_a_bare_card_says_that_it_has_no_thresholds() -> None:
    page = render_card(replace(CARD, calibration=None, training={}, measured={}))
    assert "not calibrated yet" in page
    assert "What it was trained on" not in page
    assert "development speakers, %" not in page
