"""Several processes: the same run as one process with the same global batch."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from training.conftest import tiny_recipe
from voiceprint.errors import ConfigError
from voiceprint.training.distributed import Group, joined_group
from voiceprint.training.run.checkpoint import read_checkpoint
from voiceprint.training.run.recipe import save_recipe

SCRIPT = Path(__file__).parent / "two_processes.py"


def run(command: list[str], *arguments: Path) -> None:
    environment = {key: value for key, value in os.environ.items() if key not in {"WORLD_SIZE", "RANK"}}
    done = subprocess.run(
        [*command, str(SCRIPT), *map(str, arguments)],
        env=environment | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]


def test_two_processes_train_as_one_does(tiny_corpora: Path, tiny_pool: Path, tmp_path: Path) -> None:
    recipe = tiny_recipe(
        data={"voices": [{"speed": [1.2, 1.3]}]},
        batches={"balance": 0.5},
        augment={"babble": 0.5, "gain": 1.0},
        spec_augment={"time_masks": 1, "frequency_masks": 1, "max_time": 10, "max_frequency": 4},
        loss=[{"name": "triplet"}, {"name": "aam_softmax", "weight": 0.2}, {"name": "ge2e", "weight": 0.2}],
        trainer={"steps": 6, "validate_every": 3, "checkpoint_every": 3, "accumulate": 2},
    )
    save_recipe(recipe, tmp_path)
    run([sys.executable], tiny_corpora, tiny_pool, tmp_path / "one")
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    run(torchrun, tiny_corpora, tiny_pool, tmp_path / "two")
    one, two = (read_checkpoint(tmp_path / name / "checkpoints/last.safetensors") for name in ("one", "two"))
    assert one[1]["step"] == two[1]["step"] == 6
    assert one[1]["best"] == pytest.approx(two[1]["best"], abs=1e-6)
    trained = [name for name in one[0] if name.startswith(("encoder.", "loss.", "average."))]
    assert any(name.startswith("loss.") for name in trained)
    for name in trained:
        torch.testing.assert_close(two[0][name], one[0][name], rtol=0, atol=1e-5, msg=name)


def test_alone_every_operation_is_the_identity() -> None:
    group = Group()
    rows = torch.randn(3, 2)
    assert group.leads
    assert group.gather(rows) is rows
    assert group.any(True) and not group.any(False)
    assert group.from_leader({"eer": 0.5}) == {"eer": 0.5}


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA device")
def test_a_device_that_is_not_there() -> None:
    with pytest.raises(ConfigError, match="torch finds no CUDA device"), joined_group("cuda"):
        pass
