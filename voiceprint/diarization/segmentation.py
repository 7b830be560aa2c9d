"""The segmentation network, as it ships: who of three local speakers is active in each frame of a window.

Its classes are a powerset (Plaquet and Bredin, "Powerset multi-class cross entropy loss for neural speaker
diarization", Interspeech 2023). The names of the three mean nothing beyond their window.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from voiceprint.audio import SAMPLE_RATE
from voiceprint.errors import ModelError
from voiceprint.onnx_runtime import open_session, runtime_errors

__all__ = ["CLASSES", "FRAME", "LOCAL_SPEAKERS", "WINDOW", "Segmentation", "members"]

NETWORK_FILE = "segmentation.onnx"
FRAME = 320
"""Samples (20 ms) from one frame to the next; a frame's middle is ``FRAME * place``."""

LOCAL_SPEAKERS = 3
"""How many people a window tells apart."""

CLASSES: tuple[tuple[int, ...], ...] = ((), (0,), (1,), (2,), (0, 1), (0, 2), (1, 2))
"""Who is active in each of the network's classes."""

WINDOW = 10 * SAMPLE_RATE
"""Samples that the network judges at once."""


def members() -> NDArray[np.bool_]:
    """Return who is active in each class, (7, 3)."""
    table = np.zeros((len(CLASSES), LOCAL_SPEAKERS), dtype=np.bool_)
    for place, active in enumerate(CLASSES):
        table[place, list(active)] = True
    return table


class Segmentation:
    """The network, run by onnxruntime.

    Parameters
    ----------
    path : Path
        ``segmentation.onnx``: waveform (batch, samples) -> log-likelihoods of the classes (batch, frames, 7).
    threads : int
        Threads that a batch may use.

    Raises
    ------
    ModelError
        If the file cannot be read or is no such network.
    """

    def __init__(self, path: Path, *, threads: int = 1) -> None:
        self.path = path
        try:
            self._session = open_session(path.read_bytes(), threads=threads)
        except OSError as error:
            raise ModelError(f"{path}: cannot be read ({error.strerror})", path=str(path)) from error
        except runtime_errors() as error:
            raise ModelError(f"{path}: is no segmentation network ({error})", path=str(path)) from error

    @classmethod
    def packaged(cls, *, threads: int = 1) -> Segmentation | None:
        """Open the network that comes with the package; None where it has none."""
        path = _packaged_path()
        return cls(path, threads=threads) if path.is_file() else None

    def judge(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Judge windows (batch, WINDOW) -> probabilities of the classes (batch, frames, 7)."""
        (likelihoods,) = self._session.run(None, {"waveform": windows})
        probabilities: NDArray[np.float32] = np.exp(likelihoods)
        return probabilities


@cache
def _packaged_path() -> Path:
    return Path(str(files("voiceprint.models") / "segmentation" / NETWORK_FILE))
