"""Mutations: the same for the same draw, never a surprise in kind, and archives stay archives."""

from __future__ import annotations

import io
import json
import zipfile

import numpy as np
import pytest

from benchmarks.campaign import mutation
from benchmarks.campaign.mutation import mutate_bytes, mutate_document, mutate_value

SOUND = {
    "a.csv": b"path,speaker\na.wav,ada\nb.wav,bert\n",
    "a.json": json.dumps({"people": [{"name": "ada", "clips": [1.5, None]}]}).encode(),
    "a.toml": b"[model]\nname = 'ada'\nrates = [0.1, 0.01]\n",
    "a.onnx": bytes(range(256)),
}


def draws(count: int = 200) -> list[np.random.Generator]:
    return [np.random.default_rng(seed) for seed in range(count)]


@pytest.mark.parametrize("data", [b"", b"x", bytes(5000)])
def test_bytes_of_any_length_are_changed(data: bytes) -> None:
    changed = [mutate_bytes(data, draw)[0] for draw in draws()]
    assert sum(other != data for other in changed) > 0.6 * len(changed)


def test_a_flipped_bit_is_one_bit() -> None:
    flipped = [mutate_bytes(bytes(64), draw) for draw in draws()]
    for data, how in flipped:
        if how.startswith("a bit flipped"):
            assert sum(byte.bit_count() for byte in data) == 1
    assert any(how.startswith("a bit flipped") for _, how in flipped)


@pytest.mark.parametrize("name", SOUND)
def test_a_document_is_changed_in_the_same_way_by_the_same_draw(name: str) -> None:
    first = [mutate_document(name, SOUND[name], draw) for draw in draws()]
    assert first == [mutate_document(name, SOUND[name], draw) for draw in draws()]
    assert len({data for data, _ in first}) > 50


def test_a_value_is_changed_in_a_copy() -> None:
    document = {"people": [{"name": "ada", "clips": [1, 2, 3]}]}
    sound = json.dumps(document)
    assert any(mutate_value(document, draw) != document for draw in draws())
    assert json.dumps(document) == sound


def test_an_archive_whose_members_change_stays_an_archive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mutation, "MANY_ZEROS", 1000)
    packed = io.BytesIO()
    np.savez(packed, document=np.arange(10), embeddings=np.zeros((3, 4), np.float32))
    opened = 0
    for draw in draws(60):
        data, how = mutate_document("a.npz", packed.getvalue(), draw)
        if ": " in how:  # of a member
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                opened += len(archive.namelist()) == 2
    assert opened > 10
