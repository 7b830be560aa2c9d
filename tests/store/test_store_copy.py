"""Copying a store to another place or kind: everything arrives, and an interrupted copy goes on."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from store_voices import clip, clips, open_store, vector
from typer.testing import CliRunner

from voiceprint.cli import app
from voiceprint.errors import ModelMismatchError, SpeakerExistsError, StoreError
from voiceprint.store import Consent, EnrollmentStore, copy_store, copying

AGREED = Consent(by="ada", purpose="calls", given=datetime(2026, 1, 31, 12, 0, 0, 5, tzinfo=UTC))
LATER = datetime.now(UTC) + timedelta(days=365)

NewPlace = Callable[..., str]


@pytest.fixture
def source(tmp_path: Path) -> str:
    """A folder with six people; somebody else does not want to be enrolled."""
    place = str(tmp_path / "source")
    with open_store(place) as store:
        store.add("ada", clips(1, 3), notes="two\nlines", consent=AGREED, expires=LATER)
        store.add("Zo\u00eb \U0001f680", [clip(2, 0, source="caf\u00e9.wav")])
        for person in range(3, 7):
            store.add(f"person {person}", clips(person))
        store.opt_out("nobody")
    return place


def copied(source: str, target: str, **options: object) -> copying.CopyReport:
    with EnrollmentStore.open(source, read_only=True) as read, EnrollmentStore.open(target) as written:
        return copy_store(read, written, **options)  # type: ignore[arg-type]


def everything(place: str) -> list[object]:
    with EnrollmentStore.open(place, read_only=True) as store:
        records = [copying._digest(record) for record in store.export_records()]
        return [records, store.opt_outs(), [store.opted_out(name) for name in store.opt_outs()]]


def test_a_copy_and_the_copy_of_it_hold_what_the_source_holds(
    source: str, place: str, tmp_path: Path
) -> None:
    there = copied(source, place)
    assert (there.copied, there.present, there.opted_out, there.total) == (6, 0, (), 6)
    back = copied(place, str(tmp_path / "back"))
    assert back.checksum == there.checksum
    assert everything(source) == everything(place) == everything(str(tmp_path / "back"))
    with open_store(place) as store:
        assert (store.get("ada").consent, store.get("ada").expires) == (AGREED, LATER)
        assert store.search(vector(4, 0), top=1)[0].name == "person 4"
        assert store.problems() == []


def test_an_interrupted_copy_goes_on_where_it_stopped(
    source: str, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copying, "_BATCH", 2)

    def interrupt(done: int, of: int) -> None:
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        copied(source, place, progress=interrupt)
    with open_store(place) as store:
        assert len(store) == 4
    again = copied(source, place)
    assert (again.copied, again.present) == (2, 4)
    assert copied(source, place).present == 6
    assert everything(source) == everything(place)


def test_people_in_the_way_are_refused_or_replaced(source: str, place: str) -> None:
    with open_store(place) as store:
        store.add("ada", [clip(1, 9)], notes="somebody else")
        store.add("only here", clips(20))
    with pytest.raises(
        SpeakerExistsError, match=r"'ada' is enrolled in .* with another voiceprint; choose to replace"
    ):
        copied(source, place)
    assert copied(source, place, replace=True).copied == 6
    with open_store(place) as store:
        assert (store.get("ada").notes, store.get("ada").n_utterances) == ("two\nlines", 3)
        assert "only here" in store


def test_whoever_opted_out_is_not_copied_and_not_kept(source: str, place: str) -> None:
    with open_store(place) as store:
        store.add("nobody", clips(30))
        store.opt_out("ada")
    report = copied(source, place)
    assert (report.copied, report.opted_out) == (5, ("ada",))
    with open_store(place) as store:
        assert list(store.opt_outs()) == ["ada", "nobody"]
        assert "nobody" not in store


def test_another_model_is_refused(source: str, place: str) -> None:
    with open_store(place, model_id="b" * 64) as store:
        store.add("bert", clips(40))
    with pytest.raises(ModelMismatchError):
        copied(source, place)


def test_a_source_that_changes_meanwhile_is_told(source: str, place: str) -> None:
    def change(done: int, of: int) -> None:
        with open_store(source) as store:
            store.add("late", clips(50))

    with pytest.raises(StoreError, match="was changed while it was copied; copy again"):
        copied(source, place, progress=change)
    assert copied(source, place).copied == 1


def test_a_target_that_does_not_hold_what_it_was_given_is_told(
    source: str, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = EnrollmentStore.import_records

    def lose_one(store: EnrollmentStore, records: list[object], **rest: object) -> object:
        return given(store, records[1:], **rest)  # type: ignore[arg-type]

    monkeypatch.setattr(EnrollmentStore, "import_records", lose_one)
    with pytest.raises(StoreError, match="holds 5 of 6 voiceprints that were copied"):
        copied(source, place)


def test_copying_on_the_command_line(source: str, place: str) -> None:
    with EnrollmentStore.open(source) as store:
        store.write_document("tuning.toml", "shift = 0.1\n")
    result = CliRunner().invoke(app, ["store", "copy", source, place])
    lines = result.stdout.splitlines()
    assert (result.exit_code, lines[0]) == (0, "6 voiceprints copied, 0 there already")
    assert lines[1].startswith("6 in both stores are the same, sha256 ")
    with EnrollmentStore.open(place, read_only=True) as store:
        assert store.read_document("tuning.toml") == "shift = 0.1\n"
    again = CliRunner().invoke(app, ["store", "copy", source, place, "--json"])
    assert json.loads(again.stdout) == {
        "copied": 0,
        "present": 6,
        "opted_out": [],
        "checksum": lines[1].split()[-1],
    }
    missing = CliRunner().invoke(app, ["store", "copy", f"{source} not", place])
    assert (missing.exit_code, "there is no store at" in missing.stderr) == (2, True)
    erased = CliRunner().invoke(app, ["store", "erase", "--store", place])
    assert (erased.exit_code, erased.stdout) == (0, "nothing is left of who was removed\n")


@pytest.mark.parametrize("change", ["terms", "opt out", "switch"])
def test_a_change_of_the_source_without_a_new_voice_is_noticed_too(
    source: str, place: str, change: str
) -> None:
    def meanwhile(done: int, of: int) -> None:
        with EnrollmentStore.open(source) as store:
            changes: dict[str, Callable[[], object]] = {
                "terms": lambda: store.set_terms("person 4", consent=AGREED, expires=None),
                "opt out": lambda: store.opt_out("somebody new"),
                "switch": store.require_consent,
            }
            changes[change]()

    with pytest.raises(StoreError, match="was changed while it was copied"):
        copied(source, place, progress=meanwhile)
    copied(source, place, replace=True)
    assert everything(source) == everything(place)


def test_a_copy_requires_consent_as_its_source_does(source: str, place: str) -> None:
    with EnrollmentStore.open(source) as store:
        store.require_consent()
        assert store.get("person 4").consent is None
    copied(source, place)
    with EnrollmentStore.open(place) as store:
        assert store.requires_consent
        assert store.get("person 4").consent is None
