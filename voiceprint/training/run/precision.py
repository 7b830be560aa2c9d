"""The number format that trains the encoder faster on this machine: bf16 or float32."""

from __future__ import annotations

import time
from typing import Literal

import torch
from torch import Tensor, nn

Precision = Literal["bf16", "float32"]

# Enough for both formats to leave their first, slow calls behind; less than a second on two cores.
_WARM_UP, _TIMED = 1, 3


@torch.random.fork_rng()  # what is drawn here, by dropout for example, is not missed later
def choose_precision(encoder: nn.Module, waveforms: Tensor) -> tuple[Precision, str]:
    """Try both formats on an encoder, and take the faster one.

    bf16 may be missing altogether (oneDNN has no bf16 LSTM for processors without AVX-512) or emulated, which
    is slower than float32. The processor's name says neither, so both are tried.

    Parameters
    ----------
    encoder : nn.Module
        What is to be trained; neither its weights nor its statistics change.
    waveforms : Tensor
        A batch (n, samples) on the encoder's device, as large as those of training.

    Returns
    -------
    precision : {"bf16", "float32"}
        The faster format.
    reason : str
        Why, in a few words: a ratio of times, or what bf16 failed with.
    """
    state = {name: tensor.clone() for name, tensor in encoder.state_dict().items()}
    training = encoder.training
    encoder.train()
    try:
        plain = _seconds(encoder, waveforms, "float32")
        try:
            half = _seconds(encoder, waveforms, "bf16")
        except RuntimeError as error:  # torch has no class of its own for a missing kernel
            return "float32", f"this processor cannot train it in bf16 ({str(error).splitlines()[0]})"
    finally:
        encoder.load_state_dict(state)
        encoder.zero_grad(set_to_none=True)
        encoder.train(training)
    if half < plain:
        return "bf16", f"a step takes {half / plain:.2f} times as long as in float32"
    return "float32", f"a step in bf16 takes {half / plain:.2f} times as long"


def _seconds(encoder: nn.Module, waveforms: Tensor, precision: Precision) -> float:
    """The least time of a forward and a backward pass; on a CPU the process's own, whatever else runs."""
    clock = time.perf_counter if waveforms.is_cuda else time.process_time
    least = float("inf")
    for turn in range(_WARM_UP + _TIMED):
        started = clock()
        with torch.autocast(waveforms.device.type, torch.bfloat16, enabled=precision == "bf16"):
            embeddings = encoder(waveforms)
        embeddings.float().square().mean().backward()
        if waveforms.is_cuda:
            torch.cuda.synchronize(waveforms.device)
        if turn >= _WARM_UP:
            least = min(least, clock() - started)
    return least
