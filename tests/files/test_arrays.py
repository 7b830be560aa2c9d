"""Numpy's files: arrays come back, and nothing else is taken for them."""

from __future__ import annotations

import io
import pickle
from pathlib import Path

import numpy as np
import pytest

from voiceprint.files.arrays import open_npy, read_npz


def npz(**arrays: object) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)  # type: ignore[arg-type]
    return file.getvalue()


def npy(array: object) -> bytes:
    file = io.BytesIO()
    np.save(file, array)  # type: ignore[arg-type]
    return file.getvalue()


ARRAY = np.arange(1000, dtype=np.float32)
NOT_SEVERAL = {
    "nothing": b"",
    "text": b"no arrays at all",
    "start of a zip": b"PK",
    "cut short": npz(a=ARRAY)[:200],
    "one array": npy(ARRAY),
    "a pickle": pickle.dumps({"a": 1}),
    "objects": npz(a=np.array([{}], dtype=object)),
}
NOT_ONE = NOT_SEVERAL | {"one array": npz(a=ARRAY), "cut short": npy(ARRAY)[:200]}


def test_arrays_come_back_by_name() -> None:
    found = read_npz(npz(a=ARRAY, b=np.array(2)))
    assert list(found) == ["a", "b"]
    np.testing.assert_array_equal(found["a"], ARRAY)


@pytest.mark.parametrize("memory_map", [False, True])
def test_an_array_comes_back(tmp_path: Path, memory_map: bool) -> None:
    (tmp_path / "a.npy").write_bytes(npy(ARRAY))
    np.testing.assert_array_equal(open_npy(tmp_path / "a.npy", memory_map=memory_map), ARRAY)


@pytest.mark.parametrize("content", NOT_SEVERAL.values(), ids=NOT_SEVERAL)
def test_what_holds_no_arrays_is_refused_without_advice_to_trust_it(content: bytes) -> None:
    with pytest.raises(ValueError, match="no file of") as refused:
        read_npz(content)
    assert "pickle" not in str(refused.value)


@pytest.mark.parametrize("memory_map", [False, True])
@pytest.mark.parametrize("content", NOT_ONE.values(), ids=NOT_ONE)
def test_what_is_no_array_is_refused(tmp_path: Path, content: bytes, memory_map: bool) -> None:
    (tmp_path / "a.npy").write_bytes(content)
    with pytest.raises(ValueError, match="no file of"):
        open_npy(tmp_path / "a.npy", memory_map=memory_map)
