"""A trained encoder as a model folder: ONNX graph, torch weights, card; refused unless they agree."""

from __future__ import annotations

import logging
import shutil
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from safetensors.torch import save
from torch import nn

from voiceprint.audio import SAMPLE_RATE
from voiceprint.corpus import Corpus, Unreadable
from voiceprint.corpus.reading import read_utterances
from voiceprint.errors import TrainingError
from voiceprint.files.checksum import sha256_of
from voiceprint.model.card import (
    CARD_FILE,
    ENCODER_FILE,
    PAGE_FILE,
    WEIGHTS_FILE,
    ModelCard,
    read_model_card,
)
from voiceprint.model.folder import staged_folder, write_model_card
from voiceprint.onnx_runtime import PARITY, graph_embedder, load_quantization
from voiceprint.scoring import cosine, normalize
from voiceprint.training.run.validation import torch_embed

OPSET = 17
_HALVED_FROM = 10_000  # weights of a table from which on half precision saves anything
PARITY_SECONDS = (0.5, 1.0, 3.7, 10.0, 60.0)


def export_model(
    encoder: nn.Module,
    folder: Path,
    card_of: Callable[..., ModelCard],
    *,
    speech: NDArray[np.float32],
    finish: Callable[[Path], Mapping[str, Any]] = lambda graph: {},
    attached: Mapping[str, bytes] | None = None,
    int8: bool = False,
    overwrite: bool = False,
) -> ModelCard:
    """Write a model folder, whole or not at all; its large weights are stored in half precision.

    Parameters
    ----------
    encoder : nn.Module
        Waveforms (batch, samples) -> embeddings (batch, dim); put into evaluation mode.
    card_of : callable
        Makes the card, given what the folder shows of it: ``dim``, ``files`` and ``measured``.
    speech : NDArray of float32, (n,)
        Real speech at 16 kHz, from which clips of several lengths are cut for the parity check.
    finish : callable
        Takes the path of the graph that has passed the check, may change the graph, and returns what to add
        to the card's ``measured``.
    attached : Mapping of str to bytes, optional
        Further files of the folder, listed on the card with their sha256.
    int8 : bool
        Whether ``finish`` makes the graph's weights 8-bit: it is given the weights in full precision.
    overwrite : bool
        Whether a model that is there may be replaced. Files that its card does not list, such as LICENSE,
        are kept.

    Raises
    ------
    TrainingError
        The graph's embeddings differ from torch's.
    ModelError
        The folder exists already, or cannot be written.
    """
    encoder.eval()
    with staged_folder(folder, overwrite=overwrite) as staged:
        _write_checked(encoder, staged, speech, folder, halved=not int8)
        attached = attached or {}
        for file, content in attached.items():
            (staged / file).write_bytes(content)
        measured = finish(staged / ENCODER_FILE)
        files = {file: sha256_of(staged / file) for file in (ENCODER_FILE, WEIGHTS_FILE, *attached)}
        card = card_of(dim=_dim(encoder), files=files, measured=measured)
        write_model_card(staged, card)
        _keep_others(folder, staged)
    return card


def parity_speech(corpus: Corpus) -> NDArray[np.float32]:
    """Real speech (n,) at 16 kHz, enough for the longest clip of the parity check.

    Raises
    ------
    TrainingError
        None of the clips can be read.
    """
    wanted = int(max(PARITY_SECONDS) * SAMPLE_RATE)
    clips: list[NDArray[np.float32]] = []
    for clip in read_utterances(corpus):
        if not isinstance(clip, Unreadable):
            clips.append(clip)
        if sum(map(len, clips)) >= wanted:
            break
    if not clips:
        raise TrainingError("none of the dev clips can be read, so the exported graph cannot be checked")
    return np.concatenate(clips)[:wanted]


def halved_weights(module: nn.Module) -> bytes:
    """The state of a module as safetensors, with large weights in half precision."""
    state = module.state_dict()
    for name, learned in module.named_parameters():
        if learned.numel() >= _HALVED_FROM:
            state[name] = state[name].half()
    return bytes(save({name: tensor.contiguous() for name, tensor in state.items()}))


