"""Convolutions, pooling, batch normalisation and the LSTM in Core ML's operators."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from voiceprint.clip_graph import node_attribute
from voiceprint.coreml.drafting import Draft, Translate, mb

_GATES = [0, 2, 1, 3]  # Core ML's order: input, forget, output, cell; ONNX has output before forget


def _convolution(draft: Draft, node: onnx.NodeProto) -> None:
    """Translate Conv, of one or two dimensions."""
    weights = draft.needed(node, 1)
    dimensions = weights.ndim - 2
    plain = node_attribute(node, "auto_pad", "NOTSET") == "NOTSET" and dimensions in {1, 2}
    draft.check(node, plain, "padding of its own, or other dimensions")
    found = mb.conv(
        x=draft.first(node),
        weight=weights,
        bias=draft.constant(node, 2),
        strides=node_attribute(node, "strides", [1] * dimensions),
        dilations=node_attribute(node, "dilations", [1] * dimensions),
        groups=node_attribute(node, "group", 1),
        pad_type="custom",
        pad=_by_axis(node_attribute(node, "pads", [0] * 2 * dimensions)),
    )
    draft.give(node, found)


def _max_pool(draft: Draft, node: onnx.NodeProto) -> None:
    """Translate MaxPool: whole windows, or with ``ceil_mode`` the last one cut short."""
    kernel, strides = _pooled(draft, node)
    cut = bool(node_attribute(node, "ceil_mode", 0))
    found = draft.first(node)
    if cut:
        draft.check(node, all(map(int.__le__, strides, kernel)), "its last window may hold nothing")
        found = _filled_up(found, strides, float(np.finfo(np.float32).min))
    draft.give(node, mb.max_pool(x=found, kernel_sizes=kernel, strides=strides, pad_type="valid"))


def _average_pool(draft: Draft, node: onnx.NodeProto) -> None:
    """Translate AveragePool: whole windows, or with ``ceil_mode`` the mean of what the last one holds."""
    kernel, strides = _pooled(draft, node)
    found = draft.first(node)
    if not node_attribute(node, "ceil_mode", 0):
        draft.give(node, _mean(found, kernel, strides))
        return
    draft.check(node, all(map(int.__le__, strides, kernel)), "its last window may hold nothing")
    # Zeros fill the last window; the mean of as many ones and zeros tells how much of it is filled.
    ones = mb.fill(shape=mb.shape(x=found), value=np.float32(1))
    means = [_mean(_filled_up(each, strides, 0.0), kernel, strides) for each in (found, ones)]
    draft.give(node, mb.real_div(x=means[0], y=means[1]))


def _mean(value: Any, kernel: Sequence[int], strides: Sequence[int]) -> Any:
    return mb.avg_pool(x=value, kernel_sizes=kernel, strides=strides, pad_type="valid")


def _pooled(draft: Draft, node: onnx.NodeProto) -> tuple[list[int], list[int]]:
    """Window and step of a pooling."""
    kernel = [*node_attribute(node, "kernel_shape")]
    plain = not any(node_attribute(node, "pads", [0])) and set(node_attribute(node, "dilations", [1])) == {1}
    draft.check(node, plain and len(kernel) in {1, 2}, "padding, or other dimensions")
    return kernel, [*node_attribute(node, "strides", [1] * len(kernel))]


def _filled_up(value: Any, strides: Sequence[int], fill: float) -> Any:
    """Put so much behind each axis that no window of a pooling is cut short."""
    amounts = [number for stride in strides for number in (0, stride - 1)]
    return mb.pad(x=value, pad=amounts, mode="constant", constant_val=np.float32(fill))


def _by_axis(pads: Sequence[int]) -> list[int]:
    """ONNX lists what is put before every axis, then what is put behind; Core ML goes axis by axis."""
    return [int(number) for number in np.reshape(pads, (2, -1)).T.ravel()]


def _batch_normalization(draft: Draft, node: onnx.NodeProto) -> None:
    """Translate BatchNormalization: a factor and a summand for each channel."""
    scale, bias, mean, variance = (draft.constants[name] for name in node.input[1:])
    factor = scale / np.sqrt(variance + np.float32(node_attribute(node, "epsilon", 1e-5)))
    channels = (1, -1, *(1 for _ in draft.shape(node.input[0])[2:]))
    scaled = mb.mul(x=draft.first(node), y=factor.reshape(channels))
    draft.give(node, mb.add(x=scaled, y=(bias - mean * factor).reshape(channels)))


def _lstm(draft: Draft, node: onnx.NodeProto) -> None:
    """Translate LSTM, from a state of zeros or one that is given."""
    plain = not node_attribute(node, "input_forget", 0) and node_attribute(node, "clip") is None
    usual = plain and node_attribute(node, "activations") is None and not node_attribute(node, "layout", 0)
    draft.check(node, usual, "its gates or its axes are not the usual ones")
    draft.check(node, not any(node.input[4:5]) and not any(node.input[7:]), "it has lengths or peepholes")
    entering, hidden, bias = draft.needed(node, 1), draft.needed(node, 2), draft.constant(node, 3)
    count, size = len(hidden), hidden.shape[2]
    both = np.zeros((count, 8 * size), dtype=np.float32) if bias is None else bias
    weights: dict[str, NDArray[np.float32]] = {}
    for place, suffix in enumerate(("", "_back")[:count]):
        weights[f"weight_ih{suffix}"] = _reordered(entering[place])
        weights[f"weight_hh{suffix}"] = _reordered(hidden[place])
        weights[f"bias{suffix}"] = _reordered(both[place].reshape(2, -1).sum(axis=0))
    direction = node_attribute(node, "direction", "forward")
    steps, *states = mb.lstm(
        x=draft.first(node),
        initial_h=_state(draft, node, 5, count * size),
        initial_c=_state(draft, node, 6, count * size),
        direction=direction,
        output_sequence=True,
        **weights,
    )
    apart = mb.reshape(x=steps, shape=[-1, 1, count, size])  # (T, 1, directions, size)
    found = [mb.transpose(x=apart, perm=[0, 2, 1, 3])]
    found += [mb.reshape(x=state, shape=[count, 1, size]) for state in states]
    draft.values |= {name: value for name, value in zip(node.output, found, strict=False) if name}


def _reordered(gates: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.ascontiguousarray(gates.reshape(4, -1, *gates.shape[1:])[_GATES].reshape(gates.shape))


def _state(draft: Draft, node: onnx.NodeProto, place: int, size: int) -> Any:
    """The state before the first step, (1, directions * size)."""
    name = node.input[place] if place < len(node.input) else ""
    if not name:
        return np.zeros((1, size), dtype=np.float32)
    if name in draft.constants:
        return draft.constants[name].reshape(1, size)
    return mb.reshape(x=draft.value(name), shape=[1, size])


LAYERS: Mapping[str, Translate] = {
    "AveragePool": _average_pool,
    "BatchNormalization": _batch_normalization,
    "Conv": _convolution,
    "LSTM": _lstm,
    "MaxPool": _max_pool,
}
"""How they are translated, by their ONNX names."""
