"""A trained segmentation network as an ONNX file, checked against torch, and its weights beside it."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from voiceprint.diarization.segmentation import NETWORK_FILE
from voiceprint.errors import TrainingError
from voiceprint.files.whole import write_files
from voiceprint.model.card import WEIGHTS_FILE
from voiceprint.onnx_runtime import open_session
from voiceprint.training.export.graph import halve, halved_weights, write_onnx
from voiceprint.training.run.checkpoint import load_into, read_checkpoint
from voiceprint.training.segmentation.network import SegmentationNetwork
from voiceprint.training.segmentation.run import read_run

PARITY = 1e-3
"""Largest difference between a class's log-likelihood in the graph and in torch."""

HALF_PARITY = 0.01
"""The same where the graph holds its weights in half precision, as the file does."""


class _Likelihoods(nn.Module):
    def __init__(self, network: SegmentationNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, waveforms: torch.Tensor) -> torch.Tensor:
        return torch.log_softmax(self.network(waveforms), dim=-1)


def export_segmentation(run: Path, target: Path, *, checkpoint: str = "best") -> dict[str, object]:
    """Write the averaged weights of a run as ``segmentation.onnx`` and ``weights.safetensors``.

    Parameters
    ----------
    run : Path
        As `train_segmentation` writes it.
    target : Path
        The folder; each file is replaced whole, or not at all. A recipe can start from the weights.
    checkpoint : {"best", "last"}

    Returns
    -------
    dict
        ``step``, ``error`` on the dev windows (best only), and the graph's ``bytes``.

    Raises
    ------
    TrainingError
        There is no such checkpoint, or the graph differs from the network.
    """
    path = run / "checkpoints" / f"{checkpoint}.safetensors"
    tensors, state = read_checkpoint(path)
    network = SegmentationNetwork(read_run(run).network)
    load_into(network, tensors, prefix="average.", path=path)
    graph = _graph(_Likelihoods(network).eval(), target)
    write_files(target, {NETWORK_FILE: graph, WEIGHTS_FILE: halved_weights(network)})
    return {"step": state["step"], "error": state["best"], "bytes": len(graph)}


def _graph(network: nn.Module, target: Path) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder) / "network.onnx"
        write_onnx(network, scratch, output="likelihoods", axes=("batch", "frames"))
        _check(network, scratch.read_bytes(), target, PARITY)
        halve(scratch)
        graph = scratch.read_bytes()
    _check(network, graph, target, HALF_PARITY)
    return graph


def _check(network: nn.Module, graph: bytes, target: Path, most: float) -> None:
    session = open_session(graph)
    for samples in (32_000, 160_000):
        draw = np.random.default_rng(0)
        clip: NDArray[np.float32] = (0.05 * draw.standard_normal((2, samples))).astype(np.float32)
        (ours,) = session.run(None, {"waveform": clip})
        with torch.inference_mode():
            theirs = network(torch.from_numpy(clip)).numpy()
        apart = float(np.abs(ours - theirs).max()) if ours.shape == theirs.shape else np.inf
        if not apart <= most:
            raise TrainingError(f"{target}: the graph lies {apart:.1e} from the network; nothing was written")
