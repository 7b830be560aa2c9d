"""The countermeasure's folder: its card, its thresholds, and what is said of speech."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from voiceprint.countermeasure import (
    Countermeasure,
    CountermeasureCard,
    SpoofScore,
    read_countermeasure_card,
)
from voiceprint.countermeasure.card import CARD_FILE, NETWORK_FILE, write_card
from voiceprint.errors import ArgumentError, CalibrationError, ModelError
from voiceprint.files.checksum import sha256_of
from voiceprint.model.card import ENCODER_FILE
from voiceprint.training.countermeasure.network import CountermeasureConfig, CountermeasureNetwork
from voiceprint.training.export.graph import write_onnx

RATE = 16_000


def make_card(**changes: object) -> CountermeasureCard:
    given: dict[str, object] = {
        "name": "tried",
        "version": "1",
        "licence": "CC BY 4.0",
        "sha256": "",
        "slope": 2.0,
        "offset": 1.0,
        "per_log_second": 0.5,
        "rates": (0.01, 0.1),
        "seconds": (1.0, 4.0),
        "thresholds": ((-4.0, -2.0), (-2.0, 0.0)),
        "measured": {"step": 3},
    }
    return CountermeasureCard(**(given | changes))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("countermeasure")
    torch.manual_seed(0)
    network = CountermeasureNetwork(CountermeasureConfig(channels=(2, 3))).eval()
    write_onnx(network, place / NETWORK_FILE, output="logits")
    write_card(place, make_card(sha256=sha256_of(place / NETWORK_FILE)))
    return place


def noise(seconds: float) -> NDArray[np.float32]:
    return (0.1 * np.random.default_rng(0).standard_normal(int(seconds * RATE))).astype(np.float32)


def test_a_card_is_read_as_it_was_written(folder: Path) -> None:
    card = read_countermeasure_card(folder)
    assert card == make_card(sha256=card.sha256)


def test_thresholds_lie_between_those_of_the_card_over_logarithms() -> None:
    card = make_card()
    assert card.threshold(0.01, seconds=1.0) == -4.0
    assert card.threshold(np.sqrt(0.01 * 0.1), seconds=1.0) == pytest.approx(-3.0)
    assert card.threshold(0.01, seconds=2.0) == pytest.approx(-3.0)
    assert card.threshold(0.1, seconds=60.0) == 0.0
    assert card.threshold(0.1, seconds=0.3) == -2.0


@pytest.mark.parametrize("rate", [0.0099, 0.2, 0.0, float("nan")])
def test_a_rate_without_thresholds_is_refused(rate: float) -> None:
    with pytest.raises(ArgumentError, match="spoof_far"):
        make_card().threshold(rate, seconds=1.0)


def test_a_ratio_is_that_of_the_score_and_of_how_much_was_said() -> None:
    assert make_card().llr(3.0, seconds=1.0) == pytest.approx(7.0)
    assert make_card().llr(3.0, seconds=4.0) == pytest.approx(7.0 + 0.5 * np.log(4.0))
    assert make_card().llr(3.0, seconds=99.0) == make_card().llr(3.0, seconds=4.0)


@pytest.mark.parametrize(
    "wrong",
    [{"rates": ()}, {"rates": (0.1, 0.01)}, {"seconds": (4.0, 1.0)}, {"thresholds": ((-1.0, 0.0),)}],
)
def test_a_card_whose_thresholds_do_not_fit_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(CalibrationError, match="both must rise"):
        make_card(**wrong)


def test_live_is_decided_at_the_threshold_itself(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    judge = Countermeasure.open(folder)
    at_one = np.array([1.0, -30.0, 0.0], np.float32)  # log-odds of 1
    monkeypatch.setattr(Countermeasure, "logits", lambda self, speech: at_one)
    score = judge.score(noise(1.0)).score
    assert score == pytest.approx(1.0)
    for threshold, kind in ((score, None), (np.nextafter(score, 2.0), "loudspeaker")):
        judge.card = make_card(thresholds=((threshold, threshold), (threshold, threshold)))
        said = judge.score(noise(1.0))
        assert (said.kind, said.is_live) == (kind, kind is None)


@pytest.mark.parametrize(
    ("score", "llr", "words"),
    [
        (1.0, 2.0, "this sounds like somebody speaking live"),
        (1.0, -0.5, r"taken for .* likelier a machine's than live \(log-likelihood ratio -0.5\)"),
        (-1.0, -2.0, "does not sound like somebody speaking live, but like a loudspeaker"),
        (-1.0, 0.5, r"not sound enough .* likelier live than a machine's \(log-likelihood ratio \+0.5\)"),
    ],
)
def test_where_threshold_and_likelihood_disagree_the_reason_says_so(
    score: float, llr: float, words: str
) -> None:
    kind: Literal["loudspeaker"] | None = None if score > 0 else "loudspeaker"
    reason = SpoofScore(score=score, llr=llr, threshold=0.0, kind=kind).reason
    assert re.search(words, reason), reason
    assert "the threshold 0.00" in reason


def test_neither_level_nor_a_microphones_tilt_moves_a_score_much(folder: Path) -> None:
    judge = Countermeasure.open(folder)
    speech = noise(2.0)
    assert judge.score(speech).score == pytest.approx(judge.score(np.float32(0.1) * speech).score, abs=1e-3)


def test_long_speech_is_judged_in_parts(folder: Path) -> None:
    judge = Countermeasure.open(folder)
    long = noise(20.0)
    parts = [judge.logits(part) for part in np.array_split(long, 3)]
    assert judge.logits(long) == pytest.approx(np.mean(parts, axis=0))


def test_nothing_is_said_of_too_little_or_of_silence(folder: Path) -> None:
    judge = Countermeasure.open(folder)
    with pytest.raises(ArgumentError, match="seconds of speech"):
        judge.score(noise(0.1))
    with pytest.raises(ArgumentError, match="digital silence"):
        judge.score(np.zeros(RATE, np.float32))


def test_another_network_than_the_cards_is_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / NETWORK_FILE).write_bytes((folder / NETWORK_FILE).read_bytes() + b" ")
    (tmp_path / CARD_FILE).write_bytes((folder / CARD_FILE).read_bytes())
    with pytest.raises(ModelError, match="not the network that its card is of"):
        Countermeasure.open(tmp_path)


def test_a_network_of_something_else_is_refused(model_folder: Path, tmp_path: Path) -> None:
    (tmp_path / NETWORK_FILE).write_bytes((model_folder / ENCODER_FILE).read_bytes())
    write_card(tmp_path, make_card(sha256=sha256_of(tmp_path / NETWORK_FILE)))
    with pytest.raises(ModelError, match="does not make 3 logits of a waveform"):
        Countermeasure.open(tmp_path)


@pytest.mark.parametrize("text", ["", "name = 1", "no toml", "[calibration]\nslope = 'a'"])
def test_what_is_no_card_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / CARD_FILE).write_text(text)
    with pytest.raises(ModelError, match="no card of a countermeasure"):
        Countermeasure.open(tmp_path)


def test_a_missing_folder_is_a_model_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no card of a countermeasure \(No such file or directory\)"):
        Countermeasure.open(tmp_path / "nowhere")
