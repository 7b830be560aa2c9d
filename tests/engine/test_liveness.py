"""Speech that must sound spoken live, and what a user meets of it."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from tiny_countermeasure import SHORTEST, inverted, write_tiny_countermeasure

from voiceprint import ArgumentError, EnrollmentError, Verification, Verifier
from voiceprint.audio.clips import Clip, pool_clips, read_clip
from voiceprint.countermeasure import Countermeasure, LivenessCheck
from voiceprint.engine.bulk import enroll_folders

Voice = Callable[..., NDArray[np.float32]]
Samples = NDArray[np.float32]
RATE = 16_000


@pytest.fixture
def verifier(tmp_path: Path, model_folder: Path, people: Path, countermeasure: Path) -> Iterator[Verifier]:
    with Verifier(
        tmp_path / "store", model=model_folder, spoof_far=0.01, countermeasure=countermeasure
    ) as opened:
        for name in ("ada", "bert"):
            opened.enroll(name, [people / name / f"{number}.wav" for number in range(3)])
        yield opened


def verify(verifier: Verifier, clips: Samples | list[Samples], **options: object) -> Verification:
    return verifier.verify("ada", clips, sample_rate=RATE, **options)  # type: ignore[arg-type]


def test_nothing_is_asked_unless_a_rate_is_given(tmp_path: Path, model_folder: Path, people: Path) -> None:
    with Verifier(tmp_path / "store", model=model_folder) as verifier:
        verifier.enroll("ada", [people / "ada" / f"{number}.wav" for number in range(3)])
        assert verifier.verify("ada", people / "ada" / "3.wav").spoof is None
        assert verifier.identify(people / "ada" / "4.wav").spoof is None


def test_a_live_claim_is_accepted_and_says_how_clearly(verifier: Verifier, people: Path) -> None:
    answer = verifier.verify("ada", people / "ada" / "3.wav")
    assert (bool(answer), answer.decision) == (True, "accepted")
    assert answer.spoof is not None
    assert answer.spoof.score >= answer.spoof.threshold == pytest.approx(0.0)
    assert answer.spoof.kind is None and answer.spoof.is_live
    assert answer.reason.startswith("score ")


def test_a_voice_that_fits_but_sounds_like_a_machine_is_spoofed(verifier: Verifier, voice: Voice) -> None:
    answer = verify(verifier, inverted(voice("ada", 70)))
    assert (bool(answer), answer.accepted, answer.decision) == (False, False, "spoofed")
    assert answer.score is not None and answer.threshold is not None and answer.score >= answer.threshold
    assert answer.spoof is not None and answer.spoof.score < answer.spoof.threshold
    assert answer.spoof.kind == "synthetic" and answer.spoof.llr < 0
    assert "does not sound like somebody speaking live" in answer.reason
    assert "machine" in answer.reason


def test_a_loudspeaker_is_named(tmp_path: Path, voice: Voice) -> None:
    check = LivenessCheck.open(write_tiny_countermeasure(tmp_path, kind="loudspeaker"))
    said = check.judge(read_clip(inverted(voice("ada", 70)), sample_rate=RATE))
    assert said.spoof is not None and said.spoof.kind == "loudspeaker"
    assert "but like a loudspeaker" in said.reason


def test_who_is_rejected_is_rejected_whether_they_speak_or_not(verifier: Verifier, voice: Voice) -> None:
    for clip in (voice("bert", 70), inverted(voice("bert", 70))):
        answer = verify(verifier, clip)
        assert answer.decision == "rejected"
        assert answer.spoof is not None
        assert answer.reason.startswith("score ")


def test_a_replay_is_said_before_a_machine_and_neither_is_remembered(
    verifier: Verifier, voice: Voice
) -> None:
    recording = voice("ada", 70)
    assert verify(verifier, inverted(recording)).decision == "spoofed"
    assert verify(verifier, inverted(recording)).decision == "spoofed"
    drift = verifier.drift("ada")
    assert drift is None
    assert verify(verifier, recording).decision == "accepted"
    assert verify(verifier, inverted(recording)).decision == "replayed"
    assert verify(verifier, inverted(recording), allow_replay=True).decision == "spoofed"


def test_a_machine_cannot_hide_behind_a_person(verifier: Verifier, voice: Voice) -> None:
    live = [voice("ada", seed, 8.0) for seed in (70, 71)]
    made = inverted(voice("ada", 72, 1.5))
    together = verify(verifier, [*live, made])
    assert together.decision == "spoofed"
    assert together.spoof == verify(verifier, made).spoof
    assert verify(verifier, live).decision == "accepted"


@pytest.mark.parametrize("claims", [True, False])
def test_speech_too_short_to_be_judged_is_not_accepted(
    verifier: Verifier, voice: Voice, claims: bool
) -> None:
    clips = [voice("ada", 70), voice("ada", 71, SHORTEST - 0.2)]
    for given in (clips, clips[1]):
        ask = verifier.verify if claims else lambda _name, clip, **more: verifier.identify(clip, **more)
        answer = ask("ada", given, sample_rate=RATE, min_speech=0.1, threshold=-1.0)
        assert (bool(answer), answer.decision, answer.spoof) == (False, "not_enough_speech", None)
        assert "at least 0.7 s are needed to tell whether somebody speaks live" in answer.reason
    assert verify(verifier, clips[0]).decision == "accepted"


def test_who_is_identified_by_a_machine_is_not_named(verifier: Verifier, voice: Voice) -> None:
    answer = verifier.identify(inverted(voice("bert", 70)), sample_rate=RATE)
    assert (answer.decision, answer.name, bool(answer)) == ("spoofed", None, False)
    assert answer.matches[0].name == "bert"
    assert answer.spoof is not None and answer.spoof.kind == "synthetic"
    assert answer.expected is None
    assert verifier.identify(voice("bert", 70), sample_rate=RATE).name == "bert"


def test_clips_of_a_machine_are_set_aside_at_enrollment(verifier: Verifier, voice: Voice) -> None:
    live, made = voice("edda", 1), inverted(voice("edda", 2))
    report = verifier.enroll("edda", [live, made], sample_rate=RATE, min_speech=1.0)
    assert [clip.status for clip in report.clips] == ["used", "spoofed"]
    assert "does not sound like somebody speaking live" in report.set_aside[0].reason
    with pytest.raises(EnrollmentError, match="no clip can be used"):
        verifier.enroll("frida", made, sample_rate=RATE)
    assert verifier.speakers() == ["ada", "bert", "edda"]


def test_folders_are_enrolled_in_processes_that_ask_too(
    verifier: Verifier, voice: Voice, wav: Callable[..., Path], tmp_path: Path
) -> None:
    for name, clip in (("gerd", voice("cleo", 1)), ("hanna", inverted(voice("dmitri", 1)))):
        wav(tmp_path / "everybody" / name / "clip.wav", clip)
    folders = [tmp_path / "everybody" / name for name in ("gerd", "hanna")]
    results = list(enroll_folders(verifier, folders, min_speech=1.0, jobs=2))
    assert [(each.name, each.status) for each in results] == [("gerd", "enrolled"), ("hanna", "refused")]
    assert results[1].clips[0].status == "spoofed"


def test_a_voiceprint_learns_nothing_of_a_machine(verifier: Verifier, voice: Voice) -> None:
    clips = verifier.show("ada").n_utterances
    assert not verifier.adapt("ada", inverted(voice("ada", 70)), sample_rate=RATE, far=0.5)
    assert verifier.show("ada").n_utterances == clips


@pytest.mark.parametrize(("machine", "decision"), [(False, "accepted"), (True, "spoofed")])
def test_a_session_asks_when_it_decides(
    verifier: Verifier, voice: Voice, machine: bool, decision: str
) -> None:
    recording = voice("ada", 91, 8.0)
    session = verifier.session(claim="ada")
    session.feed(inverted(recording) if machine else recording)
    session.finish()
    assert session.answer is not None
    assert session.answer.decision == decision
    assert session.answer.spoof is not None


def test_a_session_waits_for_as_much_speech_as_can_be_judged(
    tmp_path: Path, model_folder: Path, people: Path, voice: Voice, countermeasure: Path
) -> None:
    with Verifier(
        tmp_path / "store", model=model_folder, spoof_far=0.01, countermeasure=countermeasure
    ) as verifier:
        verifier.enroll("ada", [people / "ada" / f"{number}.wav" for number in range(3)])
        assert verifier.liveness is not None
        patient = verifier.liveness.countermeasure
        patient.card = replace(patient.card, seconds=(3.0, 4.0))
        session = verifier.session(claim="ada")
        session.feed(voice("ada", 91, 8.0))
        session.finish()
        assert session.answer is not None
        assert session.answer.decision == "accepted"
        assert session.answer.seconds_of_speech is not None and session.answer.seconds_of_speech >= 2.9


@pytest.mark.parametrize("rate", [0.0, 0.009, 0.2, 1.0, -1.0, float("nan"), float("inf"), "0.01"])
def test_a_rate_that_the_card_does_not_know_is_refused_by_name(
    countermeasure: Path, model_folder: Path, tmp_path: Path, rate: float
) -> None:
    with pytest.raises(ArgumentError, match=r"^spoof_far is .* at least 0\.01 and at most 0\.1"):
        Verifier(tmp_path / "store", model=model_folder, spoof_far=rate, countermeasure=countermeasure)


def test_a_countermeasure_that_nobody_asks_is_refused(countermeasure: Path, model_folder: Path) -> None:
    with pytest.raises(ArgumentError, match="left out unless spoof_far is given"):
        Verifier("store", model=model_folder, countermeasure=countermeasure)


def test_the_higher_the_rate_the_stricter(countermeasure: Path, voice: Voice) -> None:
    clip = read_clip(voice("ada", 70), sample_rate=RATE)
    loose, strict = (LivenessCheck.open(countermeasure, spoof_far=rate) for rate in (0.01, 0.1))
    assert (bool(loose.judge(clip)), bool(strict.judge(clip))) == (True, False)


def test_exactly_the_shortest_speech_is_judged(countermeasure: Path, voice: Voice) -> None:
    check = LivenessCheck.open(countermeasure)
    clip = read_clip(voice("ada", 70), sample_rate=RATE)

    def of(samples: int) -> Clip:
        return replace(clip, speech=clip.speech[:samples])

    shortest = round(SHORTEST * RATE)
    assert check.judge(of(shortest)).decision == "live"
    assert check.judge(of(shortest - 1)).decision == "not_enough_speech"
    assert check.judge(of(0)).decision == "not_enough_speech"
    assert check.judge(pool_clips([clip, replace(of(100), sha256="another")])).spoof is None


def test_another_process_opens_the_same_check(countermeasure: Path, voice: Voice) -> None:
    check = LivenessCheck(Countermeasure.open(countermeasure), spoof_far=0.02)
    again = pickle.loads(pickle.dumps(check))
    clip = read_clip(voice("ada", 70), sample_rate=RATE)
    assert again.judge(clip) == check.judge(clip)
