"""CAM++ (Wang et al., Interspeech 2023, arXiv 2303.00332) as an ONNX graph, made of its published weights.

Features (batch, frames, bins) -> embeddings (batch, dim). The names of the weights are those of 3D-Speaker's
checkpoints, of which the numbers of layers, channels and bins are read.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

__all__ = ["campplus_graph"]

_OPSET, _IR = 17, 8
_EPSILON = 1e-5  # of batch normalization
_SEGMENT = 100  # frames whose mean is the context of each of them
_DILATIONS = (1, 2, 2)  # of the three blocks


def campplus_graph(tensors: Mapping[str, NDArray[Any]]) -> onnx.ModelProto:
    """Write the network as a graph.

    Parameters
    ----------
    tensors : mapping of str to ndarray
        A checkpoint of 3D-Speaker's CAM++.

    Returns
    -------
    onnx.ModelProto
        ``features`` (batch, frames, bins) -> ``embedding`` (batch, dim).

    Raises
    ------
    ValueError
        A tensor is missing or has another shape.
    """
    try:
        graph = _Graph(tensors)
        bins = 8 * tensors["xvector.tdnn.linear.weight"].shape[1] // tensors["head.conv2.weight"].shape[0]
        dim = tensors["xvector.dense.linear.weight"].shape[0]
        _write(graph)
        model = helper.make_model(
            helper.make_graph(
                graph.nodes,
                "campplus",
                [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["batch", "frames", bins])],
                [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", dim])],
                graph.constants,
            ),
            opset_imports=[helper.make_opsetid("", _OPSET)],
            ir_version=_IR,
        )
        onnx.checker.check_model(model, full_check=True)
    except KeyError as error:
        raise ValueError(f"it is no checkpoint of CAM++: it holds no {error.args[0]}") from error
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ValueError(f"it is no checkpoint of CAM++: {error}") from error
    return model


class _Graph:
    """Nodes and constants of a graph that is being written; every node's output is named by its number."""

    def __init__(self, tensors: Mapping[str, NDArray[Any]]) -> None:
        self.tensors = tensors
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self._known: set[str] = set()

    def add(self, operator: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        """Append a node, and return the name of its output."""
        name = output or f"n{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [name], **attributes))
        return name

    def constant(self, name: str, value: NDArray[Any]) -> str:
        """Add a constant once, and return its name."""
        if name not in self._known:
            self._known.add(name)
            self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def weight(self, name: str) -> str:
        """Add a tensor of the checkpoint."""
        return self.constant(name, self.tensors[name].astype(np.float32))

    def conv(self, source: str, name: str, **attributes: Any) -> str:
        """Append a convolution, with its bias where the checkpoint has one."""
        bias = [self.weight(f"{name}.bias")] if f"{name}.bias" in self.tensors else []
        return self.add("Conv", source, self.weight(f"{name}.weight"), *bias, **attributes)

    def normalize(self, source: str, name: str) -> str:
        """Append a batch normalization by the running statistics, with its scale and shift if it has any."""
        mean = self.weight(f"{name}.running_mean")
        channels = len(self.tensors[f"{name}.running_mean"])
        if f"{name}.weight" in self.tensors:
            affine = [self.weight(f"{name}.weight"), self.weight(f"{name}.bias")]
        else:
            affine = [
                self.constant(f"ones_{channels}", np.ones(channels, np.float32)),
                self.constant(f"zeros_{channels}", np.zeros(channels, np.float32)),
            ]
        variance = self.weight(f"{name}.running_var")
        return self.add("BatchNormalization", source, *affine, mean, variance, epsilon=_EPSILON)

    def rectified(self, source: str, name: str) -> str:
        """Append a batch normalization and a rectifier."""
        return self.add("Relu", self.normalize(source, name))


def _write(graph: _Graph) -> None:
    by_bin = graph.add("Transpose", "features", perm=[0, 2, 1])  # (B, bins, T)
    x = _head(graph, by_bin)  # (B, channels, T)
    x = graph.conv(x, "xvector.tdnn.linear", strides=[2], pads=[2, 2])
    x = graph.rectified(x, "xvector.tdnn.nonlinear.batchnorm")
    frames = graph.add("Shape", x, start=2)
    for block, dilation in enumerate(_DILATIONS, start=1):
        for layer in itertools.count(1):
            name = f"xvector.block{block}.tdnnd{layer}"
            if f"{name}.linear1.weight" not in graph.tensors:
                break
            x = graph.add("Concat", x, _dense_layer(graph, x, name, dilation, frames), axis=1)
        x = graph.rectified(x, f"xvector.transit{block}.nonlinear.batchnorm")
        x = graph.conv(x, f"xvector.transit{block}.linear")
    x = graph.rectified(x, "xvector.out_nonlinear.batchnorm")
    statistics = _mean_and_deviation(graph, x, frames)  # (B, 2 * channels, 1)
    x = graph.normalize(graph.conv(statistics, "xvector.dense.linear"), "xvector.dense.nonlinear.batchnorm")
    graph.add("Squeeze", x, graph.constant("last_axis", np.array([2])), output="embedding")


def _head(graph: _Graph, by_bin: str) -> str:
    """Write the residual network over time and frequency, (B, bins, T) -> (B, 32 * bins / 8, T)."""
    x = graph.add("Unsqueeze", by_bin, graph.constant("channel_axis", np.array([1])))
    x = graph.rectified(graph.conv(x, "head.conv1", pads=[1, 1, 1, 1]), "head.bn1")
    for name, stride in (("layer1.0", 2), ("layer1.1", 1), ("layer2.0", 2), ("layer2.1", 1)):
        x = _residual(graph, x, f"head.{name}", stride)
    x = graph.conv(x, "head.conv2", pads=[1, 1, 1, 1], strides=[2, 1])
    x = graph.rectified(x, "head.bn2")
    channels = graph.tensors["xvector.tdnn.linear.weight"].shape[1]
    return graph.add("Reshape", x, graph.constant("flat", np.array([0, channels, -1])))


def _residual(graph: _Graph, x: str, name: str, stride: int) -> str:
    y = graph.conv(x, f"{name}.conv1", pads=[1, 1, 1, 1], strides=[stride, 1])
    y = graph.rectified(y, f"{name}.bn1")
    y = graph.normalize(graph.conv(y, f"{name}.conv2", pads=[1, 1, 1, 1]), f"{name}.bn2")
    if f"{name}.shortcut.0.weight" in graph.tensors:
        x = graph.conv(x, f"{name}.shortcut.0", strides=[stride, 1])
        x = graph.normalize(x, f"{name}.shortcut.1")
    return graph.add("Relu", graph.add("Add", x, y))


def _dense_layer(graph: _Graph, x: str, name: str, dilation: int, frames: str) -> str:
    """Write a convolution over time, weighted by its context: the means of the clip and of the segment."""
    x = graph.conv(graph.rectified(x, f"{name}.nonlinear1.batchnorm"), f"{name}.linear1")
    x = graph.rectified(x, f"{name}.nonlinear2.batchnorm")
    local = graph.conv(x, f"{name}.cam_layer.linear_local", pads=[dilation] * 2, dilations=[dilation])
    of_clip = graph.add("GlobalAveragePool", x)
    context = graph.add("Add", _segment_means(graph, x, frames), of_clip)
    context = graph.add("Relu", graph.conv(context, f"{name}.cam_layer.linear1"))
    gates = graph.add("Sigmoid", graph.conv(context, f"{name}.cam_layer.linear2"))
    return graph.add("Mul", local, gates)


def _segment_means(graph: _Graph, x: str, frames: str) -> str:
    """Write the mean of every 100 frames, of what is left in the last segment, for each of its frames."""
    means = graph.add("AveragePool", x, kernel_shape=[_SEGMENT], strides=[_SEGMENT], ceil_mode=1)
    means = graph.add("Unsqueeze", means, graph.constant("fourth_axis", np.array([3])))
    repeated = graph.add("Expand", means, graph.constant("segment", np.array([1, 1, 1, _SEGMENT])))
    joined = graph.add("Reshape", repeated, graph.constant("joined", np.array([0, 0, -1])))
    first, axis = graph.constant("first", np.array([0])), graph.constant("last_axis", np.array([2]))
    return graph.add("Slice", joined, first, frames, axis)


def _mean_and_deviation(graph: _Graph, x: str, frames: str) -> str:
    """Write the mean over time, and the unbiased standard deviation."""
    mean = graph.add("ReduceMean", x, axes=[2])
    deviations = graph.add("Sub", x, mean)
    axis = graph.constant("last_axis", np.array([2]))
    squares = graph.add("ReduceSum", graph.add("Mul", deviations, deviations), axis)
    one = graph.constant("one", np.array([1.0], np.float32))
    others = graph.add("Sub", graph.add("Cast", frames, to=TensorProto.FLOAT), one)
    return graph.add("Concat", mean, graph.add("Sqrt", graph.add("Div", squares, others)), axis=1)
