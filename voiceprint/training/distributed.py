"""The processes that share one training run; alone, every operation is the identity."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from voiceprint.errors import ConfigError

__all__ = ["Group", "is_leader", "joined_group", "world_size"]


T = TypeVar("T")


class Group:
    """A run's processes.

    Parameters
    ----------
    rank, size : int
        This process's number and how many there are.
    """

    def __init__(self, rank: int = 0, size: int = 1, *, device: torch.device | None = None) -> None:
        self.rank = rank
        self.size = size
        self.device = device or torch.device("cpu")

    @property
    def leads(self) -> bool:
        """Whether this process writes logs and checkpoints."""
        return self.rank == 0

    def gather(self, tensor: Tensor) -> Tensor:
        """Rows of all processes, (n, ...) -> (size * n, ...); differentiable."""
        if self.size == 1:
            return tensor
        rows: Tensor = _Gather.apply(tensor, self.rank, self.size)  # type: ignore[no-untyped-call]
        return rows

    def average_gradients(self, parameters: Sequence[nn.Parameter]) -> None:
        """Replace each gradient by its mean over the processes.

        Every process computes the loss of the whole batch, and the backward pass of :meth:`gather` sums
        what all of them send to a row, so that the mean is the gradient of that loss.
        """
        if self.size == 1:
            return
        gradients = [p.grad for p in parameters if p.grad is not None]
        flat = parameters_to_vector(gradients)
        torch.distributed.all_reduce(flat)
        vector_to_parameters(flat / self.size, gradients)

    def any(self, flag: bool) -> bool:
        """Whether ``flag`` is set in any process; what one of them decides all must, or they would wait."""
        if self.size == 1:
            return flag
        flags = torch.tensor(float(flag), device=self.device)
        torch.distributed.all_reduce(flags, torch.distributed.ReduceOp.MAX)
        return bool(flags)

    def from_leader(self, values: T | None) -> T:
        """The ``values`` of the process that leads, in every process; the others pass None."""
        box: list[Any] = [values]
        if self.size > 1:
            torch.distributed.broadcast_object_list(box, src=0, device=self.device)
        agreed: T = box[0]
        return agreed


class _Gather(torch.autograd.Function):
    """Rows of all processes; each process gets back the sum of the gradients that all have for its rows."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor, rank: int, size: int) -> Tensor:
        ctx.rank, ctx.size = rank, size
        parts = [torch.empty_like(tensor, memory_format=torch.contiguous_format) for _ in range(size)]
        torch.distributed.all_gather(parts, tensor.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (gradient,) = gradients
        summed = gradient.clone(memory_format=torch.contiguous_format)
        torch.distributed.all_reduce(summed)
        return summed.chunk(ctx.size)[ctx.rank], None, None


@contextmanager
def joined_group(device: str = "cpu") -> Iterator[Group]:
    """Join the group that ``torchrun`` describes in the environment, or make one of this process alone.

    Parameters
    ----------
    device : {"cpu", "cuda"}
        Processes on CPUs talk through gloo, on GPUs through nccl, one GPU to each process.

    Raises
    ------
    ConfigError
        There is no such device.
    """
    place = torch.device(device)
    if place.type == "cuda":
        if not torch.cuda.is_available():
            raise ConfigError(f"device {device}: torch finds no CUDA device here; take cpu")
        place = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        torch.cuda.set_device(place)
    if world_size() == 1:
        yield Group(device=place)
        return
    with _ended_by_sigterm():
        torch.distributed.init_process_group("nccl" if place.type == "cuda" else "gloo")
    try:
        yield Group(torch.distributed.get_rank(), torch.distributed.get_world_size(), device=place)
        # Leave together: gloo aborts a process whose connections go while its threads still use them.
        torch.distributed.barrier()
    finally:
        torch.distributed.destroy_process_group()


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Let SIGTERM end a process that waits for the others inside torch, where no handler of Python's runs.

    ``torchrun`` sends it where one process has ended early, and waits 30 s for the rest.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


def world_size() -> int:
    """How many processes ``torchrun`` has started; 1 without it."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_leader() -> bool:
    """Whether this is the process that ``torchrun`` numbered 0, or the only one."""
    return os.environ.get("RANK", "0") == "0"
