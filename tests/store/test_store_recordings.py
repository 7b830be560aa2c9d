"""By which recordings people are known again, in both kinds of store: remembered, moved along, erased."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from store_voices import DIM, MODEL, clip, clips, open_store

from voiceprint.errors import EnrollmentError
from voiceprint.store import (
    AcceptedRecording,
    EnrolledUtterance,
    EnrollmentStore,
    SeenRecording,
    copy_store,
    read_export,
    write_export,
)
from voiceprint.store.seen import MOST_ACCEPTED, MOST_BYTES

START = datetime(2026, 1, 1, tzinfo=UTC)


def fingerprint(seed: int, patches: int = 50) -> bytes:
    """Made-up signs in the form of a fingerprint."""
    return struct.pack("<II", 0, patches) + np.random.default_rng(seed).bytes(3 * patches)


def known(*keys: int) -> list[EnrolledUtterance]:
    return [replace(clip(1, key), fingerprint=fingerprint(key)) for key in keys]


def accepted(number: int, patches: int = 50) -> AcceptedRecording:
    at = START + timedelta(minutes=number)
    return AcceptedRecording(at=at, sha256=f"{number:064x}", fingerprint=fingerprint(100 + number, patches))


def facts(seen: Sequence[SeenRecording]) -> list[tuple[str, str, bytes]]:
    return [(each.kind, each.sha256, each.fingerprint) for each in seen]


def test_recordings_stay_with_a_person_until_they_go(store: EnrollmentStore, place: str) -> None:
    store.add("ada", known(1, 2))
    store.add("bert", clips(3))
    store.note_accepted("ada", recordings=[accepted(1)])
    store.note_accepted("nobody", recordings=[accepted(1)])
    enrolled = [("enrolled", each.clip_sha256, each.fingerprint) for each in known(1, 2, 4)]
    heard = ("accepted", accepted(1).sha256, accepted(1).fingerprint)
    with open_store(place, read_only=True) as reader:
        assert facts(reader.seen("ada")) == [*enrolled[:2], heard]
        assert [each.fingerprint for each in reader.seen("bert")] == [b"", b""]
        assert reader.seen("nobody") == ()
    store.rename("ada", "Ada")
    store.set_terms("Ada", consent=None, expires=datetime(2090, 1, 1, tzinfo=UTC))
    store.add("Ada", known(4), mode="add")
    assert facts(store.seen("Ada")) == [*enrolled, heard]
    store.add("Ada", known(4), mode="replace")
    assert facts(store.seen("Ada")) == [enrolled[2], heard]
    assert store.problems() == []
    store.remove("Ada")
    store.add("Ada", clips(1))
    assert facts(store.seen("Ada")) == [("enrolled", each.clip_sha256, b"") for each in clips(1)]


def test_so_many_accepted_recordings_are_remembered_and_no_more(store: EnrollmentStore) -> None:
    store.add("ada", known(1))
    for number in range(MOST_ACCEPTED + 2):
        store.note_accepted("ada", recordings=[accepted(number, patches=10)])
    _, *heard = store.seen("ada")
    assert [each.sha256 for each in heard] == [accepted(n).sha256 for n in range(2, MOST_ACCEPTED + 2)]
    long = MOST_BYTES // 9  # patches of 3 bytes: three of them are as much as is remembered
    store.note_accepted("ada", recordings=[accepted(200 + n, patches=long) for n in range(4)])
    assert [each.sha256 for each in store.seen("ada")[1:]] == [accepted(202).sha256, accepted(203).sha256]
    store.note_accepted("ada", recordings=[accepted(300, patches=MOST_BYTES)])  # too long, but the newest
    assert [each.sha256 for each in store.seen("ada")[1:]] == [accepted(300).sha256]


def test_of_two_that_accept_at_once_the_second_sees_the_first(store: EnrollmentStore, place: str) -> None:
    store.add("ada", known(1))
    before = store.seen("ada")
    with open_store(place) as other:
        other.note_accepted("ada", recordings=[accepted(1)])
    asked: list[SeenRecording] = []

    def seen_before(later: Sequence[SeenRecording]) -> str:
        asked.extend(later)
        return "seen"

    found = store.note_accepted(
        "ada", llr=5.0, recordings=[accepted(2)], known=before, seen_before=seen_before
    )
    assert found == "seen"
    assert [each.sha256 for each in asked] == [accepted(1).sha256]
    assert [each.kind for each in store.seen("ada")] == ["enrolled", "accepted"]
    assert store.get("ada").claims is None
    assert store.note_accepted("ada", recordings=[accepted(2)], known=store.seen("ada")) is None
    assert len(store.seen("ada")) == 3


def test_a_copy_knows_the_same_recordings(store: EnrollmentStore, new_place: Callable[[], str]) -> None:
    store.add("ada", known(1, 2))
    store.note_accepted("ada", recordings=[accepted(1)])
    with open_store(new_place()) as target:
        copy_store(store, target)
        assert facts(target.seen("ada")) == facts(store.seen("ada"))
        assert copy_store(store, target).present == 1


@pytest.mark.parametrize("suffix", [".json", ".npz"])
def test_an_export_knows_what_was_enrolled(store: EnrollmentStore, tmp_path: Path, suffix: str) -> None:
    store.add("ada", [*known(1), clip(1, 2)])
    store.note_accepted("ada", recordings=[accepted(1)])
    file = tmp_path / f"people{suffix}"
    write_export(file, store.export_records(), model_id=MODEL, dim=DIM)
    (record,) = read_export(file).records
    assert [each.fingerprint for each in record.utterances] == [fingerprint(1), b""]
    assert record.accepted == ()


@pytest.mark.parametrize("wrong", [b"x", fingerprint(1)[:-1], struct.pack("<II", 0, 0), "text"])
def test_what_is_no_fingerprint_is_not_stored(store: EnrollmentStore, wrong: object) -> None:
    with pytest.raises(EnrollmentError, match="fingerprint"):
        store.add("ada", [replace(clip(1), fingerprint=wrong)])  # type: ignore[arg-type]
