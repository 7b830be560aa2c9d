"""The processes that share one training run; alone, every operation is the identity."""

from __future__ import annotations

import os
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.distributed.nn.functional import all_gather

__all__ = ["Group", "join_group"]


class Group:
    """A run's processes.

    Parameters
    ----------
    rank, size : int
        This process's number and how many there are.
    """

    def __init__(self, rank: int = 0, size: int = 1) -> None:
        self.rank = rank
        self.size = size

    @property
    def leads(self) -> bool:
        """Whether this process writes logs and checkpoints."""
        return self.rank == 0

    def gather(self, tensor: Tensor) -> Tensor:
        """Rows of all processes, (n, ...) -> (size * n, ...); differentiable."""
        if self.size == 1:
            return tensor
        return torch.cat(list(all_gather(tensor)))  # type: ignore[no-untyped-call]

    def average_gradients(self, parameters: Sequence[nn.Parameter]) -> None:
        """Replace each gradient by its mean over the processes.

        Every process computes the loss of the whole batch, and the backward pass of :meth:`gather` sums
        what all of
        them send to a row, so that the mean is the gradient of that loss.
        """
        if self.size == 1:
            return
        gradients = [p.grad for p in parameters if p.grad is not None]
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        torch.distributed.all_reduce(flat)
        flat /= self.size
        offset = 0
        for gradient in gradients:
            gradient.copy_(flat[offset : offset + gradient.numel()].view_as(gradient))
            offset += gradient.numel()


def join_group(device: str = "cpu") -> Group:
    """Join the group that ``torchrun`` describes in the environment, or make one of this process alone."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return Group()
    torch.distributed.init_process_group("nccl" if device.startswith("cuda") else "gloo")
    return Group(torch.distributed.get_rank(), torch.distributed.get_world_size())
