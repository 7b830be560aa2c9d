"""Arrays in numpy's files, read without pickle and refused in a line where they are damaged."""

from __future__ import annotations

import io
import zlib
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

__all__ = ["open_npy", "read_npz"]

# numpy takes what is no array for a pickle, and advises to load it unsafely: its words go no further.
_DAMAGED = (ValueError, EOFError, KeyError, BadZipFile, zlib.error, NotImplementedError)


def read_npz(data: bytes) -> dict[str, NDArray[Any]]:
    """The arrays of a file of several, ``.npz``, by name; ValueError if it is no such file.

    Examples
    --------
    >>> file = io.BytesIO()
    >>> np.savez(file, mean=np.array([1.0, 2.0]))
    >>> read_npz(file.getvalue())
    {'mean': array([1., 2.])}
    """
    try:
        arrays = np.load(io.BytesIO(data), allow_pickle=False)
        if isinstance(arrays, np.lib.npyio.NpzFile):
            return {name: arrays[name] for name in arrays.files}
    except _DAMAGED as error:
        raise ValueError("no file of arrays, or a damaged one") from error
    raise ValueError("no file of several arrays")


def open_npy(path: Path, *, memory_map: bool = False) -> NDArray[Any]:
    """The array of a file of one, ``.npy``.

    Parameters
    ----------
    memory_map : bool
        Map the file read-only instead of reading it.

    Raises
    ------
    ValueError
        It is no such file.
    OSError
        It cannot be read.
    """
    try:
        array: Any = np.load(path, mmap_mode="r" if memory_map else None, allow_pickle=False)
    except _DAMAGED as error:
        raise ValueError("no file of an array, or a damaged one") from error
    if not isinstance(array, np.ndarray):
        raise ValueError("no file of one array")
    return array
