"""Consent, expiry and opting out, honoured by every kind of store."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from store_voices import DIM, MODEL, clips, open_store, vector

from voiceprint.errors import (
    ConsentRequiredError,
    EnrollmentError,
    SpeakerExistsError,
    SpeakerExpiredError,
    SpeakerNotFoundError,
    SpeakerOptedOutError,
)
from voiceprint.store import Consent, EnrollmentStore, read_export, write_export

AGREED = Consent(by="ada", purpose="telephone banking", given=datetime(2026, 1, 31, tzinfo=UTC))
LATER = datetime.now(UTC) + timedelta(days=365)
EARLIER = datetime.now(UTC) - timedelta(seconds=1)

NewPlace = Callable[[], str]


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
            store.add("ada", clips(1, 5), mode=mode)
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
    assert (store.names(), list(store.opt_outs())) == (["bert"], ["ada"])
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


# consent that the store requires


def test_a_store_that_requires_consent_takes_nobody_without_it(place: str, store: EnrollmentStore) -> None:
    store.add("bert", clips(2))
    assert not store.requires_consent
    store.require_consent()
    with open_store(place) as other:
        assert other.requires_consent
        with pytest.raises(ConsentRequiredError, match="none of 'ada' is noted") as caught:
            other.add("ada", clips(1))
        assert caught.value.name == "ada"
        with pytest.raises(ConsentRequiredError):
            other.add("bert", clips(2, 3), mode="add")
        other.add("ada", clips(1), consent=AGREED)
        assert other.add("ada", clips(1, 3), mode="add").n_utterances == 3
        with pytest.raises(ConsentRequiredError):
            other.set_terms("ada", consent=None, expires=None)
        assert (other.get("ada").consent, other.get("bert").n_utterances) == (AGREED, 2)
    store.require_consent(False)
    store.add("cleo", clips(3))


def test_an_import_obeys_the_switch_whole(new_place: NewPlace) -> None:
    with open_store(new_place()) as source, open_store(new_place()) as target:
        source.add("ada", clips(1), consent=AGREED)
        source.add("bert", clips(2))
        target.require_consent()
        with pytest.raises(ConsentRequiredError, match="'bert'"):
            target.import_records(source.export_records(), model_id=MODEL, dim=DIM)
        assert target.names() == []
        target.import_records(source.export_records(["ada"]), model_id=MODEL, dim=DIM)
        assert target.get("ada").consent == AGREED


# what faces keep about a person


def test_what_is_kept_about_a_person_is_given_back_until_its_time(store: EnrollmentStore) -> None:
    store.add("ada", clips(1))
    store.add("bert", clips(2))
    assert store.keep("ada", "key", b"answer", until=LATER)
    assert store.keep("ada", "key", b"newer", until=LATER)
    assert store.keep("ada", "other", b"over", until=EARLIER)
    assert (store.keepsake("ada", "key"), store.keepsake("ada", "other")) == (b"newer", None)
    assert (store.keepsake("bert", "key"), store.keepsake("nobody", "key")) == (None, None)
    assert store.sweep_keepsakes() == 1
    assert not store.keep("nobody", "key", b"answer", until=LATER)
    assert (store.sweep_keepsakes(), store.keepsake("ada", "key")) == (0, b"newer")


ERASING = {
    "remove": lambda store: store.remove("ada"),
    "opt out": lambda store: store.opt_out("ada"),
    "rename": lambda store: store.rename("ada", "eda"),
    "terms": lambda store: store.set_terms("ada", consent=AGREED, expires=LATER),
    "notes": lambda store: store.add("ada", clips(1, 4), mode="add", notes="other notes"),
    "replace": lambda store: store.add("ada", clips(9), mode="replace"),
    "expiry": lambda store: store.set_terms("ada", consent=None, expires=EARLIER) and store.remove_expired(),
}


@pytest.mark.parametrize("erasing", ERASING)
def test_whatever_erases_of_a_person_forgets_what_is_kept(store: EnrollmentStore, erasing: str) -> None:
    store.add("ada", clips(1))
    store.keep("ada", "key", b"answer", until=LATER)
    ERASING[erasing](store)
    assert [store.keepsake(name, "key") for name in ("ada", "eda")] == [None, None]
    if "ada" not in store and erasing != "opt out":
        store.add("ada", clips(1))
        assert store.keepsake("ada", "key") is None


@pytest.mark.parametrize("change", ["terms", "opt out", "opt in", "switch"])
def test_every_change_raises_the_generation(store: EnrollmentStore, change: str) -> None:
    store.add("ada", clips(1))
    store.opt_out("bert")
    before = store.generation
    changes: dict[str, Callable[[], object]] = {
        "terms": lambda: store.set_terms("ada", consent=AGREED, expires=None),
        "opt out": lambda: store.opt_out("cleo"),
        "opt in": lambda: store.opt_in("bert"),
        "switch": store.require_consent,
    }
    changes[change]()
    assert store.generation > before
    assert store.search(vector(1, 0), top=1)[0].name == "ada"


@pytest.mark.parametrize("suffix", [".json", ".npz"])
def test_opt_outs_travel_with_an_export(
    store: EnrollmentStore, tmp_path: Path, new_place: NewPlace, suffix: str
) -> None:
    store.add("ada", clips(1))
    store.opt_out("bert", since=LATER)
    path = tmp_path / f"export{suffix}"
    write_export(path, store.export_records(), model_id=MODEL, dim=DIM, opt_outs=store.opt_outs())
    exported = read_export(path)
    with open_store(new_place()) as other:
        other.add("bert", clips(2))
        before = other.generation
        report = other.import_records(exported.records, model_id=MODEL, dim=DIM, opt_outs=exported.opt_outs)
        assert (report.added, report.opted_out) == (("ada",), ("bert",))
        assert other.opt_outs() == {"bert": LATER}
        assert (other.names(), other.generation > before) == (["ada"], True)
        with pytest.raises(SpeakerOptedOutError):
            other.add("bert", clips(2))
        again = other.import_records((), model_id=MODEL, dim=DIM, opt_outs=exported.opt_outs)
        assert again.opted_out == ()


def test_an_import_that_is_refused_opts_nobody_out(store: EnrollmentStore, new_place: NewPlace) -> None:
    with open_store(new_place()) as other:
        other.add("ada", clips(1))
        records = list(other.export_records())
    store.add("ada", clips(3))
    store.add("bert", clips(2))
    with pytest.raises(SpeakerExistsError):
        store.import_records(records, model_id=MODEL, dim=DIM, opt_outs={"bert": LATER})
    assert (store.names(), store.opt_outs()) == (["ada", "bert"], {})
