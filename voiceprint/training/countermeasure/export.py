"""A trained countermeasure as its folder: network in ONNX, torch weights, card; checked against torch."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save
from torch import nn

from voiceprint.countermeasure.card import NETWORK_FILE, CountermeasureCard, write_card
from voiceprint.countermeasure.detector import log_odds
from voiceprint.errors import TrainingError
from voiceprint.files.checksum import sha256_of
from voiceprint.files.whole import write_files
from voiceprint.model.card import WEIGHTS_FILE
from voiceprint.onnx_runtime import open_session
from voiceprint.training.countermeasure.calibration import LENGTHS, RATES, Score, fit_countermeasure
from voiceprint.training.countermeasure.network import TwoTowers
from voiceprint.training.countermeasure.run import (
    load_countermeasure_run,
    open_speech,
    read_countermeasure_run,
)
from voiceprint.training.countermeasure.suite import CountermeasureSuite
from voiceprint.training.export.graph import write_onnx

LICENCE = "CC BY 4.0"
"""Of the weights, unless they learned from voices that ask for more."""

PARITY = 1e-3
"""Largest difference between a logit of the graph and of torch."""

_SHARE_ALIKE = "vits"  # the bank of the corpus synthetic_voices, which is CC BY-SA


def export_countermeasure(
    run: Path, target: Path, *, loudspeakers: Path | None = None, checkpoint: str = "best"
) -> dict[str, object]:
    """Write the averaged weights of a run as a countermeasure's folder, its thresholds fitted on dev.

    Parameters
    ----------
    run : Path
        As `train_countermeasure` writes it.
    target : Path
        The folder; other files in it are kept.
    loudspeakers : Path, optional
        Another run, which decides in its place what was played.
    checkpoint : {"best", "last"}

    Returns
    -------
    dict
        ``steps`` of each run, the EERs of the dev suite, ``dev_turned_away`` of each dev corpus at 1 % asked,
        and the network's ``bytes``.

    Raises
    ------
    ConfigError
        The front ends of the runs differ.
    TrainingError
        There is no such checkpoint, or the graph differs from the network.
    """
    runs = [run] if loudspeakers is None else [run, loudspeakers]
    loaded = [load_countermeasure_run(each, checkpoint=checkpoint) for each in runs]
    network = loaded[0][0] if loudspeakers is None else TwoTowers(*(tower for tower, _ in loaded)).eval()
    graph = _graph(network, target)
    recipe = read_countermeasure_run(run)
    held_out = open_speech(Path(recipe.data.banks) / "dev")
    with torch.inference_mode():
        measures = CountermeasureSuite(held_out, most=recipe.pairs.validation)(network)
    fit = fit_countermeasure(_scorer(graph), held_out)
    write_files(target, {NETWORK_FILE: graph, WEIGHTS_FILE: _weights(network)})
    trained = sorted({bank for each in runs for bank in _trained_on(each)})
    card = CountermeasureCard(
        name="voiceprint-countermeasure",
        version="0.2",
        licence="CC BY-SA 4.0" if _SHARE_ALIKE in trained else LICENCE,
        sha256=sha256_of(target / NETWORK_FILE),
        slope=fit.slope,
        offset=fit.offset,
        per_log_second=fit.per_log_second,
        rates=RATES,
        seconds=LENGTHS,
        thresholds=fit.thresholds,
        trained_on=tuple(trained),
        measured={
            "steps": [state["step"] for _, state in loaded],
            "dev_eer": measures["eer"],
            "dev_turned_away": dict(fit.turned_away),
        },
    )
    write_card(target, card)
    return {**card.measured, **measures, "bytes": len(graph)}


def _trained_on(run: Path) -> list[str]:
    data = read_countermeasure_run(run).data
    names = [bank.stem for bank in (Path(data.banks) / "train").glob("*.json")]
    return [name for name in names if name not in data.without]


def _weights(network: nn.Module) -> bytes:
    return bytes(save({name: tensor.contiguous() for name, tensor in network.state_dict().items()}))


def _graph(network: nn.Module, target: Path) -> bytes:
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
