"""LiteFile: a LiteRT file as it is built, tensor by tensor and operator by operator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from voiceprint.clip_graph import Shape

NOTHING = -1
"""In the place of an input that an operator can do without."""

_ALIGNMENT = 16  # bytes, which the schema demands of data
_KINDS = {"float32": 0, "float16": 1, "int32": 2, "bool": 6}  # TensorType
_NEWEST = {"DEQUANTIZE": 3, "FULLY_CONNECTED": 5, "STRIDED_SLICE": 4}  # versions that the use made here needs
_HALVED_FROM = 1024  # numbers from which on half precision saves anything


class LiteFile:
    """Tensors and operators of one graph; tensors are known by their numbers."""

    def __init__(self) -> None:
        self._tensors: list[Any] = []
        self._buffers: list[Any] = [_Buffer()]  # the first stays empty
        self._operators: list[Any] = []
        self._codes: dict[tuple[str, int], int] = {}
        self._constants: dict[tuple[str, tuple[int, ...], bytes], int] = {}

    def tensor(self, shape: Shape, kind: str = "float32", *, name: str = "", variable: bool = False) -> int:
        """Add a tensor that is computed, given, or kept from one run to the next; returns its number."""
        made = schema.TensorT()
        made.shape = [1 if length is None else length for length in shape]
        if None in shape:
            made.shapeSignature = [-1 if length is None else length for length in shape]
        made.type = _KINDS[kind]
        made.buffer = 0
        made.name = name or f"tensor.{len(self._tensors)}"
        made.isVariable = variable
        made.hasRank = True
        self._tensors.append(made)
        return len(self._tensors) - 1

    def constant(self, values: NDArray[Any]) -> int:
        """Add numbers, once; whole ones in 32 bits."""
        if values.dtype.kind == "i":
            bounds = np.iinfo(np.int32)
            values = np.clip(values, bounds.min, bounds.max).astype(np.int32)
        key = (str(values.dtype), values.shape, values.tobytes())
        if key not in self._constants:
            number = self.tensor(values.shape, str(values.dtype))
            self._tensors[number].buffer = len(self._buffers)
            self._buffers.append(_Buffer(key[2]))
            self._constants[key] = number
        return self._constants[key]

    def weights(self, values: NDArray[np.float32]) -> int:
        """Add weights: in half precision where that loses nothing, as where the model stores them so."""
        with np.errstate(over="ignore"):
            halved = values.astype(np.float16)
        if values.size < _HALVED_FROM or not np.array_equal(halved.astype(np.float32), values):
            return self.constant(values)
        return self.apply("DEQUANTIZE", [self.constant(halved)], values.shape)

    def apply(
        self,
        operator: str,
        inputs: Sequence[int],
        shape: Shape,
        kind: str = "float32",
        *,
        options: Any = None,
    ) -> int:
        """Add an operator with one output, and return the output's number."""
        made = self.tensor(shape, kind)
        self.add(operator, inputs, [made], options=options)
        return made

    def add(
        self, operator: str, inputs: Sequence[int], outputs: Sequence[int], *, options: Any = None
    ) -> None:
        """Add an operator.

        Parameters
        ----------
        operator : str
            Its name in the schema, such as CONV_2D.
        options : optional
            An object of the schema's class for the operator's options.
        """
        made = schema.OperatorT()
        code = (operator, _NEWEST.get(operator, 1))
        made.opcodeIndex = self._codes.setdefault(code, len(self._codes))
        made.inputs, made.outputs = list(inputs), list(outputs)
        if options is not None:
            kind = type(options).__name__.removesuffix("T")
            made.builtinOptionsType = getattr(schema.BuiltinOptions, kind)
            made.builtinOptions = options
        self._operators.append(made)

    def to_bytes(self, inputs: Mapping[str, int], outputs: Mapping[str, int]) -> bytes:
        """Return the file's content.

        Parameters
        ----------
        inputs, outputs : mapping of str to int
            Numbers of tensors by the names that callers know them by.
        """
        graph = schema.SubGraphT()
        graph.name = "main"
        graph.tensors, graph.operators = self._tensors, self._operators
        graph.inputs, graph.outputs = list(inputs.values()), list(outputs.values())
        signature = schema.SignatureDefT()
        signature.signatureKey = "serving_default"
        signature.subgraphIndex = 0
        signature.inputs, signature.outputs = _named(inputs), _named(outputs)
        model = schema.ModelT()
        model.version = 3
        model.description = "voiceprint"
        model.operatorCodes = [_code(*code) for code in self._codes]
        model.subgraphs, model.buffers, model.signatureDefs = [graph], self._buffers, [signature]
        builder = flatbuffers.Builder(1 << 20)
        builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
        return bytes(builder.Output())


class _Buffer(schema.BufferT):  # type: ignore[misc]
    """Data that begins where the schema demands; the generated class leaves it anywhere."""

    def __init__(self, content: bytes = b"") -> None:
        super().__init__()
        self.content = content

    def Pack(self, builder: flatbuffers.Builder) -> int:  # noqa: N802  the generated class's name
        data = 0
        if self.content:
            builder.StartVector(1, len(self.content), _ALIGNMENT)
            builder.head -= len(self.content)
            builder.Bytes[builder.head : builder.head + len(self.content)] = self.content
            data = builder.EndVector()
        schema.BufferStart(builder)
        if data:
            schema.BufferAddData(builder, data)
        packed: int = schema.BufferEnd(builder)
        return packed


def _code(operator: str, version: int) -> Any:
    made = schema.OperatorCodeT()
    made.builtinCode = getattr(schema.BuiltinOperator, operator)
    made.deprecatedBuiltinCode = min(made.builtinCode, 127)  # where readers of one byte look
    made.version = version
    return made


def _named(tensors: Mapping[str, int]) -> list[Any]:
    found = []
    for name, number in tensors.items():
        made = schema.TensorMapT()
        made.name, made.tensorIndex = name, number
        found.append(made)
    return found
