"""A trained encoder as a model folder: ONNX graph, torch weights, card; refused unless they agree."""

from __future__ import annotations

import shutil
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnxruntime import InferenceSession, SessionOptions
from safetensors.torch import save_file
from torch import Tensor, nn

from voiceprint.audio import SAMPLE_RATE
from voiceprint.card import ENCODER_FILE, ModelCard, sha256_of, write_model_card
from voiceprint.errors import TrainingError
from voiceprint.scoring import cosine, normalize

__all__ = ["OPSET", "PARITY", "WEIGHTS_FILE", "export_model", "parity_distance", "write_onnx"]

OPSET = 17
PARITY = 1e-5
"""Largest cosine distance between the embeddings of the graph and of torch."""
PARITY_SECONDS = (0.5, 1.0, 3.7, 10.0, 60.0)
WEIGHTS_FILE = "weights.safetensors"


def export_model(
    encoder: nn.Module,
    folder: Path,
    *,
    name: str,
    version: str,
    description: str,
    licence: str,
    speech: NDArray[np.float32],
    encoder_table: Mapping[str, Any],
    training_table: Mapping[str, Any],
) -> ModelCard:
    """Write a model folder, whole or not at all; other files of an earlier model there are kept.

    Parameters
    ----------
    encoder : nn.Module
        Waveforms (batch, samples) -> embeddings (batch, dim); put into evaluation mode.
    folder : Path
        Where to.
    name, version, description, licence : str
        For the card.
    speech : NDArray of float32, (n,)
        Real speech at 16 kHz, from which clips of several lengths are cut for the parity check.
    encoder_table, training_table : Mapping
        Tables of the card: the architecture, and what it was trained on.

    Raises
    ------
    TrainingError
        The graph's embeddings differ from torch's, or the folder cannot be written.
    """
    encoder.eval()
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as temporary:
            staged = Path(temporary)
            write_onnx(encoder, staged / ENCODER_FILE)
            save_file(
                {key: value.contiguous() for key, value in encoder.state_dict().items()},
                staged / WEIGHTS_FILE,
            )
            distance = parity_distance(encoder, staged / ENCODER_FILE, _cuts(speech))
            if distance > PARITY:
                raise TrainingError(
                    f"{folder}: the exported graph's embeddings lie {distance:.1e} (cosine distance) from "
                    f"torch's, more than {PARITY:.0e}; nothing was written"
                )
            card = ModelCard(
                name=name,
                version=version,
                description=description,
                licence=licence,
                dim=_dim(encoder),
                files={file: sha256_of(staged / file) for file in (ENCODER_FILE, WEIGHTS_FILE)},
                min_seconds=0.1,
                encoder=encoder_table,
                training=training_table,
            )
            write_model_card(staged, card)
            folder.mkdir(exist_ok=True)
            for file in sorted(staged.iterdir()):
                shutil.move(file, folder / file.name)
    except OSError as error:
        raise TrainingError(f"{folder}: the model folder cannot be written ({error})") from error
    return card


def write_onnx(encoder: nn.Module, path: Path) -> None:
    """Export ``encoder`` to ONNX with any batch and any length.

    Traced, not compiled by dynamo: the trace of convolutions and an LSTM is exact, and needs no onnxscript.
    """
    example = torch.zeros(2, SAMPLE_RATE)
    with warnings.catch_warnings(), torch.inference_mode():
        # The legacy exporter announces its successor, and warns of fixed batches in LSTMs that hold no state.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            encoder,
            (example,),
            str(path),
            dynamo=False,
            opset_version=OPSET,
            input_names=["waveform"],
            output_names=["embedding"],
            dynamic_axes={"waveform": {0: "batch", 1: "samples"}, "embedding": {0: "batch"}},
        )
    onnx.checker.check_model(str(path))


def parity_distance(encoder: nn.Module, path: Path, clips: Sequence[NDArray[np.float32]]) -> float:
    """Largest cosine distance between the embeddings that torch and onnxruntime give of ``clips``."""
    options = SessionOptions()
    options.intra_op_num_threads = 1
    session = InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    distances = []
    for clip in clips:
        (ours,) = session.run(None, {session.get_inputs()[0].name: clip[None]})
        with torch.inference_mode():
            theirs: Tensor = encoder(torch.from_numpy(clip[None]))
        distances.append(1 - float(cosine(normalize(ours), normalize(theirs.numpy()))[0]))
    return max(distances)


def _cuts(speech: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    return [np.resize(speech, int(seconds * SAMPLE_RATE)) for seconds in PARITY_SECONDS]


def _dim(encoder: nn.Module) -> int:
    with torch.inference_mode():
        return int(encoder(torch.zeros(1, SAMPLE_RATE)).shape[1])
