"""Narrowing: what goes is what is needed least, embeddings hardly move, and training goes on from there."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from training.conftest import tiny_recipe
from voiceprint.errors import ConfigError, CorpusError, TrainingError
from voiceprint.training.encoders import ConvBiLSTM, make_encoder
from voiceprint.training.export import narrowing
from voiceprint.training.export.from_run import load_encoder
from voiceprint.training.export.narrowing import choose, narrow_run, narrowed
from voiceprint.training.run.checkpoint import read_checkpoint
from voiceprint.training.run.launch import train

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "narrow_run"
HIDDEN, ATTENTION = 12, 8  # of the tiny recipe


def wide_encoder() -> ConvBiLSTM:
    """Of the tiny recipe's sizes, with statistics that are not those of a fresh one."""
    encoder = make_encoder(tiny_recipe().encoder, seed=5)
    assert isinstance(encoder, ConvBiLSTM)
    encoder.train()
    with torch.no_grad():
        for _ in range(20):
            encoder(speech(16))
    return encoder.eval()


def speech(clips: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(clips, 12_000, generator=torch.Generator().manual_seed(seed)) * 0.1


@torch.no_grad()
def deafen(encoder: ConvBiLSTM, cells: list[int], units: list[int]) -> None:
    """Let nothing hear these cells (backward ones from HIDDEN) and units."""
    channels = encoder.config.channels
    for number, direction in enumerate(("", "_reverse")):
        own = [cell - number * HIDDEN for cell in cells if cell // HIDDEN == number]
        encoder.lstm.get_parameter(f"weight_hh_l0{direction}")[:, own] = 0
    rows = [channels + cell for cell in cells]
    encoder.pooling.get_parameter("score.0.weight")[:, rows] = 0
    encoder.pooling.get_parameter("score.2.weight")[:, units] = 0
    encoder.projection.weight[:, rows + [channels + 2 * HIDDEN + row for row in rows]] = 0


def distance(first: torch.nn.Module, second: torch.nn.Module, waveforms: torch.Tensor) -> float:
    with torch.inference_mode():
        return float(1 - torch.cosine_similarity(first(waveforms), second(waveforms)).mean())


def test_what_nothing_hears_goes_and_embeddings_stay() -> None:
    encoder = wide_encoder()
    cells, units = [1, 4, 5, 11, HIDDEN + 0, HIDDEN + 2, HIDDEN + 3, HIDDEN + 10], [0, 3, 6, 7]
    deafen(encoder, cells, units)
    kept = choose(encoder, speech(8), hidden=8, attention=4)
    assert sorted(set(range(2 * HIDDEN)) - set(kept.cells.tolist())) == cells
    assert sorted(set(range(ATTENTION)) - set(kept.units.tolist())) == units
    narrow = narrowed(encoder, kept)
    assert (narrow.config.hidden, narrow.config.attention) == (8, 4)
    with torch.inference_mode():
        assert narrow(speech(4, 1)) == pytest.approx(encoder(speech(4, 1)).numpy(), abs=1e-5)


def test_the_least_needed_move_embeddings_less_than_the_others_do() -> None:
    encoder = wide_encoder()
    kept = choose(encoder, speech(16), hidden=6, attention=6)
    chosen = distance(encoder, narrowed(encoder, kept), speech(16))
    others = torch.tensor([cell for cell in range(2 * HIDDEN) if cell not in kept.cells.tolist()])
    assert 0 < chosen < 0.7 * distance(encoder, narrowed(encoder, replace(kept, cells=others)), speech(16))


def test_what_goes_leaves_its_mean_behind() -> None:
    encoder = wide_encoder()
    kept = choose(encoder, speech(16), hidden=6, attention=4)
    with_means = distance(encoder, narrowed(encoder, kept), speech(16))
    for means in (kept.cell_means, kept.unit_means):
        means.zero_()
    assert with_means < distance(encoder, narrowed(encoder, kept), speech(16))


@pytest.mark.parametrize(("hidden", "attention", "said"), [(0, 4, "hidden: 0"), (6, 9, "attention: 9")])
def test_more_than_there_is_and_nothing_are_refused(hidden: int, attention: int, said: str) -> None:
    with pytest.raises(ConfigError, match=f"{said}; give from 1 to"):
        choose(wide_encoder(), speech(2), hidden=hidden, attention=attention)


@pytest.fixture(scope="module")
def run(tiny_corpora: Path, tiny_pool: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny run of 20 steps, the last of which was validated."""
    folder = tmp_path_factory.mktemp("wide") / "run"
    steps = {"steps": 20, "validate_every": 20}
    train(tiny_recipe(trainer=steps), corpora=tiny_corpora, pool=tiny_pool, folder=folder)
    return folder


@pytest.fixture
def _short_clips(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(narrowing, "_SECONDS", 1)


@pytest.mark.usefixtures("_short_clips")
def test_training_goes_on_with_a_narrower_encoder(
    run: Path, tiny_corpora: Path, tiny_pool: Path, tmp_path: Path
) -> None:
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    folder = tmp_path / "narrow"
    changes = ["trainer.steps=30", "optimizer.lr=1e-3"]
    moved = narrow_run(run, folder, pool=tiny_pool, hidden=8, attention=6, overrides=changes)
    assert 0 < moved < 0.5
    assert before == {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    narrow = {"hidden": 8, "attention": 6}
    recipe = tiny_recipe(encoder=narrow, trainer={"steps": 30, "validate_every": 20}, optimizer={"lr": 1e-3})
    outcome = train(recipe, corpora=tiny_corpora, pool=tiny_pool, folder=folder, resume=True)
    assert (outcome.step, outcome.finished) == (30, True)
    assert outcome.best is not None
    trained = load_encoder(folder).encoder
    assert isinstance(trained, ConvBiLSTM)
    assert trained.config.hidden == 8


@pytest.mark.usefixtures("_short_clips")
def test_the_optimiser_keeps_the_moments_of_what_stays(run: Path, tiny_pool: Path, tmp_path: Path) -> None:
    narrow_run(run, tmp_path / "narrow", pool=tiny_pool, hidden=8, attention=6)
    wide, state = read_checkpoint(run / "checkpoints" / "best.safetensors")
    narrow, after = read_checkpoint(tmp_path / "narrow" / "checkpoints" / "last.safetensors")
    assert set(narrow) == set(wide)
    assert (after["step"], after["best"]) == (state["step"], None)
    shapes = sorted(tuple(t.shape) for n, t in narrow.items() if n.endswith("exp_avg"))
    encoder = make_encoder(tiny_recipe(encoder={"hidden": 8, "attention": 6}).encoder, seed=0)
    centres = [tuple(t.shape) for n, t in narrow.items() if n.startswith("loss.") and t.ndim > 1]
    assert shapes == sorted([tuple(p.shape) for p in encoder.parameters()] + centres)
    for name, moments in narrow.items():
        if name.startswith("optimizer.") and moments.ndim:
            assert set(moments.flatten().tolist()) <= set(wide[name].flatten().tolist()), name


@pytest.mark.usefixtures("_short_clips")
def test_a_run_is_not_written_over(run: Path, tiny_pool: Path) -> None:
    before = (run / "checkpoints" / "last.safetensors").read_bytes()
    with pytest.raises(TrainingError, match="holds a run; name another folder"):
        narrow_run(run, run, pool=tiny_pool, hidden=8, attention=6)
    assert (run / "checkpoints" / "last.safetensors").read_bytes() == before


def test_a_pool_of_short_clips_is_refused(run: Path, tiny_pool: Path, tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="holds no clip of 2 s"):
        narrow_run(run, tmp_path / "narrow", pool=tiny_pool, hidden=8, attention=6)
    assert not (tmp_path / "narrow").exists()


def test_the_script_says_in_one_line_what_is_missing(tmp_path: Path) -> None:
    command: list[str | Path] = [
        sys.executable,
        SCRIPT,
        tmp_path,
        "-o",
        tmp_path / "new",
        "--hidden",
        "8",
        "--attention",
        "6",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "is no training run" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "new").exists()
