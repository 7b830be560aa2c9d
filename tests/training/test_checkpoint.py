"""Checkpoints: what is written comes back bit for bit, and a failed write leaves the last one."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from torch import nn

from voiceprint.errors import TrainingError
from voiceprint.training.run.checkpoint import load_into, load_weights, read_checkpoint, write_checkpoint


def test_tensors_and_state_come_back(tmp_path: Path) -> None:
    tensors = {"a.weight": torch.randn(3, 2).T, "steps": torch.tensor(7)}
    write_checkpoint(tmp_path / "new" / "last.safetensors", tensors, {"step": 20, "best": None})
    found, state = read_checkpoint(tmp_path / "new" / "last.safetensors")
    assert set(found) == set(tensors)
    assert all(torch.equal(found[name], tensors[name]) for name in tensors)
    assert state == {"step": 20, "best": None}


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_leaves_the_earlier_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "last.safetensors"
    write_checkpoint(path, {"a": torch.zeros(10)}, {"step": 1})
    with (
        files_of_at_most(2000),
        pytest.raises(TrainingError, match=r"not written .*is untouched"),
    ):
        write_checkpoint(path, {"a": torch.zeros(10_000)}, {"step": 2})
    assert read_checkpoint(path)[1] == {"step": 1}
    assert [file.name for file in tmp_path.iterdir()] == ["last.safetensors"]


def test_what_is_no_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "a.safetensors").write_bytes(b"not one" * 10)
    for name in ("a.safetensors", "missing.safetensors"):
        with pytest.raises(TrainingError, match=f"{name}: is not a readable checkpoint"):
            read_checkpoint(tmp_path / name)


def test_loading_takes_all_tensors_of_the_prefix_and_no_others() -> None:
    module = nn.Linear(2, 1)
    tensors = {
        "encoder.weight": torch.tensor([[1.0, 2.0]]),
        "encoder.bias": torch.tensor([3.0]),
        "loss.weight": torch.zeros(9),
    }
    load_into(module, tensors, prefix="encoder.", path=Path("x"))
    assert module.weight.tolist() == [[1.0, 2.0]]
    assert module.bias.tolist() == [3.0]


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"encoder.weight": torch.zeros(1, 2)}, "lacks encoder.bias"),
        ({"encoder.weight": torch.zeros(1, 3)}, r"has shape \(1, 3\), but the recipe makes it \(1, 2\)"),
        (
            {
                "encoder.weight": torch.zeros(1, 2),
                "encoder.bias": torch.zeros(1),
                "encoder.x": torch.zeros(1),
            },
            "holds encoder.x",
        ),
    ],
)
def test_loading_what_does_not_fit(tensors: dict[str, torch.Tensor], message: str) -> None:
    with pytest.raises(TrainingError, match=message):
        load_into(nn.Linear(2, 1), tensors, prefix="encoder.", path=Path("x"))


def test_weights_of_a_model_folder(tmp_path: Path) -> None:
    source, target = nn.Linear(2, 1), nn.Linear(2, 1)
    write_checkpoint(tmp_path / "weights.safetensors", source.state_dict(), {})
    load_weights(target, tmp_path / "weights.safetensors")
    assert torch.equal(source.weight, target.weight)
