"""Sums over accepted claims, in both kinds of store: kept, moved along, and erased with the person."""

from __future__ import annotations

from store_voices import clips, open_store

from voiceprint.store import EnrollmentStore
from voiceprint.store.copying import copy_store


def test_claims_last_until_the_person_goes(store: EnrollmentStore, place: str) -> None:
    store.add("ada", clips(1, 2))
    store.add("bert", clips(3))
    assert store.get("ada").claims is None
    store.note_accepted("ada", llr=7.5)
    store.note_accepted("ada", llr=8.5)  # within a minute
    store.note_accepted("nobody", llr=8.5)
    with open_store(place, read_only=True) as reader:
        claims = reader.get("ada").claims
        assert claims is not None and (claims.weight, claims.mean) == (1.0, 7.5)
        assert [person.claims for person in reader.everybody()] == [claims, None]
    store.rename("ada", "Ada")
    assert store.get("Ada").claims == claims
    store.add("Ada", clips(4), mode="add")
    assert store.get("Ada").claims is None
    store.note_accepted("Ada", llr=7.5)
    assert store.get("Ada").claims is not None
    store.remove("Ada")
    store.add("Ada", clips(1, 2))
    assert store.get("Ada").claims is None
    assert store.problems() == []


def test_a_copy_has_the_same_sums(store: EnrollmentStore, new_place: object) -> None:
    store.add("ada", clips(1, 2))
    store.note_accepted("ada", llr=7.5)
    claims = store.get("ada").claims
    with open_store(new_place()) as target:  # type: ignore[operator]
        copy_store(store, target)
        assert target.get("ada").claims == claims
