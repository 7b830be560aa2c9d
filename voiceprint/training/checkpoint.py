"""Checkpoints: one safetensors file that holds tensors and, in its header, the run's state as JSON."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from voiceprint.errors import TrainingError

__all__ = ["load_into", "read_checkpoint", "write_checkpoint"]


def write_checkpoint(path: Path, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
    """Write a checkpoint so that either the old or the new one is there, whole, whatever happens.

    Raises
    ------
    TrainingError
        The disk is full or the folder cannot be written; an earlier checkpoint is untouched.
    """
    part = path.with_suffix(".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        contiguous = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
        save_file(contiguous, part, metadata={"state": json.dumps(state)})
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        part.replace(path)
    except (OSError, SafetensorError) as error:
        part.unlink(missing_ok=True)
        raise TrainingError(
            f"{path}: the checkpoint was not written ({error}); an earlier one is untouched"
        ) from error


def read_checkpoint(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and state of a checkpoint.

    Raises
    ------
    TrainingError
        The file is missing or is not a checkpoint.
    """
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            state = json.loads((file.metadata() or {}).get("state", "{}"))
    except (OSError, SafetensorError, json.JSONDecodeError) as error:
        raise TrainingError(f"{path}: is not a readable checkpoint ({error})") from error
    return tensors, state


def load_into(module: nn.Module, tensors: Mapping[str, Tensor], *, prefix: str, path: Path) -> None:
    """Load the tensors named ``prefix + name`` into ``module``, all of them and no others.

    Raises
    ------
    TrainingError
        A tensor is missing, left over, or of another shape.
    """
    own = {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
    expected = module.state_dict()
    for name, tensor in expected.items():
        if name not in own:
            raise TrainingError(f"{path}: lacks {prefix}{name}; it belongs to another recipe")
        if own[name].shape != tensor.shape:
            shapes = f"{tuple(own[name].shape)}, this recipe needs {tuple(tensor.shape)}"
            raise TrainingError(f"{path}: {prefix}{name} has shape {shapes}")
    left_over = sorted(set(own) - set(expected))
    if left_over:
        raise TrainingError(f"{path}: holds {prefix}{left_over[0]}, which this recipe does not have")
    with torch.no_grad():
        module.load_state_dict(own)
