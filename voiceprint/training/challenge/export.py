"""A trained word checker as its folder: network in ONNX, card; held against torch, threshold on dev."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save

from voiceprint.challenge.card import NETWORK_FILE, WordCard, write_word_card
from voiceprint.errors import TrainingError
from voiceprint.files.checksum import sha256_of
from voiceprint.files.whole import write_files
from voiceprint.model.card import WEIGHTS_FILE
from voiceprint.onnx_runtime import open_session
from voiceprint.training.challenge.network import WordNetwork
from voiceprint.training.challenge.run import read_word_run
from voiceprint.training.challenge.suite import Recognizer, order_trials, spoken_orders
from voiceprint.training.export.graph import write_onnx
from voiceprint.training.run.checkpoint import load_into, read_checkpoint
from voiceprint.training.run.task import read_corpora

PARITY = 1e-3
"""Largest difference between a log probability of the graph and of torch."""

PASSING = 0.007
"""Share of wrong orders of the same words that may pass on dev; the promise is 1 %."""

_EACH = 4  # orders of everybody, under every condition


def export_challenge(run: Path, target: Path, *, corpora: Path) -> dict[str, object]:
    """Write the averaged weights of a run's best checkpoint as a word checker's folder.

    Parameters
    ----------
    run : Path
        As `train_challenge` writes it.
    target : Path
        The folder; other files in it are kept.

    Returns
    -------
    dict
        ``step``, what passes on dev, and the network's ``bytes``.

    Raises
    ------
    CorpusError
        If the corpus of dev words is missing.
    TrainingError
        There is no such checkpoint, or the graph differs from the network.
    """
    path = run / "checkpoints" / "best.safetensors"
    tensors, state = read_checkpoint(path)
    recipe = read_word_run(run)
    network = WordNetwork(recipe.network)
    load_into(network, tensors, prefix="average.", path=path)
    network.eval()
    graph = _graph(network, target)
    dev = [*read_corpora(corpora, [recipe.data.words], split="dev")]
    trials = order_trials(_recognizer(graph), spoken_orders(dev, each=_EACH))
    right = np.array([each.right for each in trials])
    wrong = np.concatenate([each.permuted for each in trials])
    threshold = round(float(np.quantile(wrong, 1.0 - PASSING)), 2)
    weights = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
    write_files(target, {NETWORK_FILE: graph, WEIGHTS_FILE: bytes(save(weights))})
    measured = {
        "step": state["step"],
        "dev_right_passed": round(float(np.mean(right >= threshold)), 4),
        "dev_wrong_passed": round(float(np.mean(wrong >= threshold)), 4),
    }
    card = WordCard(
        name="voiceprint-challenge",
        version="0.2",
        licence="CC BY 4.0",
        sha256=sha256_of(target / NETWORK_FILE),
        threshold=threshold,
        trained_on=(recipe.data.words, recipe.data.sentences, *recipe.data.others),
        measured=measured,
    )
    write_word_card(target, card)
    return {**measured, "threshold": threshold, "bytes": len(graph)}


def _graph(network: WordNetwork, target: Path) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder) / NETWORK_FILE
        write_onnx(network, scratch, output="log_probabilities", axes=("batch", "frames"))
        graph = scratch.read_bytes()
    recognize = _recognizer(graph)
    for samples in (8_000, 48_123):
        clip = (0.05 * np.random.default_rng(0).standard_normal(samples)).astype(np.float32)
        with torch.inference_mode():
            theirs = network(torch.from_numpy(clip[None]))[0].numpy()
        apart = float(np.abs(recognize(clip) - theirs).max())
        if not apart <= PARITY:
            raise TrainingError(f"{target}: the graph lies {apart:.1e} from the network; nothing was written")
    return graph


def _recognizer(graph: bytes) -> Recognizer:
    session = open_session(graph)

    def recognize(samples: NDArray[np.float32]) -> NDArray[np.float32]:
        found: NDArray[np.float32] = session.run(None, {"waveform": samples[None]})[0][0]
        return found

    return recognize
