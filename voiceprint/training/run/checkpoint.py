"""Checkpoints: one safetensors file that holds tensors and, in its header, the run's state as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from voiceprint.errors import TrainingError
from voiceprint.files.whole import whole_file, write_whole

LAST = "last.safetensors"
"""The name of a run's newest checkpoint."""


def write_checkpoint(path: Path, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
    """Write a checkpoint so that either the old or the new one is there, whole, whatever happens.

    Raises
    ------
    TrainingError
        The disk is full or the folder cannot be written; an earlier checkpoint is untouched.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        contiguous = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
        # Always the same name: what a killed run leaves behind, the next one overwrites.
        with whole_file(path, temporary=path.with_suffix(".part")) as file:
            file.write(save(contiguous, metadata={"state": json.dumps(state)}))
    except OSError as error:
        raise TrainingError(
            f"{path}: the checkpoint was not written ({error.strerror}); an earlier one is untouched"
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


def split_checkpoint(path: Path, *, part_bytes: int) -> list[Path]:
    """Take a checkpoint apart into files of at most so many bytes, ``NAME.1of3`` and on, which replace it."""
    content = path.read_bytes()
    count = -(-len(content) // part_bytes)
    parts = [path.with_name(f"{path.name}.{number}of{count}") for number in range(1, count + 1)]
    for number, part in enumerate(parts):
        write_whole(part, content[number * part_bytes : (number + 1) * part_bytes])
    path.unlink()
    return parts


def join_parts(path: Path) -> None:
    """Put the checkpoint together that `split_checkpoint` took apart; where there are no parts, do nothing.

    Raises
    ------
    TrainingError
        A part is missing or damaged, or a checkpoint is there as well.
    """
    found = sorted(path.parent.glob(f"{path.name}.*of*"))
    if not found:
        return
    count = int(found[0].name.rpartition("of")[2])
    parts = [path.with_name(f"{path.name}.{number}of{count}") for number in range(1, count + 1)]
    if set(parts) != set(found):
        raise TrainingError(f"{path}: {len(found)} files of its {count} parts are there; bring those {count}")
    try:
        content = b"".join(part.read_bytes() for part in parts)
        # The same is there where a process was killed in between.
        if path.exists() and path.read_bytes() != content:
            raise TrainingError(f"{path}: is there, and {found[0].name} of another; remove one of them")
        write_whole(path, content)
        _require_whole(path)
        for part in parts:
            part.unlink()
    except OSError as error:
        raise TrainingError(f"{path}: cannot be put together ({error.strerror})") from error


def _require_whole(path: Path) -> None:
    try:
        read_checkpoint(path)
    except TrainingError:
        path.unlink()
        raise


def tensors_like(
    expected: Mapping[str, Tensor], tensors: Mapping[str, Tensor], *, prefix: str, path: Path
) -> dict[str, Tensor]:
    """The tensors named ``prefix + name``, for each name of ``expected`` and no other.

    Raises
    ------
    TrainingError
        A tensor is missing, left over, or of another shape.
    """
    own = {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
    for name, tensor in expected.items():
        if name not in own:
            raise TrainingError(f"{path}: lacks {prefix}{name}; it belongs to another encoder or loss")
        if own[name].shape != tensor.shape:
            raise TrainingError(
                f"{path}: {prefix}{name} has shape {tuple(own[name].shape)}, but the recipe makes it "
                f"{tuple(tensor.shape)}; use the recipe that the file was made with"
            )
    left_over = sorted(set(own) - set(expected))
    if left_over:
        raise TrainingError(f"{path}: holds {prefix}{left_over[0]}, which has no place in this recipe")
    return own


def load_into(module: nn.Module, tensors: Mapping[str, Tensor], *, prefix: str, path: Path) -> None:
    """Load the tensors named ``prefix + name`` into ``module``, as `tensors_like` checks them."""
    module.load_state_dict(tensors_like(module.state_dict(), tensors, prefix=prefix, path=path))


def load_weights(module: nn.Module, path: Path) -> None:
    """Load ``weights.safetensors`` of an export into ``module``, or the averaged weights of a checkpoint.

    Raises
    ------
    TrainingError
        The file is missing, or holds other tensors than ``module``.
    """
    tensors, _ = read_checkpoint(path)
    averaged = any(name.startswith("average.") for name in tensors)
    load_into(module, tensors, prefix="average." if averaged else "", path=path)
