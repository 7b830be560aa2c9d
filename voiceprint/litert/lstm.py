"""The LSTM: LiteRT's fused operator for any number of steps, or one step whose state the caller keeps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from voiceprint.clip_graph import node_attribute
from voiceprint.litert.file import NOTHING
from voiceprint.litert.lowering import Lowering

_SHUT = -1e4  # what shuts a gate, whatever else arrives there; exact in half precision


@dataclass(frozen=True, slots=True, kw_only=True)
class _Weights:
    """Of one direction; the gates are in ONNX's order: input, output, forget, cell.

    Parameters
    ----------
    entering : ndarray of float32, shape (4, size, inputs)
    hidden : ndarray of float32, shape (4, size, size)
    bias : ndarray of float32, shape (4, size)
    """

    entering: NDArray[np.float32]
    hidden: NDArray[np.float32]
    bias: NDArray[np.float32]


def lstm(low: Lowering, node: onnx.NodeProto) -> None:
    """Translate LSTM: steps from a state of zeros, or one step from the state that is given."""
    directions = _directions(low, node)
    steps, batch, _ = low.shape(node.input[0])
    low.check(node, batch == 1 and not node_attribute(node, "layout", 0), "it takes several clips at once")
    if not all(_is_zero(low, name) for name in node.input[4:]):
        single = steps == 1 and len(directions) == 1 and all(node.input[5:7]) and not any(node.input[7:])
        low.check(node, single, "it takes several steps from a state that is given")
        _step(low, node, directions[0])
        return
    kept = [name for name in node.output[1:] if name in low.wanted]
    low.check(node, not kept, "its last state is used")
    forwards = node_attribute(node, "direction", "forward") != "reverse"
    parts = [
        _sequence(low, node.input[0], weights, forwards=forwards and place == 0)
        for place, weights in enumerate(directions)
    ]
    made = low.shape(node.output[0])
    low.numbers[node.output[0]] = low.joined(parts, 1, made) if len(parts) > 1 else parts[0]


def _is_zero(low: Lowering, name: str) -> bool:
    return not name or (name in low.constants and not low.constants[name].any())


def _directions(low: Lowering, node: onnx.NodeProto) -> list[_Weights]:
    entering, hidden, bias = low.needed(node, 1), low.needed(node, 2), low.constant(node, 3)
    plain = not node_attribute(node, "input_forget", 0) and node_attribute(node, "clip") is None
    low.check(node, plain and node_attribute(node, "activations") is None, "its gates are not the usual ones")
    count, size = len(hidden), hidden.shape[2]
    both = np.zeros((count, 8 * size), dtype=np.float32) if bias is None else bias
    return [
        _Weights(
            entering=w.reshape(4, size, -1),
            hidden=r.reshape(4, size, size),
            bias=b.reshape(2, 4, size).sum(axis=0),
        )
        for w, r, b in zip(entering, hidden, both, strict=True)
    ]


def _sequence(low: Lowering, name: str, weights: _Weights, *, forwards: bool) -> int:
    """Pass steps (T, 1, inputs) through LiteRT's fused operator, which gives (T, 1, 1, size).

    The operator keeps its state from one clip to the next, unless the caller resets it. So a step is put
    before the clip, and one more input, 1 in that step alone, shuts the gates: what was there is forgotten.
    """
    file, shape = low.file, low.shape(name)
    size, inputs = weights.entering.shape[1:]
    turn = file.constant(np.zeros(1, dtype=np.int32))
    number = low.value(name)
    if not forwards:
        number = file.apply("REVERSE_V2", [number, turn], shape)
    wider = (shape[0], 1, inputs + 1)
    number = file.apply("PAD", [number, file.constant(np.array([(0, 0), (0, 0), (0, 1)]))], wider)
    first = np.zeros((1, 1, inputs + 1), dtype=np.float32)
    first[..., -1] = 1.0
    longer = None if shape[0] is None else shape[0] + 1
    number = low.joined([file.constant(first), number], 0, (longer, *wider[1:]))
    number = _fused(low, number, weights, (longer, 1, size))
    number = low.without_first(number, (shape[0], 1, size))
    if not forwards:
        number = file.apply("REVERSE_V2", [number, turn], (shape[0], 1, size))
    axis = file.constant(np.array(1))
    return file.apply("EXPAND_DIMS", [number, axis], (shape[0], 1, 1, size))


def _fused(low: Lowering, number: int, weights: _Weights, shape: tuple[int | None, int, int]) -> int:
    file, size = low.file, shape[2]
    shut = np.repeat(np.array([_SHUT, _SHUT, _SHUT, 0.0], dtype=np.float32), size).reshape(4, size, 1)
    entering = np.concatenate([weights.entering, shut], axis=2)
    order = (0, 2, 3, 1)  # input, forget, cell, output
    inputs = [
        number,
        *(file.weights(np.ascontiguousarray(entering[gate])) for gate in order),
        *(file.weights(np.ascontiguousarray(weights.hidden[gate])) for gate in order),
        *[NOTHING] * 3,  # peepholes
        *(file.constant(weights.bias[gate]) for gate in order),
        *[NOTHING] * 2,  # projection
        file.tensor((1, size), variable=True),
        file.tensor((1, size), variable=True),
        *[NOTHING] * 4,  # layer normalisation
    ]
    options = schema.UnidirectionalSequenceLSTMOptionsT()
    options.fusedActivationFunction = schema.ActivationFunctionType.TANH
    options.timeMajor = True
    return file.apply("UNIDIRECTIONAL_SEQUENCE_LSTM", inputs, shape, options=options)


def _step(low: Lowering, node: onnx.NodeProto, weights: _Weights) -> None:
    """One step in plain operators: the state before it is an input, that behind it an output."""
    file, size = low.file, weights.hidden.shape[1]
    flat = (1, size)
    x, h, c = (low.value(node.input[place]) for place in (0, 5, 6))
    entering = low.reshaped(x, (1, weights.entering.shape[2]))
    arrived = low.dense(entering, weights.entering.reshape(4 * size, -1), weights.bias.ravel(), (1, 4 * size))
    remembered = low.dense(low.reshaped(h, flat), weights.hidden.reshape(4 * size, -1), None, (1, 4 * size))
    options = schema.SplitOptionsT()
    options.numSplits = 4
    gates = [file.tensor(flat) for _ in range(4)]
    both = file.apply("ADD", [arrived, remembered], (1, 4 * size))
    file.add("SPLIT", [file.constant(np.array(1)), both], gates, options=options)
    opened, shown, kept = (file.apply("LOGISTIC", [gate], flat) for gate in gates[:3])
    new = file.apply("MUL", [opened, file.apply("TANH", [gates[3]], flat)], flat)
    old = file.apply("MUL", [kept, low.reshaped(c, flat)], flat)
    cell = file.apply("ADD", [old, new], flat)
    hidden = file.apply("MUL", [shown, file.apply("TANH", [cell], flat)], flat)
    for name, number in zip(node.output, (hidden, hidden, cell), strict=False):
        if name:
            low.numbers[name] = low.reshaped(number, low.shape(name))
