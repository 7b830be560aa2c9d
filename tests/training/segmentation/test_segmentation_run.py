from __future__ import annotations

import csv
import json
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from benchmarks.segmentation import main
from benchmarks.synthetic_speech import VOICES
from voiceprint.audio import Waveform
from voiceprint.audio.spooled import SpooledRecording
from voiceprint.diarization.activity import find_activity
from voiceprint.diarization.segmentation import Segmentation
from voiceprint.errors import ConfigError, RunExistsError
from voiceprint.training.augment import RoomBank
from voiceprint.training.run.checkpoint import load_weights, read_checkpoint
from voiceprint.training.segmentation.export import export_segmentation
from voiceprint.training.segmentation.network import SegmentationNetwork
from voiceprint.training.segmentation.recipe import SegmentationRecipe, read_segmentation_recipe
from voiceprint.training.segmentation.run import read_run, train_segmentation

Floats = NDArray[np.float32]
ROOT = Path(__file__).parents[3]
RECIPE = """
[data]
train = ["talk"]
dev = ["talk"]
noise = ""
[conversations]
seconds = 4.0
window = 2.0
per_batch = 1
people = [1, 2]
workers = 0
validation = 2
[network]
hidden = 4
decision = 6
[network.encoder]
stem = 8
channels = 12
blocks = 1
[trainer]
steps = 6
validate_every = 3
checkpoint_every = 2
precision = "float32"
"""


@pytest.fixture(scope="module")
def corpora(
    tmp_path_factory: pytest.TempPathFactory, voice: Callable[..., Floats], wav: Callable[..., Path]
) -> Path:
    root = tmp_path_factory.mktemp("corpora")
    rows = []
    for place, name in enumerate(VOICES):
        for clip in range(2):
            wav(root / "talk" / f"{name}-{clip}.wav", voice(name, clip, 3.0))
            rows.append((f"{name}-{clip}.wav", name, "1", "dev" if place >= 4 else "train", "3.0", "", ""))
    with (root / "talk" / "manifest.csv").open("w", newline="") as file:
        csv.writer(file).writerows(
            [("path", "speaker", "session", "split", "seconds", "gender", "text"), *rows]
        )
    return root


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "recipe.toml"
    path.write_text(RECIPE)
    return path


@pytest.fixture(autouse=True)
def _few_rooms(monkeypatch: pytest.MonkeyPatch) -> None:
    responses = np.zeros((1, 2, 64), np.float32)
    responses[..., 0] = 1.0
    monkeypatch.setattr(RoomBank, "open", lambda folder, **given: RoomBank(responses=responses))


def test_a_run_that_was_stopped_ends_as_one_that_was_not(tmp_path: Path, recipe: Path, corpora: Path) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    read = read_segmentation_recipe(recipe)
    assert train_segmentation(read, corpora=corpora, folder=whole)
    shorter = read_segmentation_recipe(recipe, ("trainer.steps=6",))
    train_segmentation(shorter, corpora=corpora, folder=parts, report=_stop_after(4))
    with pytest.raises(RunExistsError):
        train_segmentation(read, corpora=corpora, folder=parts)
    assert train_segmentation(read, corpora=corpora, folder=parts, resume=True)
    ours, _ = read_checkpoint(parts / "checkpoints/last.safetensors")
    theirs, state = read_checkpoint(whole / "checkpoints/last.safetensors")
    assert state["step"] == 6
    for name, tensor in theirs.items():
        torch.testing.assert_close(ours[name], tensor, msg=name)
    steps = [json.loads(line)["step"] for line in (parts / "metrics.jsonl").read_text().splitlines()]
    assert steps == [1, 2, 3, 4, 5, 6]


def _stop_after(step: int) -> Callable[[object], None]:
    def report(done: object) -> None:
        if done.step == step:  # type: ignore[attr-defined]
            signal.raise_signal(signal.SIGTERM)

    return report


def test_a_run_starts_with_the_weights_of_an_earlier_one(tmp_path: Path, recipe: Path, corpora: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    train_segmentation(read_segmentation_recipe(recipe), corpora=corpora, folder=first)
    best = first / "checkpoints/best.safetensors"
    changes = (f"data.network={best}", "trainer.steps=1", "trainer.validate_every=1", "optimizer.lr=1e-12")
    train_segmentation(read_segmentation_recipe(recipe, changes), corpora=corpora, folder=second)
    ours, _ = read_checkpoint(second / "checkpoints/last.safetensors")
    theirs, _ = read_checkpoint(best)
    name = "lstm.weight_hh_l0"
    torch.testing.assert_close(ours[f"encoder.{name}"], theirs[f"average.{name}"])


def test_another_recipe_does_not_go_on_with_a_run(tmp_path: Path, recipe: Path, corpora: Path) -> None:
    train_segmentation(
        read_segmentation_recipe(recipe, ("trainer.steps=1",)), corpora=corpora, folder=tmp_path / "run"
    )
    changed = read_segmentation_recipe(recipe, ("network.hidden=8",))
    with pytest.raises(ConfigError, match=r"network.hidden: .* was begun with 4, the recipe says 8"):
        train_segmentation(changed, corpora=corpora, folder=tmp_path / "run", resume=True)


def test_the_command_trains_and_exports_what_the_diarizer_opens(
    tmp_path: Path,
    recipe: Path,
    corpora: Path,
    capsys: pytest.CaptureFixture[str],
    voice: Callable[..., Floats],
) -> None:
    run, target = tmp_path / "run", tmp_path / "exported"
    assert main([str(recipe), "-o", str(run), "--corpora", str(corpora)]) == 0
    assert "step 3: loss" in capsys.readouterr().out
    assert main(["-o", str(run), "--export", str(target)]) == 0
    assert export_segmentation(run, target, checkpoint="last")["step"] == 6
    waveform = Waveform(samples=voice("ada", 1, 12.0), source="x", original_rate=16_000)
    with SpooledRecording.open(waveform, max_seconds=60.0) as recording:
        found = find_activity(recording, Segmentation(target / "segmentation.onnx"))
    assert found.windows.shape == (2, 500)
    network = SegmentationNetwork(read_run(run).network)
    load_weights(network, target / "weights.safetensors")
    theirs, _ = read_checkpoint(run / "checkpoints/last.safetensors")
    torch.testing.assert_close(network.lstm.weight_hh_l0, theirs["average.lstm.weight_hh_l0"])
    assert main(["-o", str(tmp_path / "none"), "--export", str(target)]) == 2
    assert "Error:" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["segmentation", "segmentation-tuned"])
def test_the_recipes_of_what_ships_are_read(name: str) -> None:
    recipe = read_segmentation_recipe(ROOT / f"configs/{name}.toml")
    assert isinstance(recipe, SegmentationRecipe)
    assert set(recipe.data.dev) <= set(recipe.data.train)
