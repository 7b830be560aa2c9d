from __future__ import annotations

import shutil
from collections.abc import Generator
from pathlib import Path

import pytest

from voiceprint.engine.bulk import enroll_folders, speaker_folders
from voiceprint.engine.verifier import Verifier
from voiceprint.errors import AudioError
from voiceprint.model import SpeakerModel


@pytest.fixture
def verifier(model_folder: Path, tmp_path: Path) -> Verifier:
    return Verifier(tmp_path / "store", model=SpeakerModel.open(model_folder))


def test_every_folder_is_a_person(verifier: Verifier, people: Path) -> None:
    results = list(enroll_folders(verifier, speaker_folders(people), jobs=2))
    assert [(result.name, result.status) for result in results] == [
        (name, "enrolled") for name in ("ada", "bert", "cleo", "dmitri")
    ]
    assert all(len(result.clips) == 5 for result in results)
    assert verifier.show("ada").n_utterances == 5


def test_an_interrupted_run_goes_on_where_it_ended(verifier: Verifier, people: Path) -> None:
    folders = speaker_folders(people)
    interrupted = enroll_folders(verifier, folders, jobs=1)
    assert [next(interrupted).name, next(interrupted).name] == ["ada", "bert"]
    assert isinstance(interrupted, Generator)
    interrupted.close()
    assert verifier.speakers() == ["ada", "bert"]
    results = list(enroll_folders(verifier, folders, jobs=1))
    assert {result.name: result.status for result in results} == {
        "ada": "skipped", "bert": "skipped", "cleo": "enrolled", "dmitri": "enrolled",
    }  # fmt: skip


def test_a_name_that_is_enrolled_from_other_clips_is_refused(
    verifier: Verifier, people: Path, tmp_path: Path
) -> None:
    shutil.copy(people / "bert/0.wav", tmp_path / "elsewhere.wav")
    verifier.enroll("ada", tmp_path / "elsewhere.wav", min_speech=1)
    (result,) = enroll_folders(verifier, [people / "ada"], jobs=1)
    assert result.status == "refused"
    assert "from other clips; add the clips, replace" in result.reason
    (replaced,) = enroll_folders(verifier, [people / "ada"], mode="replace", jobs=1)
    assert replaced.status == "enrolled"


def test_adding_enrolls_the_new_and_adds_new_clips_only(
    verifier: Verifier, people: Path, tmp_path: Path
) -> None:
    shutil.copytree(people / "ada", tmp_path / "all/ada", ignore=shutil.ignore_patterns("[34].wav"))
    folders = speaker_folders(tmp_path / "all")
    assert [result.status for result in enroll_folders(verifier, folders, mode="add", jobs=1)] == ["enrolled"]
    (again,) = enroll_folders(verifier, folders, mode="add", jobs=1)
    assert (again.status, again.reason) == ("skipped", "has no new clips")
    shutil.copy(people / "ada/3.wav", tmp_path / "all/ada/3.wav")
    (more,) = enroll_folders(verifier, folders, mode="add", jobs=1)
    assert [clip.status for clip in more.clips] == ["duplicate"] * 3 + ["used"]


def test_folders_that_make_no_voiceprint_are_refused_and_the_rest_enrolled(
    verifier: Verifier, people: Path, tmp_path: Path
) -> None:
    shutil.copytree(people / "ada", tmp_path / "all/ada")
    (tmp_path / "all/empty").mkdir()
    (tmp_path / "all/mixed").mkdir()
    for name, clip in (("bert", "0.wav"), ("cleo", "1.wav")):
        shutil.copy(people / name / clip, tmp_path / "all/mixed" / f"{name}.wav")
    (tmp_path / "all/bad\x07name").mkdir()
    results = {
        result.name: result for result in enroll_folders(verifier, speaker_folders(tmp_path / "all"), jobs=1)
    }
    assert results["ada"].status == "enrolled"
    assert "no clip can be used (none was given)" in results["empty"].reason
    assert "clips disagree with each other" in results["mixed"].reason
    assert "U+0007" in results["bad\x07name"].reason


def test_a_folder_that_is_missing_or_holds_no_folders_is_named(people: Path, tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="nowhere: no such folder"):
        speaker_folders(tmp_path / "nowhere")
    with pytest.raises(AudioError, match="holds no folders"):
        speaker_folders(people / "ada")
