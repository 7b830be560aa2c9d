"""The registry: models by name and version, and the one that is used where none is named."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from voiceprint.errors import ModelError
from voiceprint.model import SpeakerModel
from voiceprint.model.card import read_model_card
from voiceprint.model.folder import write_model_card
from voiceprint.model.registry import PACKAGED_MODEL, Registry, default_models_path, resolve_model


def version_of(model_folder: Path, folder: Path, *, name: str = "tiny", version: str) -> Path:
    shutil.copytree(model_folder, folder)
    write_model_card(folder, replace(read_model_card(folder), name=name, version=version))
    return folder


@pytest.fixture
def registry(model_folder: Path, tmp_path: Path) -> Registry:
    registry = Registry()
    registry.add(model_folder)
    registry.add(version_of(model_folder, tmp_path / "two", version="2"))
    registry.add(version_of(model_folder, tmp_path / "other", name="other", version="1"))
    return registry


def test_models_lie_under_their_names_and_versions(registry: Registry) -> None:
    assert registry.root == default_models_path()
    assert [model.title for model in registry.models()] == ["other@1", "tiny@1", "tiny@2"]
    assert registry.find("tiny@2").folder == registry.root / "tiny" / "2"
    assert registry.find("other").title == "other@1"


def test_a_name_with_several_versions_needs_one(registry: Registry) -> None:
    with pytest.raises(ModelError, match=r"'tiny' has several versions; there are: tiny@1, tiny@2"):
        registry.find("tiny")
    with pytest.raises(
        ModelError, match=r"'big' is not registered; there are: default, other@1, tiny@1, tiny@2"
    ):
        registry.find("big")


def test_the_used_model_is_opened_where_none_is_named(registry: Registry) -> None:
    assert resolve_model(None) == PACKAGED_MODEL
    registry.use("tiny@2")
    assert SpeakerModel.open().card.title == "tiny 2"
    assert [model.used for model in registry.models()] == [False, False, True]
    registry.use("default")
    assert resolve_model(None) == PACKAGED_MODEL


def test_a_registered_name_opens_and_a_folder_goes_before_it(
    registry: Registry, model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert SpeakerModel.open("tiny@2").card.version == "2"
    assert SpeakerModel.open("other").folder == registry.root / "other" / "1"
    monkeypatch.chdir(tmp_path)
    shutil.copytree(model_folder, tmp_path / "tiny@2")
    assert SpeakerModel.open("tiny@2").card.version == "1"


def test_default_is_the_packaged_model_whichever_is_in_use(
    registry: Registry, model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.use("other")
    monkeypatch.chdir(tmp_path)
    assert resolve_model("default") == PACKAGED_MODEL
    shutil.copytree(model_folder, tmp_path / "default")
    assert resolve_model("default") == Path("default")


def test_an_unknown_name_is_no_folder_either(registry: Registry) -> None:
    with pytest.raises(ModelError, match="nobody: no such model folder"):
        SpeakerModel.open("nobody")


def test_a_version_is_registered_once(registry: Registry, model_folder: Path) -> None:
    with pytest.raises(ModelError, match="tiny 1 is registered already; give the new one another version"):
        registry.add(model_folder)


def test_what_is_not_registered(registry: Registry, model_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot name a folder"):
        registry.add(version_of(model_folder, tmp_path / "a", version="../2"))
    damaged = version_of(model_folder, tmp_path / "b", version="3")
    (damaged / "encoder.onnx").write_bytes(b"damaged")
    with pytest.raises(ModelError, match=r"encoder.onnx: is not the file that the card describes"):
        registry.add(damaged)
    (damaged / "encoder.onnx").unlink()
    with pytest.raises(ModelError, match=r"encoder.onnx: is missing"):
        registry.add(damaged)
    assert len(registry.models()) == 3


def test_an_empty_registry_has_no_models() -> None:
    assert Registry().models() == []
    with pytest.raises(ModelError, match=r"there are: default$"):
        Registry().use("tiny")
