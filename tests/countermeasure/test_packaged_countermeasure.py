"""The countermeasure that comes with the package."""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from voiceprint.countermeasure import Countermeasure
from voiceprint.countermeasure.card import NETWORK_FILE
from voiceprint.files.checksum import sha256_of

FOLDER = Path(str(files("voiceprint.models") / "countermeasure"))


@pytest.fixture(scope="module")
def judge() -> Countermeasure:
    return Countermeasure.open()


def test_the_card_is_of_the_network_beside_it(judge: Countermeasure) -> None:
    assert judge.card.sha256 == sha256_of(FOLDER / NETWORK_FILE)


def test_voices_that_ask_for_it_are_shared_alike(judge: Countermeasure) -> None:
    assert "vits" in judge.card.trained_on
    assert judge.card.licence == "CC BY-SA 4.0"
    assert "ShareAlike" in (FOLDER / "NOTICE").read_text(encoding="utf-8")


def test_no_machine_of_dev_or_test_was_trained_with(judge: Countermeasure) -> None:
    from benchmarks.spoof.machines import MACHINES  # noqa: PLC0415

    held_out = {machine.name for machine in MACHINES if machine.split != "train"} | {"neural-voices"}
    assert not held_out & set(judge.card.trained_on)


def test_it_is_small() -> None:
    graph = onnx.load(FOLDER / NETWORK_FILE)
    weights = sum(int(np.prod(tensor.dims)) for tensor in graph.graph.initializer)
    assert weights < 1_000_000
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 5e6


def test_thresholds_rise_with_the_share_of_people_turned_away(judge: Countermeasure) -> None:
    for row in judge.card.thresholds:
        assert list(row) == sorted(row)
    assert judge.card.slope > 0


def test_what_it_says_of_a_clip_does_not_depend_on_its_level(
    judge: Countermeasure, voice: Callable[..., NDArray[np.float32]]
) -> None:
    clip = voice("ada", 0, 3.0)
    loud, soft = (judge.score(clip * np.float32(gain)).score for gain in (1.0, 0.1))
    assert loud == pytest.approx(soft, abs=0.05)
