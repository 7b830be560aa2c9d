"""A store moved to another model: everybody embedded anew, killed at any moment, both models serving."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
import soundfile as sf
from killing import killed_at, steps_of
from other_model import write_other_model

from voiceprint.engine.moving import move_store
from voiceprint.engine.verifier import Verifier
from voiceprint.errors import ConsentRequiredError, ModelError, ModelMismatchError
from voiceprint.model import SpeakerModel
from voiceprint.store import Consent, EnrollmentStore

AGREED = Consent(by="ada", purpose="calls", given=datetime(2026, 1, 31, 12, tzinfo=UTC))
NAMES = ("ada", "bert", "cleo")


@pytest.fixture(scope="session", params=[12, 16], ids=["as wide", "wider"])
def other(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, model_folder: Path
) -> Path:
    folder = tmp_path_factory.mktemp("models") / f"other {request.param}"
    return write_other_model(folder, model_folder, dim=request.param)


def new(other: Path) -> SpeakerModel:
    return SpeakerModel.open(other)


@pytest.fixture
def store(tmp_path: Path, model: SpeakerModel, people: Path) -> Path:
    """Ada's speech is kept, bert's and cleo's is not."""
    folder = tmp_path / "store"
    with Verifier(folder, model=model) as verifier:
        for name in NAMES:
            clips = [people / name / f"{number}.wav" for number in range(3)]
            kept = name == "ada"
            verifier.enroll(name, clips, keep_audio=kept, consent=AGREED if kept else None)
    return folder


def clip_of(people: Path, name: str, number: int = 4) -> Path:
    return people / name / f"{number}.wav"


def check_everybody(verifier: Verifier, people: Path) -> None:
    for name in NAMES:
        assert verifier.verify(name, clip_of(people, name), allow_replay=True)
        other = NAMES[NAMES.index(name) - 1]
        assert not verifier.verify(name, clip_of(people, other), allow_replay=True)
        found = verifier.identify(clip_of(people, name), allow_replay=True)
        assert (found.name, len(found.matches)) == (name, 3)
    assert not verifier.identify(clip_of(people, "dmitri"), allow_replay=True)


def test_both_models_serve_until_everybody_has_come_again(
    store: Path, other: Path, model: SpeakerModel, people: Path
) -> None:
    with Verifier(store, model=model) as running:
        check_everybody(running, people)
        report = move_store(store, new(other), jobs=1)
        assert (report.moved, [(left.name, left.why) for left in report.left]) == (
            1,
            [("bert", "no_clips"), ("cleo", "no_clips")],
        )
        assert report.earlier_model_here
        check_everybody(running, people)  # it takes the switch up
        assert running.model.id == new(other).id
        by = {name: running.verify(name, clip_of(people, name), allow_replay=True).model for name in NAMES}
        assert by == {"ada": new(other).id, "bert": model.id, "cleo": model.id}
        running.enroll("bert", [clip_of(people, "bert", number) for number in range(3)], mode="replace")
        assert running.show("bert").model_id == new(other).id
        check_everybody(running, people)
        watched = running.identify(clip_of(people, "cleo"), among=["ada", "cleo"], allow_replay=True)
        assert watched.name == "cleo"


def test_clips_that_lie_elsewhere_move_the_rest(
    store: Path, other: Path, model: SpeakerModel, people: Path, tmp_path: Path
) -> None:
    move_store(store, new(other), jobs=1)
    clips = Path(shutil.copytree(people, tmp_path / "clips"))
    shutil.copy(people / "dmitri" / "0.wav", clips / "bert" / "dmitri.wav")  # was never enrolled as bert's
    for number in range(5):  # encoded anew: the samples are others
        path = clips / "cleo" / f"{number}.wav"
        samples, rate = sf.read(path, dtype="float32")
        sf.write(path.with_suffix(".ogg"), samples, rate, format="OGG", subtype="VORBIS")
        path.unlink()
    shutil.copy(people / "dmitri" / "1.wav", clips / "cleo" / "x.wav")
    report = move_store(store, new(other), clips=clips, jobs=1)
    assert (report.moved, report.left) == (2, ())
    with Verifier(store, model=other) as verifier:
        check_everybody(verifier, people)
        assert verifier.show("bert").n_utterances == 3
        sources = {clip.source for clip in verifier.store.utterances("cleo")}
        assert "x.wav" not in sources
        assert len(verifier.generations()) == 1


def test_a_folder_of_somebody_else_moves_nobody(
    store: Path, other: Path, people: Path, tmp_path: Path
) -> None:
    clips = tmp_path / "clips"
    shutil.copytree(people / "dmitri", clips / "bert")
    report = move_store(store, new(other), clips=clips, jobs=1)
    assert [left.name for left in report.left] == ["bert", "cleo"]
    with Verifier(store, model=other) as verifier:
        assert not verifier.verify("bert", clip_of(people, "dmitri"), allow_replay=True)


