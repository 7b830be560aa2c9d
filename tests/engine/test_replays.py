"""Recordings that were enrolled, or accepted before, and what a user meets of it."""

from __future__ import annotations

import resource
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from voiceprint import StoreError, Verifier
from voiceprint.audio.conditions import standard_telephone
from voiceprint.audio.degrade import add_background, gsm, mp3, opus, pink_noise

Voice = Callable[..., NDArray[np.float32]]
RATE = 16_000


@pytest.fixture
def verifier(tmp_path: Path, model_folder: Path, people: Path) -> Iterator[Verifier]:
    with Verifier(tmp_path / "store", model=model_folder) as opened:
        for name in ("ada", "bert"):
            opened.enroll(name, [people / name / f"{number}.wav" for number in range(3)])
        yield opened


def decision(verifier: Verifier, samples: NDArray[np.float32], name: str = "ada", **options: object) -> str:
    return verifier.verify(name, samples, sample_rate=RATE, **options).decision  # type: ignore[arg-type]


def test_an_enrolled_recording_is_refused_and_says_when_it_was_enrolled(
    verifier: Verifier, people: Path
) -> None:
    answer = verifier.verify("ada", people / "ada" / "1.wav")
    assert (answer.accepted, bool(answer), answer.decision) == (False, False, "replayed")
    assert answer.score is not None and answer.threshold is not None and answer.score >= answer.threshold
    assert answer.replay is not None and answer.replay.kind == "enrolled"
    assert datetime.now(UTC) - answer.replay.at < timedelta(hours=1)
    assert "enrolled on" in answer.reason
    assert verifier.verify("ada", people / "ada" / "1.wav", allow_replay=True).accepted


def test_an_accepted_recording_is_accepted_once(verifier: Verifier, people: Path) -> None:
    assert verifier.verify("ada", people / "ada" / "3.wav").decision == "accepted"
    again = verifier.verify("ada", people / "ada" / "3.wav")
    assert again.decision == "replayed"
    assert again.replay is not None and again.replay.kind == "accepted"
    assert "was accepted before" in again.reason
    assert verifier.verify("ada", people / "ada" / "4.wav").decision == "accepted"
    assert verifier.verify("ada", people / "ada" / "3.wav").decision == "replayed"


def test_a_rejected_recording_is_not_remembered_and_stays_rejected(verifier: Verifier, people: Path) -> None:
    for _ in range(2):
        answer = verifier.verify("ada", people / "bert" / "3.wav")
        assert (answer.decision, answer.replay) == ("rejected", None)
    # That it was enrolled for somebody else is nothing that whoever is rejected learns.
    assert verifier.verify("ada", people / "bert" / "1.wav").decision == "rejected"
    assert {each.kind for each in verifier.store.seen("ada")} == {"enrolled"}


