"""Which names a store takes, and what they become, in every kind of store."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest
from store_voices import DIM, MODEL, clips, vector

from voiceprint.errors import InvalidNameError
from voiceprint.store import EnrollmentStore, normalize_name


@pytest.mark.parametrize(
    "name",
    [
        "a",
        "Ada/../../etc/passwd",
        "C:\\ada",
        "名前\u3000太郎",
        "🧑\u200d🚀",
        "می\u200cخواهم",
        "'; DROP TABLE",
        ".",
        "é" * 200,
        "%",
    ],
)
def test_any_printable_name_is_a_name(store: EnrollmentStore, name: str) -> None:
    store.add(name, clips(1))
    assert store.names() == [name]
    assert store.get(name).name == store.search(vector(1, 0), top=1)[0].name == name


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "empty"),
        (" \t ", "empty"),
        ("\u200d", "empty"),
        ("a" * 201, "201 characters; use at most 200"),
        ("a\nb", r"U\+000A at position 2"),
        ("a\x00", r"U\+0000"),
        ("\x1b[31m", r"U\+001B at position 1"),
        ("a\u202eb", r"U\+202E"),
        ("\ud800", r"U\+D800"),
        ("a\uffff", r"U\+FFFF"),
    ],
)
def test_any_other_name_is_refused(store: EnrollmentStore, name: str, message: str) -> None:
    with pytest.raises(InvalidNameError, match=message) as caught:
        store.add(name, clips(1))
    assert caught.value.name == name
    str(caught.value).encode()  # it can be printed


@pytest.mark.parametrize(
    "name",
    ["unknown", "not enough speech", "not_enough_speech", " Unknown ", "Not  Enough Speech", "unk\u200cnown"],
)
def test_a_new_name_that_reads_like_an_answer_is_refused(store: EnrollmentStore, name: str) -> None:
    store.add("ada", clips(1))
    changes: list[Callable[[], object]] = [
        lambda: store.add(name, clips(2)),
        lambda: store.add(name, clips(2), mode="replace"),
        lambda: store.rename("ada", name),
    ]
    for refused in changes:
        with pytest.raises(InvalidNameError, match="is what is answered where nobody is named"):
            refused()
    assert store.names() == ["ada"]


def test_an_import_takes_such_a_name_as_it_is_and_the_person_can_be_renamed(store: EnrollmentStore) -> None:
    store.add("ada", clips(1))
    (ada,) = store.export_records()
    store.import_records([dataclasses.replace(ada, name="unknown")], model_id=MODEL, dim=DIM)
    store.add("unknown", clips(2), mode="add")
    store.rename("unknown", "bert")
    assert store.names() == ["ada", "bert"]


def test_a_name_is_the_same_however_it_is_composed(store: EnrollmentStore) -> None:
    store.add("Zoe\u0308 ", clips(1))
    assert store.names() == ["Zo\u00eb"] == [normalize_name("\u00a0Zo\u00eb")]
    assert "Zoe\u0308" in store
    assert "zo\u00eb" not in store


def test_names_are_in_order_of_code_points(store: EnrollmentStore) -> None:
    for number, name in enumerate(["b", "ä", "a", "B"]):
        store.add(name, clips(number))
    assert store.names() == ["B", "a", "b", "ä"]
    assert len(store) == 4
