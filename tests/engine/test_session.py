"""A session answers, while somebody speaks, what verify and identify answer of the same sound."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import soxr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.synthetic_speech import VOICES, synthesize
from voiceprint import Consent, Verification, Verifier
from voiceprint.engine.events import Decided, Event, Scored, SpeakerChanged, SpeechBegan, SpeechEnded
from voiceprint.engine.session import Session
from voiceprint.engine.tuning import StoreTuning, write_tuning
from voiceprint.errors import ArgumentError, AudioError, NotCalibratedError, SpeakerNotFoundError
from voiceprint.model import SpeakerModel

RATE = 16_000


def say(name: str, seconds: float, seed: int = 7) -> np.ndarray:
    return synthesize(seed, seconds, *VOICES[name])


def silence(seconds: float) -> np.ndarray:
    noise = np.random.default_rng(3).standard_normal(round(seconds * RATE))
    return (1e-4 * noise).astype(np.float32)


@pytest.fixture(scope="module")
def model(model_folder: Path) -> SpeakerModel:
    """The tiny model, calibrated for a second against a few: its voices then score from 0.56 on."""
    card = SpeakerModel.open(model_folder).card
    assert card.calibration is not None
    cells = [
        replace(cell, offset=-50 * 0.62) if cell.n_enroll == 1 else cell for cell in card.calibration.cells
    ]
    calibration = replace(card.calibration, cells=tuple(cells))
    encoder = (model_folder / "encoder.onnx").read_bytes()
    return SpeakerModel(model_folder, replace(card, calibration=calibration), encoder)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, model: SpeakerModel) -> Path:
    folder = tmp_path_factory.mktemp("live") / "store"
    with Verifier(folder, model=model) as verifier:
        for name in ("ada", "bert", "cleo"):
            verifier.enroll(name, [say(name, 2.0, seed) for seed in range(3)], sample_rate=RATE)
    return folder


@pytest.fixture
def verifier(store: Path, model: SpeakerModel) -> Verifier:
    """With ada, bert and cleo enrolled by three clips each; nothing is written."""
    return Verifier(store, model=model, read_only=True)


@pytest.fixture
def own(tmp_path: Path, model: SpeakerModel) -> Verifier:
    """With ada enrolled, in a store that may be changed."""
    verifier = Verifier(tmp_path / "own", model=model)
    verifier.enroll("ada", [say("ada", 2.0, seed) for seed in range(3)], sample_rate=RATE)
    return verifier


def listen(
    session: Session, samples: np.ndarray, chunks: Sequence[int] = (), rate: int = RATE
) -> list[Event]:
    events, done = list[Event](), 0
    for length in chunks:
        events += session.feed(samples[done : done + length], sample_rate=rate)
        done += length
    events += session.feed(samples[done:], sample_rate=rate)
    return events + list(session.finish())


def decisions(events: Sequence[Event]) -> list[tuple[str, str | None]]:
    return [(event.answer.decision, event.answer.name) for event in events if isinstance(event, Decided)]


# Answers


def test_a_right_claim_is_accepted_before_the_sentence_ends(verifier: Verifier) -> None:
    session = verifier.session(claim="ada")
    events = session.feed(np.concatenate([silence(0.5), say("ada", 5.0)]))
    assert decisions(events) == [("accepted", "ada")]
    (decided,) = (event for event in events if isinstance(event, Decided))
    assert decided.elapsed < 3.0
    assert session.answer is decided.answer
    assert bool(session.answer)


def test_a_wrong_claim_is_rejected(verifier: Verifier) -> None:
    events = listen(verifier.session(claim="ada"), say("bert", 5.0))
    assert decisions(events) == [("rejected", "ada")]


def test_a_speaker_is_named_among_all_and_among_a_few(verifier: Verifier) -> None:
    assert decisions(listen(verifier.session(), say("cleo", 4.0))) == [("identified", "cleo")]
    assert decisions(listen(verifier.session(among=["ada", "cleo"]), say("cleo", 4.0))) == [
        ("identified", "cleo")
    ]
    for watched in (["bert"], "bert"):
        assert decisions(listen(verifier.session(among=watched), say("cleo", 4.0))) == [("unknown", None)]


def test_where_nobody_is_enrolled_nobody_is_named(tmp_path: Path, own: Verifier) -> None:
    own.remove("ada")
    assert decisions(listen(own.session(), say("ada", 3.0))) == [("unknown", None)]


def test_it_tells_where_speech_begins_and_ends(verifier: Verifier) -> None:
    sound = np.concatenate([silence(1.0), say("ada", 2.0), silence(1.0)])
    events = listen(verifier.session(claim="ada"), sound)
    began = [event for event in events if isinstance(event, SpeechBegan)]
    ended = [event for event in events if isinstance(event, SpeechEnded)]
    assert [event.start for event in began] == [event.start for event in ended]
    assert began[0].start == pytest.approx(1.1, abs=0.25)
    assert ended[-1].stop == pytest.approx(3.0, abs=0.3)
    assert all(event.elapsed >= event.stop for event in ended)


def test_the_score_so_far_is_that_of_verify_on_the_same_samples(verifier: Verifier) -> None:
    sound = np.concatenate([silence(0.5), say("dmitri", 4.0), silence(0.4), say("dmitri", 4.0, seed=8)])
    session = verifier.session(claim="bert", far=1e-9, miss=1e-15, latest=6.0)
    events = [event for event in session.feed(sound) if isinstance(event, Scored | Decided)]
    assert len(events) >= 8
    for event in events:
        answer = verifier.verify("bert", sound[: round(event.elapsed * RATE)], sample_rate=RATE)
        mine = event if isinstance(event, Scored) else event.answer
        assert isinstance(mine, Scored | Verification)
        assert mine.score == pytest.approx(answer.score, abs=1e-6)
        assert mine.llr == pytest.approx(answer.llr, abs=1e-4)
        assert mine.seconds_of_speech == pytest.approx(answer.seconds_of_speech)


def test_the_latest_moment_decides_as_verify_does(verifier: Verifier) -> None:
    sound = say("dmitri", 6.0)
    session = verifier.session(claim="bert", far=0.01, miss=1e-15, latest=2.0)
    events = session.feed(sound)
    decided = next(event for event in events if isinstance(event, Decided))
    whole = verifier.verify("bert", sound[: round(decided.elapsed * RATE)], sample_rate=RATE)
    assert decided.answer.threshold == pytest.approx(whole.threshold)
    assert decided.answer.decision == whole.decision
    assert decided.answer.seconds_of_speech == pytest.approx(2.0, abs=0.04)


def test_the_end_decides_what_is_not_decided(verifier: Verifier) -> None:
    sound = say("ada", 1.5)
    session = verifier.session(claim="ada", far=1e-9)
    session.feed(sound)
    assert session.answer is None
    assert decisions(session.finish()) == [("rejected", "ada")]
    assert session.finished


def test_too_little_speech_has_no_verdict(verifier: Verifier) -> None:
    assert decisions(listen(verifier.session(claim="ada"), silence(3.0))) == [("not_enough_speech", "ada")]
    events = listen(verifier.session(claim="ada"), say("ada", 0.9))
    assert decisions(events) == [("not_enough_speech", "ada")]
    assert decisions(verifier.session().finish()) == [("not_enough_speech", None)]


def test_a_rate_is_not_promised_before_there_is_speech_enough(verifier: Verifier) -> None:
    calibration = verifier.model.card.calibration
    assert calibration is not None
    session = verifier.session(claim="ada", min_speech=0.1)
    (answer,) = [event.answer for event in listen(session, say("ada", 0.6)) if isinstance(event, Decided)]
    assert answer.seconds_of_speech is not None
    assert answer.seconds_of_speech < calibration.seconds[0]
    assert answer.decision == "not_enough_speech"
    assert answer.shortfall is not None
    assert answer.shortfall.needed_seconds == calibration.seconds[0]


def test_a_tuned_store_asks_for_more(own: Verifier) -> None:
    calibration = own.model.card.calibration
    assert calibration is not None
    before = next(e for e in own.session(claim="ada").feed(say("ada", 4.0)) if isinstance(e, Decided)).answer
    tuning = StoreTuning(
        model_id=own.model.id,
        calibration=calibration.fingerprint,
        shift=0.01,
        estimate=0.02,
        low=0.01,
        high=0.03,
        rate=0.01,
        found=0.02,
        misses=0.0,
        misses_tuned=0.0,
        n_people=5,
        n_clips=15,
        left_out=0,
        generation=own.store.generation,
    )
    write_tuning(own.store, tuning)
    after = next(e for e in own.session(claim="ada").feed(say("ada", 4.0)) if isinstance(e, Decided)).answer
    assert isinstance(before, Verification) and isinstance(after, Verification)
    assert after.threshold_source == "store"
    assert before.threshold is not None
    assert after.threshold == pytest.approx(before.threshold + 0.01)
    assert after.score == pytest.approx(before.score)


# Turns


def test_another_speaker_begins_a_turn_with_evidence_of_its_own(verifier: Verifier) -> None:
    sound = np.concatenate([say("ada", 6.0), say("bert", 6.0)])
    events = listen(verifier.session(claim="ada"), sound, [1600] * 110)
    (changed,) = (event for event in events if isinstance(event, SpeakerChanged))
    assert changed.start == pytest.approx(6.0, abs=1.0)
    assert decisions(events) == [("accepted", "ada"), ("rejected", "ada")]
    first, second = decisions(listen(verifier.session(), sound))
    assert first == ("identified", "ada")
    assert second[1] != "ada"


def test_one_speaker_is_one_turn(verifier: Verifier) -> None:
    sound = np.concatenate([part for seed in range(4) for part in (say("ada", 5.0, 20 + seed), silence(1.0))])
    events = listen(verifier.session(), sound)
    assert not any(isinstance(event, SpeakerChanged) for event in events)
    assert decisions(events) == [("identified", "ada")]


# Sound


@pytest.fixture(scope="module")
def conversation() -> np.ndarray:
    return np.concatenate([say("ada", 4.0), silence(0.5), say("bert", 4.0)])


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(0, 30_000), max_size=12))
def test_any_chunks_give_the_same_events(
    verifier: Verifier, conversation: np.ndarray, chunks: list[int]
) -> None:
    assert listen(verifier.session(), conversation, chunks) == listen(verifier.session(), conversation)


@pytest.mark.parametrize("rate", [8_000, 44_100, 192_000])
def test_any_rate_in_any_chunks_is_heard(verifier: Verifier, rate: int) -> None:
    sound = soxr.resample(say("ada", 4.0), RATE, rate)
    integers = (32_767 * sound).clip(-32_768, 32_767).astype(np.int16)
    whole = listen(verifier.session(claim="ada", far=0.3), integers, rate=rate)
    parts = listen(verifier.session(claim="ada", far=0.3), integers, [rate // 10] * 30, rate=rate)
    assert parts == whole
    if rate > RATE:  # a telephone's band is another voice to the tiny model
        assert decisions(whole) == [("accepted", "ada")]


def test_integers_are_scaled(verifier: Verifier) -> None:
    sound = say("ada", 3.0)
    integers = np.round(32_767 * sound).astype(np.int16)
    floats = integers.astype(np.float32) / 32_768
    assert listen(verifier.session(claim="ada"), integers) == listen(verifier.session(claim="ada"), floats)


def test_what_cannot_be_used_is_not_taken(verifier: Verifier) -> None:
    session, sound = verifier.session(claim="ada"), say("ada", 3.0)
    events = list(session.feed(sound[:20_000]))
    spoilt = sound[20_000:30_000].copy()
    spoilt[77] = np.nan
    with pytest.raises(AudioError, match="NaN"):
        session.feed(spoilt)
    with pytest.raises(AudioError, match=r"shape \(4, 2\)"):
        session.feed(np.zeros((4, 2), dtype=np.float32))
    events += session.feed(sound[20_000:])
    assert [*events, *session.finish()] == listen(verifier.session(claim="ada"), sound)


def test_several_threads_may_feed(verifier: Verifier) -> None:
    session = verifier.session(claim="ada")
    threads = [
        threading.Thread(target=lambda: [session.feed(say("ada", 2.0)[:8000]) for _ in range(4)])
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert session.finish()[-1].elapsed == 8.0


# Refusals


def test_who_is_not_enrolled_is_refused_at_once(verifier: Verifier) -> None:
    with pytest.raises(SpeakerNotFoundError, match="edda"):
        verifier.session(claim="edda")
    with pytest.raises(SpeakerNotFoundError, match="edda"):
        verifier.session(among=["ada", "edda"])


def test_who_opted_out_or_has_expired_is_not_listened_to(own: Verifier) -> None:
    consent = Consent(by="ada", purpose="tests", given=datetime.now(UTC) - timedelta(days=2))
    own.set_terms("ada", consent=consent, expires=datetime.now(UTC) - timedelta(days=1))
    session = own.session(claim="ada")
    assert decisions(session.feed(say("ada", 3.0))) == [("expired", "ada")]
    assert session.feed(say("ada", 3.0)) == session.finish() == ()
    own.opt_out("ada")
    assert decisions(own.session(claim="ada").finish()) == [("opted_out", "ada")]


def test_what_changes_meanwhile_counts(own: Verifier) -> None:
    expiring, removed = own.session(claim="ada"), own.session(claim="ada")
    for session in (expiring, removed):
        session.feed(silence(1.0))
    own.set_terms("ada", consent=None, expires=datetime.now(UTC) - timedelta(seconds=1))
    assert decisions(expiring.feed(say("ada", 3.0))) == [("expired", "ada")]
    own.remove("ada")
    with pytest.raises(SpeakerNotFoundError):
        removed.feed(say("ada", 3.0))
    assert removed.finished
    with pytest.raises(ArgumentError, match="finished"):
        removed.feed(say("ada", 1.0))


def test_without_a_calibration_there_is_no_session(own: Verifier, model_folder: Path) -> None:
    card = replace(own.model.card, calibration=None)
    model = SpeakerModel(model_folder, card, (model_folder / "encoder.onnx").read_bytes())
    with pytest.raises(NotCalibratedError):
        Verifier(own.store_path, model=model, read_only=True).session(claim="ada")


@pytest.mark.parametrize(
    ("begin", "argument"),
    [
        (lambda verifier: verifier.session(claim="ada", among=["bert"]), "claim"),
        (lambda verifier: verifier.session(far=0.9), "far"),
        (lambda verifier: verifier.session(miss=0.0), "miss"),
        (lambda verifier: verifier.session(latest=31.0), "latest"),
        (lambda verifier: verifier.session(latest=0.5), "latest"),
        (lambda verifier: verifier.session(min_speech=0.0), "min_speech"),
    ],
)
def test_arguments_out_of_range_are_refused(
    verifier: Verifier, begin: Callable[[Verifier], Session], argument: str
) -> None:
    with pytest.raises(ArgumentError, match=argument):
        begin(verifier)


def test_a_session_has_one_rate_and_one_end(verifier: Verifier) -> None:
    session = verifier.session()
    with pytest.raises(ArgumentError, match="sample_rate"):
        session.feed(silence(0.1), sample_rate=None)  # type: ignore[arg-type]
    with pytest.raises(AudioError, match="4000 Hz"):
        session.feed(silence(0.1), sample_rate=4_000)
    session.feed(silence(0.1), sample_rate=8_000)
    with pytest.raises(ArgumentError, match="8000, as before"):
        session.feed(silence(0.1))
    session.finish()
    with pytest.raises(ArgumentError, match="finished"):
        session.finish()
