"""A tiny countermeasure for tests, by which way up the pulses of a synthetic voice stand.

So a test makes a clip of a machine by turning one upside down: nothing else about it changes.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from voiceprint.countermeasure import CountermeasureCard
from voiceprint.countermeasure.card import NETWORK_FILE, write_card
from voiceprint.countermeasure.detector import KINDS, SpoofKind
from voiceprint.files.checksum import sha256_of

SHORTEST = 0.7
"""Seconds of speech, with its margins, below which it says nothing."""


def write_tiny_countermeasure(folder: Path, *, kind: SpoofKind = "synthetic") -> Path:
    """Write a countermeasure's folder; `kind` is what clips upside down sound like."""
    folder.mkdir(parents=True, exist_ok=True)
    spoofs = np.array([0.0 if kind == each else -9.0 for each in KINDS[1:]], np.float32)
    onnx.save(_network(spoofs), folder / NETWORK_FILE)
    card = CountermeasureCard(
        name="tiny",
        version="1",
        licence="Apache-2.0",
        sha256=sha256_of(folder / NETWORK_FILE),
        slope=1.0,
        offset=0.5,
        per_log_second=0.0,
        rates=(0.01, 0.1),
        seconds=(SHORTEST, 4.0),
        thresholds=((0.0, 7.0), (0.0, 7.0)),
        trained_on=("synthetic voices",),
        measured={"eer": {"upside down": 0.02}},
    )
    write_card(folder, card)
    return folder


def inverted(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Make a clip that sounds like a machine's."""
    return -samples


def _network(spoofs: NDArray[np.float32]) -> onnx.ModelProto:
    """Build waveform (batch, samples) -> logits (batch, 3): ten times its skewness, and two constants."""
    nodes = [
        helper.make_node("Pow", ["waveform", "two"], ["squares"]),
        helper.make_node("Pow", ["waveform", "three"], ["cubes"]),
        helper.make_node("ReduceMean", ["squares", "time"], ["power"], keepdims=1),
        helper.make_node("ReduceMean", ["cubes", "time"], ["asymmetry"], keepdims=1),
        helper.make_node("Pow", ["power", "three_halves"], ["scale"]),
        helper.make_node("Div", ["asymmetry", "scale"], ["skewness"]),
        helper.make_node("Mul", ["skewness", "ten"], ["live"]),
        helper.make_node("Concat", ["live", "spoofs"], ["logits"], axis=1),
    ]
    numbers = {"two": 2.0, "three": 3.0, "three_halves": 1.5, "ten": 10.0}
    constants = {name: np.array(number, np.float32) for name, number in numbers.items()}
    constants |= {"time": np.array([1], np.int64), "spoofs": spoofs[None]}
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("waveform", TensorProto.FLOAT, ["batch", "samples"])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", len(KINDS)])],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