@pytest.mark.parametrize(
    "change",
    [
        lambda x: 0.3 * x,
        lambda x: opus(x, kbps=16),
        lambda x: mp3(x, kbps=32),
        gsm,
        standard_telephone,
        lambda x: add_background(x, pink_noise(len(x), np.random.default_rng(1)), snr_db=20),
        lambda x: x[len(x) // 4 : -len(x) // 4],
        lambda x: np.concatenate([np.zeros(9000, np.float32), x, np.zeros(5000, np.float32)]),
        lambda x: np.interp(np.arange(0, len(x) - 1, 1.01), np.arange(len(x)), x).astype(np.float32),
    ],
    ids=["gain", "opus", "mp3", "gsm", "telephone", "noise", "cut", "padded", "faster"],
)
@pytest.mark.parametrize("kind", ["enrolled", "accepted"])
def test_a_recording_is_known_again_whatever_was_done_to_it(
    verifier: Verifier, voice: Voice, kind: str, change: Callable[[NDArray[np.float32]], NDArray[np.float32]]
) -> None:
    recording = voice("ada", 70, 4.0)
    if kind == "enrolled":
        verifier.enroll("ada", recording, sample_rate=RATE, mode="add")
    else:
        assert decision(verifier, recording) == "accepted"
    assert decision(verifier, change(recording), threshold=-1.0) == "replayed"


def test_a_recording_among_several_of_a_claim_refuses_it(verifier: Verifier, people: Path) -> None:
    clips = [people / "ada" / "3.wav", people / "ada" / "0.wav"]
    assert verifier.verify("ada", clips).decision == "replayed"
    assert verifier.verify("ada", clips[0]).decision == "accepted"  # nothing was remembered of the claim
    assert verifier.verify("ada", [people / "ada" / "4.wav", clips[0]]).decision == "replayed"


def test_who_is_identified_by_a_known_recording_is_not_named(verifier: Verifier, people: Path) -> None:
    known = verifier.identify(people / "bert" / "1.wav")
    assert (known.decision, known.name, bool(known)) == ("replayed", None, False)
    assert known.matches[0].name == "bert"
    assert known.replay is not None and known.replay.kind == "enrolled"
    assert verifier.identify(people / "bert" / "3.wav").name == "bert"
    assert verifier.identify(people / "bert" / "3.wav").decision == "replayed"
    assert verifier.verify("bert", people / "bert" / "3.wav").decision == "replayed"
    assert verifier.identify(people / "bert" / "3.wav", allow_replay=True).name == "bert"


def test_what_was_said_live_is_remembered_too(verifier: Verifier, voice: Voice) -> None:
    recording = voice("ada", 91, 8.0)

    def ask(**options: bool) -> str:
        session = verifier.session(claim="ada", **options)  # type: ignore[arg-type]
        session.feed(recording)
        session.finish()
        assert session.answer is not None
        return session.answer.decision

    assert ask(allow_replay=True) == "accepted"
    assert ask() == "accepted"
    assert ask() == "replayed"
    assert decision(verifier, recording) == "replayed"


def test_allowing_replays_remembers_nothing(verifier: Verifier, people: Path) -> None:
    for _ in range(2):
        assert verifier.verify("ada", people / "ada" / "3.wav", allow_replay=True)
        assert verifier.identify(people / "ada" / "3.wav", allow_replay=True)
    assert {each.kind for each in verifier.store.seen("ada")} == {"enrolled"}
    assert verifier.drift("ada") is not None


def test_a_store_that_is_only_read_knows_what_it_holds_and_remembers_nothing(
    verifier: Verifier, people: Path, model_folder: Path
) -> None:
    assert verifier.verify("ada", people / "ada" / "3.wav")
    with Verifier(verifier.store_path, model=model_folder, read_only=True) as reader:
        assert reader.verify("ada", people / "ada" / "3.wav").decision == "replayed"
        assert reader.verify("ada", people / "ada" / "0.wav").decision == "replayed"
        for _ in range(2):
            assert reader.verify("ada", people / "ada" / "4.wav").decision == "accepted"


def test_what_cannot_be_remembered_is_not_accepted(
    verifier: Verifier, people: Path, model_folder: Path, voice: Voice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voiceprint.store.sqlite.database.BUSY_SECONDS", 0.01)
    session = verifier.session(claim="ada")
    with Verifier(verifier.store_path, model=model_folder) as other, other.store._backend.writing():
        with pytest.raises(StoreError, match="another process made it wait"):
            verifier.verify("ada", people / "ada" / "3.wav")
        with pytest.raises(StoreError, match="another process made it wait"):
            verifier.identify(people / "ada" / "3.wav")
        with pytest.raises(StoreError, match="another process made it wait"):
            session.feed(voice("ada", 91, 8.0))
            session.finish()
        assert verifier.verify("ada", people / "bert" / "3.wav").decision == "rejected"
        assert verifier.verify("ada", people / "ada" / "1.wav").decision == "replayed"
    assert not session.answer
    assert verifier.verify("ada", people / "ada" / "3.wav").decision == "accepted"
    assert verifier.verify("ada", people / "ada" / "3.wav").decision == "replayed"


def test_a_full_disk_answers_and_remembers_nothing(
    verifier: Verifier, people: Path, model_folder: Path
) -> None:
    place, clip = verifier.store_path, people / "ada" / "3.wav"
    verifier.close()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        with Verifier(place, model=model_folder) as full:
            assert full.store.read_only
            decisions = [full.verify("ada", clip).decision for _ in range(2)]
            assert decisions == ["accepted", "accepted"]
            assert full.verify("ada", people / "ada" / "1.wav").decision == "replayed"
            assert full.verify("ada", people / "bert" / "3.wav").decision == "rejected"
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    with Verifier(place, model=model_folder) as again:
        assert again.verify("ada", clip).decision == "accepted"


def test_a_disk_that_fills_up_meanwhile_accepts_nobody(verifier: Verifier, people: Path) -> None:
    clip = people / "ada" / "3.wav"
    assert verifier.verify("ada", people / "bert" / "3.wav").decision == "rejected"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        with pytest.raises(StoreError, match="check that the disk has room"):
            verifier.verify("ada", clip)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert verifier.verify("ada", clip).decision == "accepted"


def test_of_two_that_are_given_a_recording_at_once_one_refuses_it(
    verifier: Verifier, people: Path, model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Verifier(verifier.store_path, model=model_folder) as other:
        before = verifier.store.seen("ada")
        assert other.verify("ada", people / "ada" / "3.wav").decision == "accepted"
        # As if this process had looked before the other one accepted it.
        monkeypatch.setattr(type(verifier.store), "seen", lambda _store, _name: before)
        assert verifier.verify("ada", people / "ada" / "3.wav").decision == "replayed"


def test_a_voiceprint_can_learn_what_was_just_accepted(verifier: Verifier, people: Path) -> None:
    clip = people / "ada" / "3.wav"
    assert verifier.verify("ada", clip)
    assert not verifier.adapt("ada", clip, far=0.5)
    clips = verifier.show("ada").n_utterances
    assert verifier.adapt("ada", clip, far=0.5, allow_replay=True) == (
        verifier.show("ada").n_utterances > clips
    )


def test_a_recording_enrolled_under_two_names_is_told_in_any_encoding(
    verifier: Verifier, people: Path, voice: Voice
) -> None:
    recording = voice("ada", 70, 4.0)
    verifier.enroll("ada", recording, sample_rate=RATE, mode="add")
    report = verifier.enroll("edda", opus(recording, kbps=24), sample_rate=RATE)
    assert [(each.name, each.same_recordings) for each in report.resembles] == [("ada", 1)]
