"""A LiteRT file as a function, run by the runtime of the extra ``convert``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from voiceprint.onnx_runtime import Embed


def litert_runner(path: Path) -> Callable[..., dict[str, NDArray[Any]]]:
    """Open a LiteRT file as a function: inputs by their names, of any length -> outputs by theirs."""
    runner = Interpreter(model_path=str(path), num_threads=1).get_signature_runner("serving_default")

    def run(**inputs: NDArray[Any]) -> dict[str, NDArray[Any]]:
        found: dict[str, NDArray[Any]] = runner(**inputs)
        return found

    return run


def litert_embedder(path: Path) -> Embed:
    """A LiteRT encoder as a function, which takes the clips of a batch one by one."""
    run = litert_runner(path)

    def embed(waveforms: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.concatenate([run(waveform=waveform[None])["embedding"] for waveform in waveforms])

    return embed
