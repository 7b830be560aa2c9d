from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from voiceprint.doctor import Check, examine, hum
from voiceprint.engine.verifier import Verifier


def by_name(store: Path, model: Path) -> dict[str, Check]:
    return {check.name: check for check in examine(store=store, model=model)}


def test_a_sound_installation_passes(tmp_path: Path, model_folder: Path, people: Path) -> None:
    with Verifier(tmp_path / "store", model=model_folder) as verifier:
        verifier.enroll("ada", people / "ada")
    checks = by_name(tmp_path / "store", model_folder)
    assert all(check.ok for check in checks.values()), checks
    assert checks["store"].detail == f"1 enrolled in {tmp_path / 'store'}"
    assert "tiny 1" in checks["model"].detail
    assert "embedded in" in checks["self-test"].detail


def test_it_says_which_countermeasure_is_there(
    tmp_path: Path, model_folder: Path, countermeasure: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def looked_for_in(folder: Path) -> Check:
        monkeypatch.setattr("voiceprint.countermeasure.detector._PACKAGED", folder)
        return by_name(tmp_path / "store", model_folder)["countermeasure"]

    assert looked_for_in(countermeasure).detail.startswith("tiny 1, ")
    missing = looked_for_in(tmp_path / "nowhere")
    assert missing.ok and missing.detail.startswith("none comes with this version")
    damaged = shutil.copytree(countermeasure, tmp_path / "damaged")
    (damaged / "countermeasure.onnx").write_bytes(b"damaged")
    assert not looked_for_in(damaged).ok


def test_every_packaged_network_is_opened(
    tmp_path: Path, model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checks = by_name(tmp_path / "store", model_folder)
    assert checks["segmentation"].detail.endswith("segmentation.onnx")
    assert checks["word checker"].detail.startswith("voiceprint-challenge ")
    (tmp_path / "damaged.onnx").write_bytes(b"damaged")
    monkeypatch.setattr(
        "voiceprint.diarization.segmentation._packaged_path", lambda: tmp_path / "damaged.onnx"
    )
    monkeypatch.setattr("voiceprint.challenge.checker._PACKAGED", tmp_path / "nowhere")
    checks = by_name(tmp_path / "store", model_folder)
    damaged = [name for name, check in checks.items() if not check.ok]
    assert damaged == ["segmentation", "word checker"]


def test_a_store_that_does_not_exist_is_well_and_not_made(tmp_path: Path, model_folder: Path) -> None:
    checks = by_name(tmp_path / "store", model_folder)
    assert checks["store"].ok
    assert "does not exist yet" in checks["store"].detail
    assert not (tmp_path / "store").exists()


def test_a_damaged_model_is_found_and_the_rest_still_looked_at(tmp_path: Path, model_folder: Path) -> None:
    model = shutil.copytree(model_folder, tmp_path / "model")
    (model / "encoder.onnx").write_bytes(b"damaged")
    checks = by_name(tmp_path / "store", model)
    assert [name for name, check in checks.items() if not check.ok] == ["model", "self-test"]
    assert "sha256" in checks["model"].detail


def test_a_damaged_store_is_found(tmp_path: Path, model_folder: Path, people: Path) -> None:
    with Verifier(tmp_path / "store", model=model_folder) as verifier:
        verifier.enroll("ada", people / "ada")
    for database in (tmp_path / "store").glob("*.sqlite*"):
        database.write_bytes(b"damaged" * 1000)
    assert not by_name(tmp_path / "store", model_folder)["store"].ok


def test_hums_are_reproducible_and_differ_by_pitch() -> None:
    np.testing.assert_array_equal(hum(0.5), hum(0.5))
    assert len(hum(0.5)) == 8000
    assert np.abs(hum(0.5)).max() < 1.0
    assert not np.allclose(hum(0.5), hum(0.5, pitch=220.0))