def _write_checked(
    encoder: nn.Module, staged: Path, speech: NDArray[np.float32], folder: Path, *, halved: bool
) -> None:
    write_onnx(encoder, staged / ENCODER_FILE)
    if halved:
        halve(staged / ENCODER_FILE)
    (staged / WEIGHTS_FILE).write_bytes(halved_weights(encoder))
    distance = parity_distance(encoder, staged / ENCODER_FILE, _cuts(speech))
    if not distance <= PARITY:
        raise TrainingError(
            f"{folder}: the exported graph's embeddings lie {distance:.1e} (cosine distance) from torch's, "
            f"more than {PARITY:.0e}; nothing was written"
        )


def _keep_others(earlier: Path, staged: Path) -> None:
    """Take over what is not of an earlier model itself, such as LICENSE and NOTICE."""
    if not (earlier / CARD_FILE).exists():
        return
    of_model = {CARD_FILE, PAGE_FILE, *read_model_card(earlier).files}
    for path in earlier.iterdir():
        if path.is_file() and path.name not in of_model and not path.name.startswith("."):
            shutil.copy2(path, staged)


def write_onnx(
    network: nn.Module,
    path: Path,
    *,
    output: str = "embedding",
    axes: Sequence[str] = ("batch",),
) -> None:
    """Export a network that takes waveforms to ONNX, for any batch and any length.

    Traced, not compiled by dynamo: the trace of convolutions and an LSTM is exact, and needs no onnxscript.

    Parameters
    ----------
    network : nn.Module
        Waveforms (batch, samples) -> its output.
    axes : sequence of str
        Names of the output's first axes, those whose length is not fixed.
    """
    example = torch.zeros(2, SAMPLE_RATE)
    with warnings.catch_warnings(), torch.inference_mode():
        # The legacy exporter announces its successor, and warns of fixed batches in LSTMs that hold no state.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network,
            (example,),
            str(path),
            dynamo=False,
            opset_version=OPSET,
            input_names=["waveform"],
            output_names=[output],
            dynamic_axes={"waveform": {0: "batch", 1: "samples"}, output: dict(enumerate(axes))},
        )
    onnx.checker.check_model(str(path))


def halve(path: Path) -> None:
    """Store the large weights of a graph in half precision, in place: half the file.

    The runtime widens them once, when it opens the file. What is not a weight keeps its precision: the front
    end's tables have to cancel what is loud next to what is not.
    """
    model = onnx.load(path)
    casts = []
    for place, tensor in enumerate(model.graph.initializer):
        weights = numpy_helper.to_array(tensor)
        if weights.dtype != np.float32 or weights.size < _HALVED_FROM or "front_end" in tensor.name:
            continue
        halved = numpy_helper.from_array(weights.astype(np.float16), f"{tensor.name}.half")
        casts.append(helper.make_node("Cast", [halved.name], [tensor.name], to=onnx.TensorProto.FLOAT))
        model.graph.initializer[place].CopyFrom(halved)
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())


def quantize(path: Path) -> None:
    """Make the weights of a graph 8-bit, in place: of everything but convolutions, which lose most by it.

    ``reduce_range`` keeps sums within 16 bits on processors without VNNI instructions.
    """
    quantization = load_quantization()
    logging.disable(logging.WARNING)  # it logs advice about preprocessing on the root logger
    try:
        quantization.quantize_dynamic(
            path,
            path,
            op_types_to_quantize=["LSTM", "MatMul", "Gemm"],
            weight_type=quantization.QuantType.QInt8,
            reduce_range=True,
        )
    finally:
        logging.disable(logging.NOTSET)


def parity_distance(encoder: nn.Module, path: Path, clips: Sequence[NDArray[np.float32]]) -> float:
    """Largest cosine distance between the embeddings that torch and onnxruntime give of ``clips``."""
    by_onnx, by_torch = graph_embedder(path), torch_embed(encoder)
    pairs = ((normalize(by_onnx(clip[None])), normalize(by_torch(clip[None]))) for clip in clips)
    return max(1 - float(cosine(ours, theirs)[0]) for ours, theirs in pairs)


def _cuts(speech: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    return [np.resize(speech, int(seconds * SAMPLE_RATE)) for seconds in PARITY_SECONDS]


def _dim(encoder: nn.Module) -> int:
    return int(torch_embed(encoder)(np.zeros((1, SAMPLE_RATE), dtype=np.float32)).shape[1])
