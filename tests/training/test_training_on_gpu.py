"""The path to a GPU and back, on the CPU: pack, train until a clock says so, go on at home."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
import tomli_w
import torch

from benchmarks import gpu_training, packing
from training.conftest import equal_tensors, tiny_table
from voiceprint.errors import ConfigError, TrainingError
from voiceprint.training.origins import read_origins
from voiceprint.training.run.checkpoint import join_parts, read_checkpoint, split_checkpoint, write_checkpoint
from voiceprint.training.run.launch import Outcome, train
from voiceprint.training.run.metrics_log import read_metrics
from voiceprint.training.run.recipe import read_recipe

STEPS = 12


@pytest.fixture(scope="module")
def recipe_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recipe") / "tiny.toml"
    trainer = {"steps": STEPS, "validate_every": 2, "precision": "float32"}
    path.write_text(tomli_w.dumps(tiny_table(trainer=trainer)))
    return path


@pytest.fixture(scope="module")
def tiny_pack(
    recipe_file: Path, tiny_corpora: Path, tiny_pool: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    folder = tmp_path_factory.mktemp("packed") / "pack"
    where = ["--corpora", str(tiny_corpora), "--pool", str(tiny_pool), "--megabytes", "0.5"]
    packing.main([str(recipe_file), "-o", str(folder), *where, "--set", "validation.clips_per_speaker=2"])
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) < 500_000
    return folder


def train_there(pack: Path, recipe: Path, run: Path, *, minutes: float) -> None:
    """Train where a second passes whenever somebody looks at the clock."""
    clock = map(float, itertools.count())
    options = ["-o", str(run), "--minutes", str(minutes), "--device", "cpu"]
    gpu_training.main([str(pack), str(recipe), *options], clock=lambda: next(clock))


def go_on(recipe: Path, corpora: Path, pool: Path, run: Path, *changes: str) -> Outcome:
    return train(read_recipe(recipe, changes), corpora=corpora, pool=pool, folder=run, resume=True)


def test_a_run_on_a_pack_goes_on_at_home_bit_for_bit(
    tiny_pack: Path, recipe_file: Path, tiny_corpora: Path, tiny_pool: Path, tmp_path: Path
) -> None:
    there, whole = tmp_path / "there", tmp_path / "whole"
    train_there(tiny_pack, recipe_file, there, minutes=0.1)
    parts = sorted(path.name for path in (there / "checkpoints").iterdir())
    assert parts == ["last.safetensors.1of1"]
    done = read_metrics(there)[-1]["step"]
    assert 1 <= done < STEPS
    train_there(tiny_pack, recipe_file, there, minutes=60)  # joins the parts, and goes on
    train_there(tiny_pack, recipe_file, whole, minutes=60)
    ends = []
    for run in (there, whole):
        outcome = go_on(recipe_file, tiny_corpora, tiny_pool, run)
        assert (outcome.step, outcome.finished, outcome.best) == (STEPS, True, None)
        ends.append(read_checkpoint(run / "checkpoints" / "last.safetensors")[0])
    assert equal_tensors(*ends)
    more = go_on(
        recipe_file, tiny_corpora, tiny_pool, there, f"trainer.steps={STEPS + 2}", "batches.workers=1"
    )
    assert more.step == STEPS + 2
    assert more.best is not None
    origins = read_origins(there)
    assert origins is not None and origins.pack is not None
    assert origins.pack.title == "a pack of 48 of 48 clips in Opus at 24 kbit/s"


def test_the_time_is_kept(tiny_pack: Path, recipe_file: Path, tmp_path: Path) -> None:
    train_there(tiny_pack, recipe_file, tmp_path / "none", minutes=0)
    assert [line["step"] for line in read_metrics(tmp_path / "none")] == [1], "the step in hand is ended"
    # One look at the clock begins, one tells of the pack, one of the number format, one ends every step, and
    # a validation, every second step, looks once more.
    train_there(tiny_pack, recipe_file, tmp_path / "some", minutes=7.5 / 60)
    assert [line["step"] for line in read_metrics(tmp_path / "some")] == [1, 2, 3, 4]


def test_a_run_that_was_begun_on_the_pool_does_not_go_on_on_a_pack(
    tiny_pack: Path, recipe_file: Path, tiny_corpora: Path, tiny_pool: Path, tmp_path: Path
) -> None:
    go_on(recipe_file, tiny_corpora, tiny_pool, tmp_path / "run", "trainer.steps=1")
    with pytest.raises(ConfigError, match="pool: the run was begun with no pack, not with a pack of 48"):
        train_there(tiny_pack, recipe_file, tmp_path / "run", minutes=60)


def test_a_recipe_with_further_voices_is_refused(tiny_pack: Path, recipe_file: Path, tmp_path: Path) -> None:
    voices = tmp_path / "voices.toml"
    voices.write_text(f'base = "{recipe_file}"\n[data]\nvoices = [{{ speed = [1.2, 1.3] }}]\n')
    with pytest.raises(ConfigError, match=r"add --set 'data.voices=\[\]'"):
        train_there(tiny_pack, voices, tmp_path / "run", minutes=60)
    assert not (tmp_path / "run").exists()


def test_a_checkpoint_in_parts_comes_back_whole(tmp_path: Path) -> None:
    path = tmp_path / "last.safetensors"
    write_checkpoint(path, {"a": torch.arange(1000.0)}, {"step": 3})
    content = path.read_bytes()
    parts = split_checkpoint(path, part_bytes=400)
    assert sorted(tmp_path.iterdir()) == sorted(parts)
    assert len(parts) == -(-len(content) // 400) > 10
    assert max(part.stat().st_size for part in parts) == 400
    join_parts(path)
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes() == content
    join_parts(path)
    assert path.read_bytes() == content
    split_checkpoint(path, part_bytes=400)
    path.write_bytes(content)  # killed before the parts were gone
    join_parts(path)
    assert list(tmp_path.iterdir()) == [path]


def test_parts_that_do_not_make_a_checkpoint_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "last.safetensors"
    write_checkpoint(path, {"a": torch.arange(1000.0)}, {"step": 3})
    first, second, *others = split_checkpoint(path, part_bytes=1000)
    path.write_bytes(b"another")
    with pytest.raises(TrainingError, match=r"is there, and last\.safetensors\.1of5 of another"):
        join_parts(path)
    path.unlink()
    content = second.read_bytes()
    second.write_bytes(content[:-1])
    with pytest.raises(TrainingError, match="is not a readable checkpoint"):
        join_parts(path)
    assert not path.exists()
    second.unlink()
    with pytest.raises(TrainingError, match="4 files of its 5 parts are there; bring those 5"):
        join_parts(path)
    assert {first, *others} == set(tmp_path.iterdir())