def test_a_run_that_is_killed_goes_on_where_it_was(
    store: Path, other: Path, model: SpeakerModel, people: Path, tmp_path: Path
) -> None:
    spare = Path(shutil.copytree(store, tmp_path / "spare"))
    steps = steps_of(move_store, spare, new(other), clips=people, jobs=1)
    for part in range(1, 8):
        killed_at(steps * part // 8, move_by_folder, store, other, people)
        with Verifier(store, model=model) as running:
            check_everybody(running, people)
    report = move_store(store, new(other), clips=people, jobs=1)
    assert report.left == ()
    with EnrollmentStore.open(store) as opened:
        assert opened.problems() == []
        assert {person.model_id for person in opened.everybody()} == {new(other).id}


def move_by_folder(store: Path, other: Path, people: Path) -> None:
    move_store(store, SpeakerModel.open(other), clips=people, jobs=1)


def test_nothing_is_in_force_before_the_switch_and_it_can_be_called_off(
    store: Path, other: Path, model: SpeakerModel, people: Path
) -> None:
    report = move_store(store, new(other), clips=people, jobs=1, switch=False)
    assert (report.moved, report.switched) == (3, False)
    with Verifier(store, model=model) as verifier:
        assert verifier.model.id == model.id
        check_everybody(verifier, people)
    with pytest.raises(ModelMismatchError, match="move the store"):
        Verifier(store, model=other).generations()
    with EnrollmentStore.open(store) as opened:
        assert opened.abandon_move()
    with pytest.raises(ModelMismatchError, match="move the store"):
        Verifier(store, model=other).generations()
    assert move_store(store, new(other), jobs=1).moved == 1


def test_a_moved_store_knows_its_model_and_another_one_is_refused(
    store: Path, other: Path, model: SpeakerModel, people: Path, tmp_path: Path, model_folder: Path
) -> None:
    move_store(store, new(other), clips=people, jobs=1)
    for named in (None, other, model_folder):  # none, the new, and the one that it was moved away from
        with Verifier(store, model=named) as verifier:
            check_everybody(verifier, people)
    third = write_other_model(tmp_path / "third", model_folder, dim=20)
    with pytest.raises(ModelMismatchError, match="move the store"):
        Verifier(store, model=third).generations()


def test_who_is_known_by_a_model_that_is_gone_is_not_compared(
    tmp_path: Path, other: Path, model_folder: Path, people: Path
) -> None:
    gone = write_other_model(tmp_path / "gone", model_folder, dim=20)
    with Verifier(tmp_path / "store", model=gone) as verifier:
        verifier.enroll("ada", [clip_of(people, "ada", number) for number in range(3)])
    shutil.rmtree(gone)
    report = move_store(tmp_path / "store", new(other), jobs=1)
    assert (report.earlier_model_here, report.switched) == (False, False)
    report = move_store(tmp_path / "store", new(other), jobs=1, without_earlier=True)
    assert (report.earlier_model_here, report.switched) == (False, True)
    with Verifier(tmp_path / "store", model=other) as verifier:
        with pytest.raises(ModelError, match="which is not here"):
            verifier.verify("ada", clip_of(people, "ada"))
        assert verifier.identify(clip_of(people, "ada")).decision == "unknown"


def test_speech_is_kept_with_consent_alone_and_sounds_the_same(
    tmp_path: Path, model: SpeakerModel, people: Path
) -> None:
    clips = [clip_of(people, "ada", number) for number in range(3)]
    with Verifier(tmp_path / "store", model=model) as verifier:
        with pytest.raises(ConsentRequiredError, match="no speech is kept"):
            verifier.enroll("ada", clips, keep_audio=True)
        aside = clip_of(people, "dmitri")
        report = verifier.enroll("ada", [*clips, aside], keep_audio=True, consent=AGREED)
        used = {clip.clip_sha256 for clip in verifier.store.utterances("ada")}
        assert len(report.used) == 3
        assert verifier.store.kept_audio("ada").keys() == used
        verifier.remove("ada")
    assert b"OggS" not in b"".join(path.read_bytes() for path in (tmp_path / "store").iterdir())


def test_a_session_asks_the_model_that_knows_the_person(
    store: Path, other: Path, model: SpeakerModel, people: Path
) -> None:
    move_store(store, new(other), jobs=1)
    with Verifier(store, model=other) as verifier:
        for claim in ("ada", "cleo", None):
            session = verifier.session(claim=claim, allow_replay=True)
            samples, rate = sf.read(clip_of(people, claim or "cleo"), dtype="float32")
            session.feed(samples, sample_rate=rate)
            session.finish()
            assert session.answer, claim
