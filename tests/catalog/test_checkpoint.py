"""Tensors of a torch checkpoint are read as data, and nothing else of it is done."""

from __future__ import annotations

import io
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from voiceprint.catalog.checkpoint import read_tensors


def saved(value: Any) -> bytes:
    file = io.BytesIO()
    torch.save(value, file)
    return file.getvalue()


def with_member(data: bytes, ending: str, change: Callable[[bytes], bytes | None]) -> bytes:
    """Change a member of a checkpoint, or leave it out."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(file, "w") as new:
        for name in old.namelist():
            content = change(old.read(name)) if name.endswith(ending) else old.read(name)
            if content is not None:
                new.writestr(name, content)
    return file.getvalue()


def test_every_tensor_is_that_of_torch() -> None:
    base = torch.arange(24, dtype=torch.float32).reshape(4, 6)
    tensors = {
        "whole": base,
        "transposed": base.T,
        "part": base[1:3, ::2],
        "scalar": torch.tensor(7),
        "empty": torch.zeros(0, 3),
        "half": base.half(),
        "double": base.double(),
        "bytes": torch.tensor([1, 255], dtype=torch.uint8),
        "int": torch.tensor([-3], dtype=torch.int32),
        "parameter": nn.Parameter(base).data,
    }
    found = read_tensors(saved(tensors))
    assert found.keys() == tensors.keys()
    for name, tensor in tensors.items():
        np.testing.assert_array_equal(found[name], tensor.numpy())
        assert found[name].dtype == tensor.numpy().dtype


def test_a_state_dict_with_its_metadata_is_read() -> None:
    network = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    found = read_tensors(saved(network.state_dict()))
    assert list(found) == list(network.state_dict())


class Writes:
    """What an attacker would put into a checkpoint."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def test_nothing_that_a_file_asks_for_is_run(tmp_path: Path) -> None:
    data = with_member(
        saved({"a": torch.zeros(1)}), "data.pkl", lambda _: pickle.dumps({"a": Writes(tmp_path / "x")}, 2)
    )
    with pytest.raises(ValueError, match=r"it asks for .*, which is no tensor; it is not read"):
        read_tensors(data)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("protocol", [0, 2, 3, 4, 5])
@pytest.mark.parametrize(
    "value",
    [print, io.StringIO, np.float32(1), {"a": {1, 2}}, bytearray(b"a")],
    ids=repr,
)
def test_other_objects_are_refused(value: object, protocol: int) -> None:
    data = with_member(
        saved({"a": torch.zeros(1)}), "data.pkl", lambda _: pickle.dumps({"a": value}, protocol)
    )
    with pytest.raises(ValueError, match="it "):
        read_tensors(data)


@pytest.mark.parametrize("value", [[torch.zeros(2)], {"a": 1}, torch.zeros(2), {"a": {"b": torch.zeros(1)}}])
def test_what_is_no_dict_of_tensors_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="it "):
        read_tensors(saved(value))


def test_damage_is_told() -> None:
    whole = saved(OrderedDict(a=torch.zeros(4), b=torch.ones(3)))
    with pytest.raises(ValueError, match=r"is damaged: it holds no .*data/"):
        read_tensors(with_member(whole, "data/0", lambda _: None))
    with pytest.raises(ValueError, match=r"a tensor of shape \(4,\) has 2 numbers"):
        read_tensors(with_member(whole, "data/0", lambda content: content[:8]))
    with pytest.raises(ValueError, match="it is no checkpoint of torch"):
        read_tensors(with_member(whole, "data.pkl", lambda _: None))
    with pytest.raises(ValueError, match="no checkpoint of torch, or a damaged one"):
        read_tensors(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match="it "):
        read_tensors(with_member(whole, "data.pkl", lambda content: content[: len(content) // 2]))


def test_any_cut_of_the_description_is_refused_in_words() -> None:
    whole = saved({"a": torch.zeros(4)})
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        length = len(archive.read(next(n for n in archive.namelist() if n.endswith("data.pkl"))))
    for end in range(length):
        cut = with_member(whole, "data.pkl", partial(_first, end=end))
        with pytest.raises(ValueError):
            read_tensors(cut)


def _first(content: bytes, *, end: int) -> bytes:
    return content[:end]
