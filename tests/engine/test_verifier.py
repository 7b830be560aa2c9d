from __future__ import annotations

import io
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

import voiceprint
from voiceprint.audio import Waveform, read_audio
from voiceprint.audio.clips import ClipSource
from voiceprint.calibration import OperatingPoint
from voiceprint.engine.verifier import Verifier
from voiceprint.errors import (
    ArgumentError,
    AudioError,
    EnrollmentError,
    InvalidNameError,
    ModelError,
    SpeakerExistsError,
    SpeakerNotFoundError,
    StoreReadOnlyError,
)
from voiceprint.model import SpeakerModel
from voiceprint.model.card import read_model_card
from voiceprint.model.folder import write_model_card


@pytest.fixture(scope="module")
def uncalibrated(model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("uncalibrated")
    (folder / "encoder.onnx").write_bytes((model_folder / "encoder.onnx").read_bytes())
    write_model_card(folder, replace(read_model_card(model_folder), calibration=None))
    return folder


@pytest.fixture
def verifier(tmp_path: Path, model: SpeakerModel, people: Path) -> Verifier:
    """With ada, bert and cleo enrolled by three clips each."""
    verifier = Verifier(tmp_path / "store", model=model)
    for name in ("ada", "bert", "cleo"):
        verifier.enroll(name, [people / name / f"{clip}.wav" for clip in range(3)])
    return verifier


SILENCE = Waveform(samples=np.full(32_000, 1e-4, dtype=np.float32), source="quiet", original_rate=16_000)


def test_right_claims_are_accepted_and_wrong_ones_rejected(verifier: Verifier, people: Path) -> None:
    right = verifier.verify("ada", people / "ada/3.wav")
    assert (right.accepted, right.decision, right.name) == (True, "accepted", "ada")
    assert right.model == verifier.model.id
    wrong = verifier.verify("ada", people / "bert/3.wav")
    assert (wrong.accepted, wrong.decision) == (False, "rejected")
    assert right.score is not None and wrong.score is not None and right.score > wrong.score
    assert right.llr is not None and right.llr > 0
    assert wrong.llr is not None and wrong.llr < 0


def test_the_threshold_is_that_of_the_rate_asked_for_and_of_as_many_clips(
    verifier: Verifier, people: Path
) -> None:
    clip = people / "ada/3.wav"
    assert verifier.verify("ada", clip).threshold == pytest.approx(0.86 + 0.02)  # 1 %, three clips
    assert verifier.verify("ada", clip, far=0.001).threshold == pytest.approx(0.90 + 0.02)
    assert verifier.verify("ada", clip, threshold=0.5).threshold == 0.5


def test_the_card_says_where_to_decide_unless_told_otherwise(
    verifier: Verifier, people: Path, tmp_path: Path
) -> None:
    card = replace(verifier.model.card, decision=OperatingPoint.eer())
    lenient = SpeakerModel(verifier.model.folder, card, (verifier.model.folder / "encoder.onnx").read_bytes())
    with Verifier(verifier.store_path, model=lenient, read_only=True) as reader:
        assert reader.verify("ada", people / "ada/3.wav").threshold == pytest.approx(0.80 + 0.02)
        assert reader.verify("ada", people / "ada/3.wav", far=0.01).threshold == pytest.approx(0.86 + 0.02)


def test_a_score_at_the_threshold_is_accepted(verifier: Verifier, people: Path) -> None:
    clip = people / "ada/3.wav"
    score = verifier.verify("ada", clip).score
    assert score is not None
    assert verifier.verify("ada", clip, threshold=score, allow_replay=True).accepted
    above = float(np.nextafter(score, 2.0))
    assert not verifier.verify("ada", clip, threshold=above, allow_replay=True).accepted


def test_too_little_speech_is_never_scored(verifier: Verifier, people: Path) -> None:
    answer = verifier.verify("ada", SILENCE, threshold=-1.0)
    assert (answer.accepted, answer.decision) == (False, "not_enough_speech")
    assert (answer.score, answer.llr, answer.threshold) == (None, None, None)
    assert answer.reason == "0.0 s of speech; at least 0.5 s are needed"
    assert verifier.verify("ada", people / "ada/3.wav", min_speech=3).decision == "not_enough_speech"
    assert verifier.identify(SILENCE, threshold=-1.0).decision == "not_enough_speech"
    assert verifier.compare(people / "ada/3.wav", SILENCE, threshold=-1.0).decision == "not_enough_speech"


def test_clips_may_be_paths_bytes_streams_or_waveforms(verifier: Verifier, people: Path) -> None:
    path = people / "ada/3.wav"
    data = path.read_bytes()
    clips: list[ClipSource] = [
        path,
        str(path),
        data,
        io.BytesIO(data),
        read_audio(path),
        read_audio(sf.read(path)[0], sample_rate=16_000),
    ]
    answers = [verifier.verify("ada", clip) for clip in clips]
    scores = [answer.score for answer in answers if answer.score is not None]
    assert len(scores) == len(clips)
    assert max(scores) - min(scores) < 1e-4


def test_enrolling_takes_one_clip_many_or_a_folder(tmp_path: Path, model: SpeakerModel, people: Path) -> None:
    verifier = Verifier(tmp_path, model=model)
    assert len(verifier.enroll("folder", people / "ada").used) == 5
    assert len(verifier.enroll("text", str(people / "ada/0.wav"), min_speech=1).used) == 1
    assert len(verifier.enroll("bytes", (people / "ada/0.wav").read_bytes(), min_speech=1).used) == 1
    assert verifier.speakers() == ["bytes", "folder", "text"]


def test_measuring_tells_how_far_it_is(tmp_path: Path, model: SpeakerModel, people: Path) -> None:
    told: list[tuple[int, int]] = []
    verifier = Verifier(tmp_path, model=model)
    measured = verifier.measure(people / "ada", progress=lambda *now: told.append(now))
    assert told == [(1, 5), (2, 5), (3, 5), (4, 5), (5, 5)]
    assert len(verifier.enroll_measured("ada", measured).used) == 5


def test_enrolling_a_name_twice_needs_to_be_asked_for(verifier: Verifier, people: Path) -> None:
    clips = [people / "ada" / f"{clip}.wav" for clip in (2, 3, 4)]
    with pytest.raises(SpeakerExistsError, match="choose mode add or replace"):
        verifier.enroll("ada", clips)
    added = verifier.enroll("ada", clips, mode="add")
    assert [clip.status for clip in added.clips] == ["duplicate", "used", "used"]
    assert added.enrollment.n_utterances == 5
    replaced = verifier.enroll("ada", clips, mode="replace")
    assert replaced.enrollment.n_utterances == 3
    with pytest.raises(SpeakerNotFoundError, match="nobody"):
        verifier.enroll("nobody", clips, mode="add")


def test_a_stranger_among_the_clips_is_set_aside_and_named(
    tmp_path: Path, model: SpeakerModel, people: Path
) -> None:
    clips = [people / "ada/0.wav", people / "bert/0.wav", people / "ada/1.wav", people / "ada/2.wav"]
    report = Verifier(tmp_path, model=model).enroll("ada", clips)
    (stranger,) = report.set_aside
    assert (stranger.source, stranger.status) == (str(people / "bert/0.wav"), "disagrees")
    assert report.enrollment.n_utterances == len(report.used) == 3


def test_a_stranger_is_not_added_to_a_voiceprint(verifier: Verifier, people: Path) -> None:
    with pytest.raises(EnrollmentError, match="3 of 3 clips disagree with the enrolled voiceprint"):
        verifier.enroll("ada", [people / "bert" / f"{clip}.wav" for clip in range(3)], mode="add")
    assert verifier.show("ada").n_utterances == 3


def test_bad_clips_among_good_ones_are_set_aside(tmp_path: Path, model: SpeakerModel, people: Path) -> None:
    (tmp_path / "broken.wav").write_bytes(b"RIFF")
    clips: list[ClipSource] = [tmp_path / "broken.wav", SILENCE, people / "ada/0.wav", people / "ada/1.wav"]
    report = Verifier(tmp_path / "store", model=model).enroll("ada", clips)
    assert [clip.status for clip in report.clips] == ["unreadable", "too_short", "used", "used"]
    with pytest.raises(EnrollmentError, match=r"no clip can be used \(.*broken\.wav"):
        Verifier(tmp_path / "store", model=model).enroll("bert", clips[:2])


def test_a_path_that_does_not_exist_is_an_error_not_a_set_aside_clip(
    tmp_path: Path, model: SpeakerModel, people: Path
) -> None:
    with pytest.raises(AudioError, match="does not exist"):
        Verifier(tmp_path, model=model).enroll("ada", [people / "ada/0.wav", people / "ada/O.wav"])


def test_under_three_seconds_of_speech_nobody_is_enrolled(
    tmp_path: Path, model: SpeakerModel, people: Path
) -> None:
    verifier = Verifier(tmp_path, model=model)
    with pytest.raises(EnrollmentError, match="is too little; give at least 3 s"):
        verifier.enroll("ada", people / "ada/0.wav")
    assert verifier.speakers() == []


@pytest.mark.parametrize("name", ["", " ", "a\x00b", "line\nbreak", "x" * 201])
def test_names_that_cannot_be_used_are_refused_before_anything_is_read(
    tmp_path: Path, model: SpeakerModel, name: str
) -> None:
    with pytest.raises(InvalidNameError):
        Verifier(tmp_path, model=model).enroll(name, ["no such file"])


def test_everybody_is_identified_and_a_stranger_is_unknown(verifier: Verifier, people: Path) -> None:
    for name in ("ada", "bert", "cleo"):
        answer = verifier.identify(people / name / "3.wav")
        assert (answer.decision, answer.name) == ("identified", name)
        assert answer.matches[0].name == name
    stranger = verifier.identify(people / "dmitri/3.wav")
    assert (stranger.decision, stranger.name) == ("unknown", None)
    assert len(stranger.matches) == 3


def test_identifying_decides_each_comparison_at_the_rate_over_the_number_enrolled(
    verifier: Verifier, people: Path
) -> None:
    calibration = verifier.model.card.calibration
    assert calibration is not None
    answer = verifier.identify(people / "ada/3.wav", far=0.01)
    seconds = answer.seconds_of_speech
    assert answer.threshold == calibration.threshold(p_fa=0.01 / 3, n_enroll=3, seconds=seconds)
    assert answer.threshold > calibration.threshold(p_fa=0.01, n_enroll=3, seconds=seconds)


def test_matches_are_ordered_by_likelihood_because_more_clips_lift_the_score(
    tmp_path: Path, model: SpeakerModel, people: Path
) -> None:
    verifier = Verifier(tmp_path, model=model)
    verifier.enroll("one", people / "ada/0.wav", min_speech=1)
    verifier.enroll("three", [people / "ada" / f"{clip}.wav" for clip in range(3)])
    matches = verifier.identify(people / "ada/0.wav").matches
    llrs = [match.llr for match in matches if match.llr is not None]
    assert len(llrs) == len(matches)
    assert llrs == sorted(llrs, reverse=True)
    assert verifier.identify(people / "ada/0.wav", top=1).matches[0].name == matches[0].name


def test_nobody_is_identified_in_an_empty_store(tmp_path: Path, model: SpeakerModel, people: Path) -> None:
    answer = Verifier(tmp_path, model=model).identify(people / "ada/0.wav")
    assert (answer.decision, answer.matches, answer.threshold) == ("unknown", (), None)


def test_comparing_needs_no_store(tmp_path: Path, model: SpeakerModel, people: Path) -> None:
    verifier = Verifier(tmp_path / "store", model=model)
    same = verifier.compare(people / "ada/0.wav", people / "ada/1.wav")
    other = verifier.compare(people / "ada/0.wav", people / "bert/0.wav")
    assert (same.decision, other.decision) == ("same", "different")
    assert same.threshold == pytest.approx(0.86)  # 1 %, one clip
    assert not (tmp_path / "store").exists()


def test_a_model_without_calibration_works_with_a_threshold_and_otherwise_says_that_it_has_none(
    tmp_path: Path, uncalibrated: Path, people: Path
) -> None:
    verifier = Verifier(tmp_path, model=uncalibrated)
    verifier.enroll("ada", [people / "ada/0.wav", people / "ada/1.wav"])
    clip = people / "ada/3.wav"
    answer = verifier.verify("ada", clip, threshold=0.5)
    assert answer.accepted and answer.llr is None
    assert verifier.identify(clip, threshold=0.5, allow_replay=True).name == "ada"
    assert verifier.compare(clip, clip, threshold=0.5).same
    for ask in (
        lambda: verifier.verify("ada", clip),
        lambda: verifier.verify("ada", clip, far=0.01),
        lambda: verifier.identify(clip),
        lambda: verifier.compare(clip, clip),
    ):
        with pytest.raises(ModelError, match="has no thresholds"):
            ask()


@pytest.mark.parametrize("far", [0.0, 1.0, -1.0, float("nan")])
def test_an_impossible_rate_is_refused(verifier: Verifier, people: Path, far: float) -> None:
    with pytest.raises(ArgumentError, match="far is"):
        verifier.verify("ada", people / "ada/3.wav", far=far)


def test_removing_and_renaming(verifier: Verifier, people: Path) -> None:
    verifier.rename("ada", "Ada Lovelace")
    verifier.remove("bert")
    assert verifier.speakers() == ["Ada Lovelace", "cleo"]
    assert verifier.verify("Ada Lovelace", people / "ada/3.wav").accepted
    with pytest.raises(SpeakerNotFoundError):
        verifier.verify("bert", people / "bert/3.wav")


def test_a_read_only_verifier_answers_and_changes_nothing(verifier: Verifier, people: Path) -> None:
    verifier.close()
    with Verifier(verifier.store_path, model=verifier.model, read_only=True) as reader:
        assert reader.verify("ada", people / "ada/3.wav").accepted
        assert reader.identify(people / "bert/3.wav").name == "bert"
        with pytest.raises(StoreReadOnlyError):
            reader.remove("ada")


def test_the_default_store_is_the_one_the_environment_names(
    tmp_path: Path, model: SpeakerModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOICEPRINT_STORE", str(tmp_path / "mine"))
    assert Verifier(model=model).store_path == tmp_path / "mine"


def test_the_package_offers_what_it_lists_and_imports_it_late() -> None:
    assert voiceprint.__all__ == sorted(voiceprint.__all__)
    assert set(voiceprint.__all__) <= set(dir(voiceprint))
    with pytest.raises(AttributeError, match="has no attribute 'Verfier'"):
        _ = voiceprint.Verfier
    code = "import voiceprint, sys; print('numpy' in sys.modules); from voiceprint import Verifier"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "False\n"
