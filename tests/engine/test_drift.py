"""Recent accepted claims beside what enrollment promised."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from voiceprint import StoreError, Verifier
from voiceprint.engine.drift import measure_drift, promised_llr
from voiceprint.store.accepted import AcceptedClaims

START = datetime(2026, 1, 1, tzinfo=UTC)


def claims_of(*llrs: float) -> AcceptedClaims:
    claims = None
    for day, llr in enumerate(llrs):
        claims = AcceptedClaims.after(claims, llr, START + timedelta(days=day)) or claims
    assert claims is not None
    return claims


@pytest.fixture
def verifier(tmp_path: Path, model_folder: Path, people: Path) -> Iterator[Verifier]:
    with Verifier(tmp_path / "store", model=model_folder) as opened:
        opened.enroll("ada", [people / "ada" / f"{number}.wav" for number in range(3)])
        yield opened


def test_the_sums_are_bounded_and_forget() -> None:
    claims = claims_of(*[50.0] * 300, *[1.0] * 300)
    assert claims.weight == pytest.approx(20.0, abs=1e-3)
    assert claims.mean == pytest.approx(1.0, abs=1e-3)
    assert claims.standard_error == pytest.approx(0.0, abs=0.05)


def test_claims_within_a_minute_count_once_and_a_clock_that_was_set_back_does_not_stop_them() -> None:
    first = claims_of(5.0)
    assert AcceptedClaims.after(first, 9.0, START + timedelta(seconds=59)) is None
    assert AcceptedClaims.after(first, 9.0, START + timedelta(seconds=60)) is not None
    assert AcceptedClaims.after(first, 9.0, START - timedelta(days=1)) is not None
    assert AcceptedClaims.after(first, float("inf"), START + timedelta(days=1)) is None


def test_an_accepted_claim_is_counted_and_a_rejected_one_is_not(verifier: Verifier, people: Path) -> None:
    assert verifier.drift("ada") is None
    assert not verifier.verify("ada", people / "bert" / "3.wav")
    assert verifier.drift("ada") is None
    answer = verifier.verify("ada", people / "ada" / "3.wav")
    assert answer.accepted
    drift = verifier.drift("ada")
    assert drift is not None
    assert answer.llr is not None
    assert drift.claims == 1.0
    assert drift.recent == pytest.approx(answer.llr)
    assert (drift.drifted, drift.advice) == (False, "")
    verifier.verify("ada", people / "ada" / "4.wav")  # in the same minute
    again = verifier.drift("ada")
    assert again is not None and again.claims == 1.0


def test_a_claim_at_a_given_threshold_is_not_counted(verifier: Verifier, people: Path) -> None:
    assert verifier.verify("ada", people / "bert" / "3.wav", threshold=-1.0)
    assert verifier.drift("ada") is None


def test_a_session_counts_as_verify_does(
    verifier: Verifier, voice: Callable[..., NDArray[np.float32]]
) -> None:
    session = verifier.session(claim="ada")
    session.feed(voice("ada", 90, 8.0))
    session.finish()
    assert session.answer is not None and session.answer.decision == "accepted"
    assert verifier.drift("ada") is not None


def test_a_store_that_is_only_read_is_not_written(
    verifier: Verifier, people: Path, model_folder: Path
) -> None:
    with Verifier(verifier.store_path, model=model_folder, read_only=True) as reader:
        assert reader.verify("ada", people / "ada" / "3.wav")
        assert reader.drift("ada") is None


def test_advice_comes_when_recent_claims_fall_below_the_promise(verifier: Verifier) -> None:
    clips, decider = verifier.store.utterances("ada"), verifier.decider
    promised = promised_llr(clips, decider=decider)
    assert promised is not None
    low = measure_drift(claims_of(*[promised - 3.0, promised - 2.0] * 5), clips, decider=decider)
    assert low is not None and low.drifted and "enroll again" in low.advice
    for llrs in (
        [promised - 0.6] * 10,
        [promised - 3.0] * 3,
        [promised + 2.0] * 10,
    ):  # too near, too few, above
        well = measure_drift(claims_of(*llrs), clips, decider=decider)
        assert well is not None and not well.drifted
    noisy = [promised - 1.0 + sign * 8.0 for sign in (-1, 1) * 6]
    unsure = measure_drift(claims_of(*noisy), clips, decider=decider)
    assert unsure is not None and not unsure.drifted
    alone = measure_drift(claims_of(*[-9.0] * 10), clips[:1], decider=decider)
    assert alone is not None and (alone.promised, alone.drifted) == (None, False)


def test_the_sums_begin_anew_with_other_clips_and_stay_with_another_name(
    verifier: Verifier, people: Path
) -> None:
    verifier.verify("ada", people / "ada" / "3.wav")
    verifier.rename("ada", "Ada")
    verifier.set_terms("Ada", consent=None, expires=datetime(2090, 1, 1, tzinfo=UTC))
    assert verifier.drift("Ada") is not None
    verifier.enroll("Ada", people / "ada" / "4.wav", mode="add")
    assert verifier.drift("Ada") is None


def test_counting_changes_nothing_else(verifier: Verifier, people: Path) -> None:
    before, generation = verifier.show("ada"), verifier.store.generation
    stats = verifier.store.stats()
    verifier.verify("ada", people / "ada" / "3.wav")
    after = verifier.show("ada")
    assert after.claims is not None
    assert (after.updated, after.created, after.notes) == (before.updated, before.created, before.notes)
    assert np.array_equal(after.centroid, before.centroid)
    assert verifier.store.generation == generation
    assert replace(verifier.store.stats(), bytes_on_disk=0) == replace(stats, bytes_on_disk=0)
    assert verifier.store.problems() == []
    assert verifier.identify(people / "ada" / "4.wav").name == "ada"


def test_a_claim_that_cannot_be_counted_gets_its_verdict(
    verifier: Verifier, people: Path, model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voiceprint.store.recordings.COUNT_SECONDS", 0.01)
    with Verifier(verifier.store_path, model=model_folder) as other:
        with other.store._backend.writing():
            assert verifier.verify("ada", people / "ada" / "3.wav", allow_replay=True)
            with pytest.raises(StoreError):
                verifier.store.note_accepted("ada", llr=9.0)
        assert verifier.drift("ada") is None
        verifier.store.note_accepted("ada", llr=9.0)
        verifier.store.note_accepted("nobody", llr=9.0)
        assert verifier.drift("ada") is not None
