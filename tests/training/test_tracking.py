"""TensorBoard: scalars of every step, and a DET figure of every validation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from training.conftest import tiny_recipe
from voiceprint.cli.training_display import Display
from voiceprint.corpus import Unreadable, Utterance
from voiceprint.metrics import det_curve
from voiceprint.training.run.criterion import EER
from voiceprint.training.run.launch import train
from voiceprint.training.run.tracking import draw_det


class Writer:
    """Stands for ``torch.utils.tensorboard.SummaryWriter``, whose package is not among the tests' own."""

    written: list[tuple[str, float | Figure | None, int]]

    def __init__(self, folder: str) -> None:
        Writer.written = []

    def add_scalar(self, name: str, value: float, step: int) -> None:
        self.written.append((name, value, step))

    def add_figure(self, name: str, figure: Figure, step: int) -> None:
        self.written.append((name, figure, step))

    def close(self) -> None:
        self.written.append(("closed", None, 0))


def test_a_run_writes_its_steps_and_draws_its_validations(
    tiny_corpora: Path, tiny_pool: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = type("module", (), {"SummaryWriter": Writer})
    monkeypatch.setitem(__import__("sys").modules, "torch.utils.tensorboard", module)
    recipe = tiny_recipe(
        trainer={"steps": 4, "validate_every": 2, "checkpoint_every": 4},
        validation={"conditions": ["clean", "0.4s"], "ways": 5},
    )
    with Display(tmp_path / "run", quiet=True, tensorboard=True, criterion=EER) as display:
        train(recipe, corpora=tiny_corpora, pool=tiny_pool, folder=tmp_path / "run", callbacks=display)
    steps = {
        name: [step for known, _, step in Writer.written if known == name] for name, _, _ in Writer.written
    }
    assert steps["loss"] == [1, 2, 3, 4]
    assert steps["det"] == steps["eer"] == steps["accuracy/tiny/0.4s"] == [2, 4]
    drawn = next(figure for name, figure, _ in Writer.written if name == "det")
    assert isinstance(drawn, Figure)
    (axes,) = drawn.axes
    assert axes.get_title() == "tiny"
    legend = axes.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["clean", "0.4s"]
    assert Writer.written[-1][0] == "closed"


def test_the_curve_of_two_normal_distributions_is_straight() -> None:
    generator = np.random.default_rng(0)
    # Targets lie 2 deviations higher: at equal error rates both are cut at 1, and p_miss = p_fa = 15.9 %.
    curve = det_curve(generator.normal(2, 1, 100_000), generator.normal(0, 1, 100_000))
    axes = draw_det({"mine/clean": curve, "other/clean": curve}).axes
    assert [place.get_title() for place in axes] == ["mine", "other"]
    x, y = axes[0].get_lines()[0].get_data()
    drawn = (np.asarray(x) > -2) & (np.asarray(y) > -2)
    assert np.asarray(x)[drawn] + np.asarray(y)[drawn] == pytest.approx(-2, abs=0.05)
    assert axes[0].get_xticklabels()[2].get_text() == "2"


def test_what_cannot_be_read_is_counted_and_the_first_of_it_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clip = Utterance(path=tmp_path / "a.wav", speaker="a", seconds=1.0, id="a", corpus="c")
    unreadable = tuple(Unreadable(utterance=clip, reason=f"{number}.wav: is empty") for number in range(12))
    with Display(tmp_path / "run", quiet=True, tensorboard=False, criterion=EER) as display:
        display.left_out(())
        assert capsys.readouterr().err == ""
        display.left_out(unreadable)
    lines = capsys.readouterr().err.splitlines()
    assert lines[:2] == ["left out: 12 recordings that cannot be read", "  0.wav: is empty"]
    assert lines[-2:] == ["  9.wav: is empty", "  and 2 more"]
