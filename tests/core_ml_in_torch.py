"""Core ML's operators in torch, by their description: a written program is run where there is no Core ML."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import coremltools as ct
import numpy as np
import torch
from coremltools.converters.mil.frontend.milproto.load import load
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

Run = Callable[..., dict[str, NDArray[Any]]]


def open_program(package: Path) -> Run:
    """A written program as a function: inputs by their names -> outputs by theirs."""
    model = ct.models.MLModel(str(package), skip_model_load=True)
    spec = model.get_spec()
    function = load(spec, spec.specificationVersion, model.weights_dir).functions["main"]

    def run(**inputs: NDArray[Any]) -> dict[str, NDArray[Any]]:
        known: dict[str, Any] = {name: torch.from_numpy(values) for name, values in inputs.items()}
        for operation in function.operations:
            if operation.op_type == "const":
                known[operation.outputs[0].name] = constant(operation.outputs[0].val)
                continue
            given = {key: values_of(known, value) for key, value in operation.inputs.items()}
            found = OPERATORS[operation.op_type](**given)
            found = found if isinstance(found, tuple) else (found,)
            known |= {output.name: value for output, value in zip(operation.outputs, found, strict=True)}
        return {output.name: known[output.name].numpy() for output in function.outputs}

    return run


def values_of(known: dict[str, Any], given: Any) -> Any:
    if isinstance(given, list | tuple):
        return [known[each.name] for each in given]
    return known[given.name]


def constant(value: Any) -> Any:
    return torch.from_numpy(value) if isinstance(value, np.ndarray) else value


def numbers(values: Any) -> list[int]:
    return [int(value) for value in values]


def reduced(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    return lambda x, axes, keep_dims: function(x, dim=numbers(axes), keepdim=bool(keep_dims))


def gather(x: Tensor, indices: Any, axis: int, batch_dims: int = 0) -> Tensor:
    assert batch_dims == 0
    places, axis = torch.as_tensor(indices).long(), int(axis) % x.ndim
    found = torch.index_select(x, axis, places.reshape(-1))
    return found.reshape([*x.shape[:axis], *places.shape, *x.shape[axis + 1 :]])


def sliced(x: Tensor, begin: Any, end: Any, stride: Any, end_mask: Any) -> Tensor:
    cuts = zip(numbers(begin), numbers(end), numbers(stride), end_mask, strict=True)
    return x[tuple(slice(first, None if whole else last, step) for first, last, step, whole in cuts)]


def reshape(x: Tensor, shape: Any) -> Tensor:
    return x.reshape([length or x.shape[place] for place, length in enumerate(numbers(shape))])


def padding(pad: Any) -> list[int]:
    """Torch lists the last axis first."""
    return [number for pair in reversed(np.reshape(numbers(pad), (-1, 2))) for number in numbers(pair)]


def pad(x: Tensor, pad: Any, mode: str, constant_val: float) -> Tensor:
    if mode == "reflect":
        return F.pad(x, padding(pad), mode=mode)
    return F.pad(x, padding(pad), value=float(constant_val))


def conv(x: Tensor, weight: Tensor, bias: Any = None, **others: Any) -> Tensor:
    assert others["pad_type"] in {"custom", "valid"}
    wide = F.pad(x, padding(others["pad"])) if others["pad_type"] == "custom" else x
    steps = {"stride": numbers(others["strides"]), "dilation": numbers(others["dilations"])}
    function: Callable[..., Tensor] = F.conv1d if x.ndim == 3 else F.conv2d
    return function(wide, weight, bias, groups=int(others["groups"]), **steps)


def pool(one: Callable[..., Tensor], two: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def run(x: Tensor, kernel_sizes: Any, strides: Any, pad_type: str, **others: Any) -> Tensor:
        assert pad_type == "valid"
        assert not others.get("ceil_mode", False)
        return (one if x.ndim == 3 else two)(x, numbers(kernel_sizes), numbers(strides))

    return run


def lstm(
    x: Tensor, initial_h: Tensor, initial_c: Tensor, direction: str, output_sequence: bool, **others: Any
) -> tuple[Tensor, Tensor, Tensor]:
    """By its equations: gates in the order input, forget, output, cell."""
    assert output_sequence
    assert [others[key] for key in ("recurrent_activation", "cell_activation", "activation")] == [
        "sigmoid",
        "tanh",
        "tanh",
    ]
    suffixes = ["", "_back"] if direction == "bidirectional" else [""]
    steps, states, cells = [], [], []
    size = initial_h.shape[1] // len(suffixes)
    for place, suffix in enumerate(suffixes):
        weights = [others[f"{key}{suffix}"] for key in ("weight_ih", "weight_hh", "bias")]
        backwards = direction == "reverse" or suffix != ""
        part = slice(place * size, (place + 1) * size)
        found = one_way(x.flip(0) if backwards else x, initial_h[:, part], initial_c[:, part], *weights)
        steps.append(found[0].flip(0) if backwards else found[0])
        states.append(found[1])
        cells.append(found[2])
    return torch.cat(steps, -1), torch.cat(states, -1), torch.cat(cells, -1)


def one_way(
    x: Tensor, h: Tensor, c: Tensor, entering: Tensor, hidden: Tensor, bias: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    shown = []
    for step in x @ entering.T + bias:
        opened, kept, told, new = (step + h @ hidden.T).chunk(4, dim=-1)
        c = torch.sigmoid(kept) * c + torch.sigmoid(opened) * torch.tanh(new)
        h = torch.sigmoid(told) * torch.tanh(c)
        shown.append(h)
    return torch.stack(shown), h, c


def expand_dims(x: Any, axes: Any) -> Tensor:
    found = torch.as_tensor(x)
    for axis in sorted(numbers(axes)):
        found = found.unsqueeze(axis)
    return found


def cast(x: Tensor, dtype: str) -> Tensor:
    return x.to({"fp32": torch.float32, "int32": torch.int32, "bool": torch.bool}[dtype])


def concat(values: Sequence[Any], axis: int, interleave: bool) -> Tensor:
    assert not interleave
    return torch.cat([torch.as_tensor(value) for value in values], axis)


def split(x: Tensor, axis: int, split_sizes: Any = None, num_splits: Any = None) -> tuple[Tensor, ...]:
    if split_sizes is None:
        return x.chunk(int(num_splits), int(axis))
    return torch.split(x, numbers(split_sizes), int(axis))


def matmul(x: Tensor, y: Tensor, transpose_x: bool, transpose_y: bool) -> Tensor:
    return (x.mT if transpose_x else x) @ (y.mT if transpose_y else y)


def of_two(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    return lambda x, y: function(torch.as_tensor(x), torch.as_tensor(y))


OPERATORS: dict[str, Callable[..., Any]] = {
    "abs": lambda x: x.abs(),
    "add": of_two(torch.add),
    "avg_pool": pool(F.avg_pool1d, F.avg_pool2d),
    "batch_norm": lambda x, mean, variance, gamma, beta, epsilon: F.batch_norm(
        x, mean, variance, gamma, beta, eps=float(epsilon)
    ),
    "cast": cast,
    "concat": concat,
    "conv": conv,
    "exp": lambda x: x.exp(),
    "expand_dims": expand_dims,
    "fill": lambda shape, value: torch.full(numbers(shape), float(value)),
    "floor_div": of_two(torch.floor_divide),
    "gather": gather,
    "identity": lambda x: x,
    "linear": lambda x, weight, bias=None: F.linear(x, weight, bias),
    "log": lambda x, epsilon: torch.log(x + epsilon),
    "lstm": lstm,
    "matmul": matmul,
    "max_pool": pool(F.max_pool1d, F.max_pool2d),
    "maximum": of_two(torch.maximum),
    "minimum": of_two(torch.minimum),
    "mod": of_two(torch.remainder),
    "mul": of_two(torch.mul),
    "pad": pad,
    "pow": of_two(torch.pow),
    "real_div": of_two(torch.divide),
    "reduce_max": reduced(torch.amax),
    "reduce_mean": reduced(torch.mean),
    "reduce_sum": reduced(torch.sum),
    "relu": lambda x: x.relu(),
    "reshape": reshape,
    "reverse": lambda x, axes: x.flip(numbers(axes)),
    "shape": lambda x: torch.tensor(x.shape, dtype=torch.int32),
    "sigmoid": lambda x: x.sigmoid(),
    "slice_by_index": sliced,
    "softmax": lambda x, axis: x.softmax(int(axis)),
    "split": split,
    "sqrt": lambda x: x.sqrt(),
    "square": lambda x: x.square(),
    "squeeze": lambda x, axes=None: x.squeeze() if axes is None else x.squeeze(tuple(numbers(axes))),
    "sub": of_two(torch.sub),
    "tanh": lambda x: x.tanh(),
    "transpose": lambda x, perm: x.permute(numbers(perm)),
}
