"""Kaldi's log mel filterbank as an ONNX graph: the input of most published encoders.

Its constants are computed in decimals and with operations that IEEE 754 rounds exactly, so that the graph is
the same to the bit on every machine: voiceprints belong to a model's id, which is the hash of its graph.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from decimal import Decimal, localcontext
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from voiceprint.audio import SAMPLE_RATE
from voiceprint.catalog.encoder_input import EncoderInput, FbankConfig

__all__ = ["front_end_graph"]

Doubles = NDArray[np.float64]

_WINDOW, _HOP, _FFT = 400, 160, 512  # samples: 25 ms, 10 ms, and the window filled up to a power of two
_BINS = _FFT // 2 + 1
_PREEMPHASIS = 0.97
_EPSILON = np.finfo(np.float32).eps  # Kaldi's floor below the logarithm
_DIGITS = 40
_PI = Decimal("3.14159265358979323846264338327950288419716939937510582097494")


def front_end_graph(taken: EncoderInput, *, opset: int) -> onnx.ModelProto:
    """Write the graph that stands before an encoder.

    Parameters
    ----------
    taken : EncoderInput
        What the encoder takes.
    opset : int
        Version of ONNX's operators.

    Returns
    -------
    onnx.ModelProto
        ``waveform`` (batch, samples) -> ``features``. A filterbank needs at least 400 samples.
    """
    if taken.input == "waveform":
        nodes = [helper.make_node("Mul", ["waveform", "scale"], ["features"])]
        return _model(nodes, {"scale": np.array(taken.scale, dtype=np.float32)}, ["batch", "samples"], opset)
    return _fbank(taken.fbank, opset=opset, bins_first=taken.bins_first)


def _fbank(config: FbankConfig, *, opset: int, bins_first: bool) -> onnx.ModelProto:
    """Write Kaldi's log mel energies, as ``compute-fbank-feats --dither=0`` gives them.

    Taking off the frame's mean, pre-emphasis, window and Fourier transform are all linear in the 400 samples
    of a frame, so that one convolution does them together. All operators mean the same in sets 9 to 24.
    """
    constants: dict[str, NDArray[Any]] = {
        "one_channel": np.array([0, 1, -1], dtype=np.int64),
        "kernels": _kernels(config)[:, None].astype(np.float32),  # (2 * 257, 1, 400)
        "filters": np.tile(_filters(config), (1, 2))[:, :, None].astype(np.float32),  # (bins, 2 * 257, 1)
        "floor": np.array(_EPSILON, dtype=np.float32),
    }
    last = "log_mels" if config.subtract_mean else "features"
    nodes = [
        helper.make_node("Reshape", ["waveform", "one_channel"], ["channel"]),
        helper.make_node("Conv", ["channel", "kernels"], ["spectrum"], strides=[_HOP]),
        helper.make_node("Mul", ["spectrum", "spectrum"], ["power"]),  # of real and imaginary parts
        helper.make_node("Conv", ["power", "filters"], ["mels"]),
        helper.make_node("Max", ["mels", "floor"], ["floored"]),
        helper.make_node("Log", ["floored"], [last]),
    ]
    if config.subtract_mean:
        nodes += [
            helper.make_node("GlobalAveragePool", ["log_mels"], ["mean"]),
            helper.make_node("Sub", ["log_mels", "mean"], ["features"]),
        ]
    axes: list[str | int] = ["batch", config.bins, "frames"]
    if not bins_first:
        nodes[-1].output[0] = "by_bin"
        nodes.append(helper.make_node("Transpose", ["by_bin"], ["features"], perm=[0, 2, 1]))
        axes = ["batch", "frames", config.bins]
    return _model(nodes, constants, axes, opset)


def _model(
    nodes: list[onnx.NodeProto], constants: Mapping[str, NDArray[Any]], axes: list[str | int], opset: int
) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "front_end",
        [helper.make_tensor_value_info("waveform", TensorProto.FLOAT, ["batch", "samples"])],
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, axes)],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])


def _kernels(config: FbankConfig) -> Doubles:
    """Rows of the whole linear path from a frame of samples to its spectrum, (2 * 257, 400)."""
    turns = np.arange(_BINS)[:, None] * np.arange(_WINDOW) % _FFT
    cosines = np.array([float(_cosine(2 * _PI * j / _FFT)) for j in range(_FFT)])
    windowed = np.concatenate([cosines[turns], cosines[turns - _FFT // 4]]) * _window(config.window)
    # Of what is emphasized, each sample is part of itself and of the next; the first is its own predecessor.
    emphasized = windowed.copy()
    emphasized[:, 0] *= 1.0 - _PREEMPHASIS
    emphasized[:, :-1] -= _PREEMPHASIS * windowed[:, 1:]
    means = np.array([math.fsum(row) for row in emphasized]) / _WINDOW
    return (emphasized - means[:, None]) * config.scale


def _window(name: str) -> Doubles:
    turns = [_cosine(2 * _PI * n / (_WINDOW - 1)) for n in range(_WINDOW)]
    shapes: dict[str, Callable[[Decimal], Decimal]] = {
        "hamming": lambda turn: Decimal("0.54") - Decimal("0.46") * turn,
        "povey": lambda turn: _power(max(Decimal(0), (1 - turn) / 2), Decimal("0.85")),
    }
    return np.array([float(shapes[name](turn)) for turn in turns])


def _filters(config: FbankConfig) -> Doubles:
    """Triangles on the mel scale, over the bins below half the sampling rate as Kaldi has it, (bins, 257)."""
    top = config.high if config.high > 0 else SAMPLE_RATE / 2 + config.high
    low, high = _mel(Decimal(config.low)), _mel(Decimal(top))
    step = (high - low) / (config.bins + 1)
    edges = np.array([float(low + i * step) for i in range(config.bins + 2)])[:, None]
    bins = np.array([float(_mel(Decimal(i * SAMPLE_RATE) / _FFT)) for i in range(_FFT // 2)])
    rising = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    return np.pad(np.minimum(rising, falling).clip(min=0.0), ((0, 0), (0, 1)))


def _mel(hertz: Decimal) -> Decimal:
    with localcontext() as context:
        context.prec = _DIGITS
        return 1127 * (1 + hertz / 700).ln()


def _power(base: Decimal, exponent: Decimal) -> Decimal:
    with localcontext() as context:
        context.prec = _DIGITS
        return base**exponent if base else base


def _cosine(angle: Decimal) -> Decimal:
    """The cosine of an angle in [0, 2 pi], by its series."""
    with localcontext() as context:
        context.prec = _DIGITS
        total, term, n = Decimal(1), Decimal(1), 0
        while abs(term) > Decimal(10) ** -(_DIGITS - 8):
            n += 2
            term *= -angle * angle / (n * (n - 1))
            total += term
        return total
