"""Consent, expiry and opting out, honoured by every kind of store."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from store_voices import DIM, MODEL, clips, open_store, vector

from voiceprint.errors import (
    EnrollmentError,
    SpeakerExpiredError,
    SpeakerNotFoundError,
    SpeakerOptedOutError,
)
from voiceprint.store import Consent, EnrollmentStore, read_export, write_export

AGREED = Consent(by="ada", purpose="telephone banking", given=datetime(2026, 1, 31, tzinfo=UTC))
LATER = datetime.now(UTC) + timedelta(days=365)
EARLIER = datetime.now(UTC) - timedelta(seconds=1)

NewPlace = Callable[[], str]


@pytest.fixture
def store(place: str) -> Iterator[EnrollmentStore]:
    with open_store(place) as opened:
        yield opened


def test_consent_is_kept_beside_the_voiceprint(store: EnrollmentStore) -> None:
    store.add("ada", clips(1), consent=AGREED, expires=LATER)
    ada = store.get("ada")
    assert (ada.consent, ada.expires, ada.expired) == (AGREED, LATER, False)
    assert store.add("bert", clips(2)).consent is None


def test_adding_and_replacing_keep_what_was_agreed_unless_it_is_said_anew(store: EnrollmentStore) -> None:
    store.add("ada", clips(1, 1), consent=AGREED)
    added = store.add("ada", clips(1, 2), mode="add", expires=LATER)
    assert (added.consent, added.expires) == (AGREED, LATER)
    replaced = store.add("ada", clips(1, 3), mode="replace")
    assert (replaced.consent, replaced.expires) == (AGREED, LATER)


def test_an_expired_voiceprint_is_neither_found_nor_extended(store: EnrollmentStore) -> None:
    store.add("ada", clips(1))
    store.add("bert", clips(2))
    store.set_terms("ada", consent=AGREED, expires=EARLIER)
    assert store.get("ada").expired
    store.set_terms("bert", consent=None, expires=EARLIER)
    assert store.search(vector(1, 0), top=1) == []
    store.set_terms("bert", consent=None, expires=None)
    assert [hit.name for hit in store.search(vector(1, 0), top=1)] == ["bert"]
    for mode in ("add", "replace"):
        with pytest.raises(SpeakerExpiredError, match="ended on"):
            store.add("ada", clips(1, 5), mode=mode)  # type: ignore[arg-type]
    assert store.get("ada").n_utterances == 2
    assert not store.add("ada", clips(1, 5), mode="add", expires=LATER).expired
    assert store.search(vector(1, 0), top=1)[0].name == "ada"


def test_what_has_expired_already_cannot_be_enrolled(store: EnrollmentStore) -> None:
    with pytest.raises(SpeakerExpiredError):
        store.add("ada", clips(1), expires=EARLIER)
    assert store.names() == []


def test_expired_voiceprints_are_removed_together(store: EnrollmentStore) -> None:
    for number, name in enumerate(("ada", "bert", "cleo")):
        store.add(name, clips(number), expires=LATER)
    for name in ("ada", "cleo"):
        store.set_terms(name, consent=None, expires=EARLIER)
    assert store.remove_expired() == ["ada", "cleo"]
    assert store.remove_expired() == []
    assert store.names() == ["bert"]


def test_opting_out_erases_and_refuses_until_opting_in(store: EnrollmentStore) -> None:
    store.add("ada", clips(1))
    store.add("bert", clips(2))
    store.opt_out(" ada ")
    store.opt_out("ada")
    assert (store.names(), store.opt_outs()) == (["bert"], ["ada"])
    assert store.opted_out("ada") is not None
    assert store.opted_out("bert") is None
    with pytest.raises(SpeakerOptedOutError, match="opted out on"):
        store.add("ada", clips(1))
    with pytest.raises(SpeakerOptedOutError):
        store.rename("bert", "ada")
    store.opt_in("ada")
    assert store.add("ada", clips(1)).name == "ada"
    with pytest.raises(SpeakerNotFoundError, match="has opted out"):
        store.opt_in("ada")


def test_somebody_who_opted_out_cannot_be_imported(store: EnrollmentStore, new_place: NewPlace) -> None:
    with open_store(new_place()) as other:
        other.add("ada", clips(1))
        other.add("bert", clips(2))
        records = list(other.export_records())
    store.opt_out("ada")
    with pytest.raises(SpeakerOptedOutError):
        store.import_records(records, model_id=MODEL, dim=DIM)
    report = store.import_records(records, model_id=MODEL, dim=DIM, mode="skip")
    assert (report.added, report.skipped) == (("bert",), ("ada",))


@pytest.mark.parametrize("suffix", [".json", ".npz"])
def test_consent_and_expiry_travel_with_an_export(
    store: EnrollmentStore, tmp_path: Path, new_place: NewPlace, suffix: str
) -> None:
    store.add("ada", clips(1), consent=AGREED, expires=LATER)
    path = tmp_path / f"export{suffix}"
    write_export(path, store.export_records(), model_id=MODEL, dim=DIM)
    (record,) = read_export(path).records
    assert (record.consent, record.expires) == (AGREED, LATER)
    with open_store(new_place()) as other:
        other.import_records([record], model_id=MODEL, dim=DIM)
        assert (other.get("ada").consent, other.get("ada").expires) == (AGREED, LATER)


def test_an_expiry_without_a_zone_is_refused(store: EnrollmentStore) -> None:
    with pytest.raises(EnrollmentError, match="without its zone"):
        store.add("ada", clips(1), expires=datetime(2030, 1, 1))
