"""A trained countermeasure as its folder: network in ONNX, torch weights, card; checked against torch."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save

from voiceprint.countermeasure.card import NETWORK_FILE, CountermeasureCard, write_card
from voiceprint.countermeasure.detector import log_odds
from voiceprint.errors import TrainingError
from voiceprint.files.checksum import sha256_of
from voiceprint.files.whole import whole_file
from voiceprint.onnx_runtime import open_session
from voiceprint.training.countermeasure.calibration import LENGTHS, RATES, Score, fit_countermeasure
from voiceprint.training.countermeasure.network import CountermeasureNetwork
from voiceprint.training.countermeasure.run import open_speech, read_countermeasure_run
from voiceprint.training.export.graph import write_onnx
from voiceprint.training.run.checkpoint import load_into, read_checkpoint

LICENCE = "CC BY 4.0"
"""Of the weights, unless they learned from voices that ask for more."""

PARITY = 1e-3
"""Largest difference between a logit of the graph and of torch."""

_SHARE_ALIKE = "vits"  # the bank of the corpus synthetic_voices, which is CC BY-SA


def export_countermeasure(run: Path, target: Path, *, checkpoint: str = "best") -> dict[str, object]:
    """Write the averaged weights of a run as a countermeasure's folder, its thresholds fitted on dev.

    Parameters
    ----------
    run : Path
        As `train_countermeasure` writes it.
    target : Path
        The folder; other files in it are kept.
    checkpoint : {"best", "last"}

    Returns
    -------
    dict
        ``step``, dev ``eer``, ``turned_away`` for each dev corpus at 1 % asked, and the network's ``bytes``.

    Raises
    ------
    TrainingError
        There is no such checkpoint, or the graph differs from the network.
    """
    path = run / "checkpoints" / f"{checkpoint}.safetensors"
    tensors, state = read_checkpoint(path)
    recipe = read_countermeasure_run(run)
    network = CountermeasureNetwork(recipe.network)
    load_into(network, tensors, prefix="average.", path=path)
    network.eval()
    graph = _graph(network, target)
    banks = Path(recipe.data.banks)
    trained = sorted(
        bank.stem for bank in (banks / "train").glob("*.json") if bank.stem not in recipe.data.without
    )
    fit = fit_countermeasure(_scorer(graph), open_speech(banks / "dev"))
    target.mkdir(parents=True, exist_ok=True)
    for name, content in ((NETWORK_FILE, graph), ("weights.safetensors", _weights(network))):
        with whole_file(target / name) as file:
            file.write(content)
    card = CountermeasureCard(
        name="voiceprint-countermeasure",
        version="0.1",
        licence="CC BY-SA 4.0" if _SHARE_ALIKE in trained else LICENCE,
        sha256=sha256_of(target / NETWORK_FILE),
        slope=fit.slope,
        offset=fit.offset,
        per_log_second=fit.per_log_second,
        rates=RATES,
        seconds=LENGTHS,
        thresholds=fit.thresholds,
        trained_on=tuple(trained),
        measured={"step": state["step"], "dev_turned_away": dict(fit.turned_away), **_dev_eer(state)},
    )
    write_card(target, card)
    return {**card.measured, "bytes": len(graph)}


def _dev_eer(state: Mapping[str, Any]) -> dict[str, float]:
    """The lowest mean EER of the run's validations; empty before the first."""
    return {} if state["best"] is None else {"dev_eer": state["best"]}


def _weights(network: CountermeasureNetwork) -> bytes:
    return bytes(save({name: tensor.contiguous() for name, tensor in network.state_dict().items()}))


def _graph(network: CountermeasureNetwork, target: Path) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder) / NETWORK_FILE
        write_onnx(network, scratch, output="logits")
        graph = scratch.read_bytes()
    session = open_session(graph)
    for samples in (8_000, 48_000):
        draw = np.random.default_rng(0)
        clip: NDArray[np.float32] = (0.05 * draw.standard_normal((2, samples))).astype(np.float32)
        (ours,) = session.run(None, {"waveform": clip})
        with torch.inference_mode():
            theirs = network(torch.from_numpy(clip)).numpy()
        apart = float(np.abs(ours - theirs).max())
        if not apart <= PARITY:
            raise TrainingError(f"{target}: the graph lies {apart:.1e} from the network; nothing was written")
    return graph


def _scorer(graph: bytes) -> Score:
    session = open_session(graph)

    def score(clip: NDArray[np.float32]) -> float:
        (logits,) = session.run(None, {"waveform": clip[None]})
        return float(log_odds(logits)[0])

    return score
