"""A store in PostgreSQL moved to another model, from clips that lie elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from killing import killed_at, steps_of
from other_model import write_other_model

from voiceprint.engine.moving import move_store
from voiceprint.engine.verifier import Verifier
from voiceprint.model import SpeakerModel
from voiceprint.store import EnrollmentStore

NAMES = ("ada", "bert", "cleo")


@pytest.fixture
def other(tmp_path: Path, model_folder: Path) -> Path:
    return write_other_model(tmp_path / "other", model_folder, dim=16)


def clip_of(people: Path, name: str, number: int = 4) -> Path:
    return people / name / f"{number}.wav"


def enroll(url: str, model: SpeakerModel, people: Path) -> str:
    with Verifier(url, model=model) as verifier:
        for name in NAMES:
            verifier.enroll(name, [clip_of(people, name, number) for number in range(3)])
    return url


def move_by_folder(url: str, other: Path, people: Path) -> None:
    move_store(url, SpeakerModel.open(other), clips=people, jobs=1)


def check_everybody(verifier: Verifier, people: Path) -> None:
    for name in NAMES:
        assert verifier.verify(name, clip_of(people, name), allow_replay=True)
        another = NAMES[NAMES.index(name) - 1]
        assert not verifier.verify(name, clip_of(people, another), allow_replay=True)
        assert verifier.identify(clip_of(people, name), allow_replay=True).name == name
    assert not verifier.identify(clip_of(people, "dmitri"), allow_replay=True)


def test_a_database_is_moved_while_others_use_it_and_both_models_serve(
    new_database: Callable[..., str], other: Path, model: SpeakerModel, people: Path, tmp_path: Path
) -> None:
    url, new = enroll(new_database(), model, people), SpeakerModel.open(other)
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips" / "ada").symlink_to(people / "ada")
    with Verifier(url, model=model) as running:
        check_everybody(running, people)
        report = move_store(url, new, clips=tmp_path / "clips", jobs=2)
        assert (report.moved, [(left.name, left.why) for left in report.left]) == (
            1,
            [("bert", "no_clips"), ("cleo", "no_clips")],
        )
        check_everybody(running, people)  # it takes the switch up
        by = {name: running.verify(name, clip_of(people, name), allow_replay=True).model for name in NAMES}
        assert by == {"ada": new.id, "bert": model.id, "cleo": model.id}
        assert move_store(url, new, clips=people, jobs=1).left == ()
        check_everybody(running, people)
        assert running.store.problems() == []
        assert running.store.stats().n_earlier == 0


def test_a_move_of_a_database_that_is_killed_goes_on_where_it_was(
    new_database: Callable[..., str], other: Path, model: SpeakerModel, people: Path
) -> None:
    steps = steps_of(move_by_folder, enroll(new_database(), model, people), other, people)
    url = enroll(new_database(), model, people)
    for part in range(1, 5):
        killed_at(steps * part // 5, move_by_folder, url, other, people)
        with Verifier(url, model=model) as running:
            check_everybody(running, people)
    move_by_folder(url, other, people)
    with EnrollmentStore.open(url) as opened:
        assert opened.problems() == []
        assert {person.model_id for person in opened.everybody()} == {SpeakerModel.open(other).id}
