"""An import adds to a voiceprint only what agrees with it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from voiceprint.cli import app
from voiceprint.engine.verifier import Verifier
from voiceprint.errors import EnrollmentError
from voiceprint.model.card import read_model_card
from voiceprint.model.folder import write_model_card
from voiceprint.store import ExportFile, SetAsideClip, read_export, write_export


@pytest.fixture
def verifier(tmp_path: Path, model_folder: Path, people: Path) -> Iterator[Verifier]:
    """A store with two clips of ada."""
    with Verifier(tmp_path / "store", model=model_folder) as opened:
        opened.enroll("ada", [people / "ada/0.wav", people / "ada/1.wav"])
        yield opened


@pytest.fixture
def mixed(tmp_path: Path, verifier: Verifier, people: Path) -> ExportFile:
    """An export in which a clip of ada's, one she has already and two of bert's are called ada; and cleo."""
    with Verifier(tmp_path / "elsewhere", model=verifier.model) as other:
        for name in ("ada", "bert", "cleo"):
            other.enroll(name, [people / name / f"{clip}.wav" for clip in (1, 2)])
        ada, bert, cleo = other.store.export_records(["ada", "bert", "cleo"])
    records = [replace(ada, utterances=(*ada.utterances, *bert.utterances)), cleo]
    path = tmp_path / "mixed.npz"
    write_export(path, records, model_id=verifier.model.id, dim=verifier.model.dim)
    return read_export(path)


def test_an_import_cannot_mix_an_impostor_into_a_voiceprint(
    verifier: Verifier, mixed: ExportFile, people: Path
) -> None:
    report = verifier.import_people(mixed, mode="add")
    assert (report.added, report.changed) == (("cleo",), ("ada",))
    assert report.set_aside == (
        SetAsideClip(name="ada", source="1.wav"),
        SetAsideClip(name="ada", source="2.wav"),
    )
    assert verifier.show("ada").n_utterances == 3
    assert verifier.verify("ada", people / "ada/3.wav")
    assert not verifier.verify("ada", people / "bert/3.wav")


def test_of_an_impostor_alone_nothing_is_taken(verifier: Verifier, mixed: ExportFile, tmp_path: Path) -> None:
    ada = next(iter(mixed.records))
    write_export(
        tmp_path / "impostor.json",
        [replace(ada, utterances=ada.utterances[2:])],
        model_id=verifier.model.id,
        dim=verifier.model.dim,
    )
    before = verifier.show("ada")
    report = verifier.import_people(read_export(tmp_path / "impostor.json"), mode="add")
    assert (report.changed, report.skipped, len(report.set_aside)) == ((), ("ada",), 2)
    assert verifier.show("ada").updated == before.updated


def test_without_a_calibration_nothing_is_added(
    verifier: Verifier, mixed: ExportFile, model_folder: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "uncalibrated"
    folder.mkdir()
    (folder / "encoder.onnx").write_bytes((model_folder / "encoder.onnx").read_bytes())
    write_model_card(folder, replace(read_model_card(model_folder), calibration=None))
    with Verifier(verifier.store_path, model=folder) as uncalibrated:
        with pytest.raises(EnrollmentError, match="ada: without a calibration clips cannot be checked"):
            uncalibrated.import_people(mixed, mode="add")
        assert uncalibrated.speakers() == ["ada"]
        assert uncalibrated.import_people(mixed, mode="skip").added == ("cleo",)


def test_the_command_names_what_was_set_aside(verifier: Verifier, mixed: ExportFile) -> None:
    line = ["import", str(mixed.path), "--store", str(verifier.store_path), "--existing", "add"]
    result = CliRunner().invoke(app, [*line, "--model", str(verifier.model.folder), "--json"])
    assert result.exit_code == 0
    assert [clip["source"] for clip in json.loads(result.stdout)["set_aside"]] == ["1.wav", "2.wav"]
    assert "set aside: 1.wav of ada: sounds like another person" in result.stderr
