"""One voice under two names, and one recording under two names, are said at enrollment."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from voiceprint.cli import app
from voiceprint.engine.verifier import Verifier
from voiceprint.errors import ArgumentError, InvalidNameError
from voiceprint.model import SpeakerModel
from voiceprint.store import Consent
from voiceprint.store.records import now


@pytest.fixture
def verifier(model_folder: Path, tmp_path: Path) -> Verifier:
    verifier = Verifier(tmp_path / "store", model=SpeakerModel.open(model_folder))
    for name in ("ada", "bert", "cleo"):
        verifier.enroll(name, [_folder(tmp_path, name) / f"{clip}.wav" for clip in range(3)])
    return verifier


@pytest.fixture(autouse=True)
def _people(people: Path, tmp_path: Path) -> None:
    (tmp_path / "people").symlink_to(people)


def _folder(tmp_path: Path, name: str) -> Path:
    return tmp_path / "people" / name


def test_a_voice_under_a_second_name_is_named(verifier: Verifier, tmp_path: Path) -> None:
    report = verifier.enroll("adele", [_folder(tmp_path, "ada") / f"{clip}.wav" for clip in (3, 4)])
    (other,) = report.resembles
    assert (other.name, other.same_recordings) == ("ada", 0)
    assert other.llr is not None and other.llr > 0
    assert other.score == pytest.approx(float(verifier.show("ada").centroid @ report.enrollment.centroid))


def test_a_recording_under_a_second_name_is_named(verifier: Verifier, tmp_path: Path) -> None:
    report = verifier.enroll("bob", [_folder(tmp_path, "bert") / f"{clip}.wav" for clip in (1, 2)])
    assert [(other.name, other.same_recordings) for other in report.resembles] == [("bert", 2)]


def test_another_voice_resembles_nobody(verifier: Verifier, tmp_path: Path) -> None:
    assert verifier.enroll("dmitri", _folder(tmp_path, "dmitri")).resembles == ()
    assert verifier.enroll("ada", _folder(tmp_path, "ada"), mode="add").resembles == ()


def test_the_command_line_warns(verifier: Verifier, tmp_path: Path, model_folder: Path) -> None:
    words = ["enroll", "adele", str(_folder(tmp_path, "ada")), "--model", str(model_folder)]
    done = CliRunner().invoke(app, [*words, "--store", str(tmp_path / "store")])
    assert done.exit_code == 0
    assert "warning: adele shares 3 recordings with ada, enrolled already" in done.stderr


@pytest.mark.parametrize(
    "name", ["unknown", "Unknown", "not  enough speech", "ＵＮＫＮＯＷＮ", "unk\u200cnown"]
)
def test_nobody_is_called_what_is_answered(verifier: Verifier, tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidNameError, match="is what is answered where nobody is named"):
        verifier.enroll(name, _folder(tmp_path, "dmitri"))
    with pytest.raises(InvalidNameError, match="give another"):
        verifier.rename("ada", name)
    assert verifier.speakers() == ["ada", "bert", "cleo"]


def test_text_that_is_no_utf8_is_refused(verifier: Verifier, tmp_path: Path) -> None:
    clips = _folder(tmp_path, "dmitri")
    with pytest.raises(ArgumentError, match=r"notes is '\\udcff'; it must be text in UTF-8"):
        verifier.enroll("dmitri", clips, notes="\udcff")
    with pytest.raises(ArgumentError, match=r"by is '\\udcff'"):
        Consent(by="\udcff", purpose="tests", given=now())
    assert "dmitri" not in verifier.speakers()
