"""Consent, expiry and opting out, honoured by the store, the verifier and the command line alike."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from store_voices import DIM, MODEL, clips, vector
from typer.testing import CliRunner

from voiceprint.cli import app
from voiceprint.errors import (
    EnrollmentError,
    SpeakerExpiredError,
    SpeakerNotFoundError,
    SpeakerOptedOutError,
)
from voiceprint.store import Consent, EnrollmentStore, read_export, write_export
from voiceprint.verifier import Verifier

AGREED = Consent(by="ada", purpose="telephone banking", given=datetime(2026, 1, 31, tzinfo=UTC))
LATER = datetime.now(UTC) + timedelta(days=365)
EARLIER = datetime.now(UTC) - timedelta(seconds=1)

runner = CliRunner()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EnrollmentStore]:
    with EnrollmentStore.open(tmp_path / "store", model_id=MODEL, dim=DIM) as opened:
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


def test_expired_voiceprints_are_removed_together(store: EnrollmentStore, tmp_path: Path) -> None:
    for number, name in enumerate(("ada", "bert", "cleo")):
        store.add(name, clips(number), expires=LATER)
    for name in ("ada", "cleo"):
        store.set_terms(name, consent=None, expires=EARLIER)
    assert store.remove_expired() == ["ada", "cleo"]
    assert store.remove_expired() == []
    assert store.names() == ["bert"]
    assert not any(b"cleo" in path.read_bytes() for path in (tmp_path / "store").iterdir())


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


def test_somebody_who_opted_out_cannot_be_imported(store: EnrollmentStore, tmp_path: Path) -> None:
    with EnrollmentStore.open(tmp_path / "other", model_id=MODEL, dim=DIM) as other:
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
    store: EnrollmentStore, tmp_path: Path, suffix: str
) -> None:
    store.add("ada", clips(1), consent=AGREED, expires=LATER)
    path = tmp_path / f"export{suffix}"
    write_export(path, store.export_records(), model_id=MODEL, dim=DIM)
    (record,) = read_export(path).records
    assert (record.consent, record.expires) == (AGREED, LATER)
    with EnrollmentStore.open(tmp_path / "other", model_id=MODEL, dim=DIM) as other:
        other.import_records([record], model_id=MODEL, dim=DIM)
        assert (other.get("ada").consent, other.get("ada").expires) == (AGREED, LATER)


@pytest.mark.parametrize(
    "fields",
    [{"by": ""}, {"purpose": " "}, {"purpose": "x" * 501}, {"by": "a\0"}, {"given": datetime(2026, 1, 1)}],
)
def test_consent_names_somebody_a_purpose_and_a_moment(fields: dict[str, object]) -> None:
    with pytest.raises(EnrollmentError, match="consent: "):
        Consent(**{"by": "ada", "purpose": "calls", "given": AGREED.given} | fields)  # type: ignore[arg-type]


def test_an_expiry_without_a_zone_is_refused(store: EnrollmentStore) -> None:
    with pytest.raises(EnrollmentError, match="without its zone"):
        store.add("ada", clips(1), expires=datetime(2030, 1, 1))


def make_older(folder: Path) -> None:
    """Take a store back to the schema before consent."""
    connection = sqlite3.connect(folder / "voiceprints.sqlite3")
    for statement in ("DROP TABLE terms", "DROP TABLE opt_outs", "PRAGMA user_version = 1"):
        connection.execute(statement)
    connection.commit()
    connection.close()


def test_an_older_store_is_migrated_when_written_and_readable_before(tmp_path: Path) -> None:
    folder = tmp_path / "store"
    with EnrollmentStore.open(folder, model_id=MODEL, dim=DIM) as opened:
        opened.add("ada", clips(1))
    make_older(folder)
    with EnrollmentStore.open(folder, model_id=MODEL, dim=DIM, read_only=True) as opened:
        assert (opened.get("ada").consent, opened.opted_out("ada")) == (None, None)
        assert opened.search(vector(1, 0), top=1)[0].name == "ada"
    with EnrollmentStore.open(folder, model_id=MODEL, dim=DIM) as opened:
        assert opened.set_terms("ada", consent=AGREED, expires=None).consent == AGREED
        assert opened.stats().schema_version == 2


@pytest.fixture
def enrolled(model_folder: Path, people: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Verifier]:
    """A verifier on the default store, with ada and bert enrolled in it."""
    monkeypatch.setenv("VOICEPRINT_MODEL", str(model_folder))
    with Verifier(model=model_folder) as verifier:
        for name in ("ada", "bert"):
            verifier.enroll(name, [people / name / f"{clip}.wav" for clip in range(2)])
        yield verifier


def test_a_claim_against_an_expired_voiceprint_is_not_listened_to(enrolled: Verifier) -> None:
    enrolled.store.set_terms("ada", consent=None, expires=EARLIER)
    answer = enrolled.verify("ada", "no such clip.wav")
    assert (answer.decision, answer.accepted, answer.score) == ("expired", False, None)
    assert answer.seconds_of_speech is None


def test_a_claim_to_be_somebody_who_opted_out_is_not_listened_to(enrolled: Verifier, people: Path) -> None:
    enrolled.store.opt_out("ada")
    assert enrolled.verify("ada", "no such clip.wav").decision == "opted_out"
    with pytest.raises(SpeakerOptedOutError):
        enrolled.enroll("ada", "no such clip.wav")
    assert enrolled.identify(people / "ada/3.wav", threshold=-1.0).name == "bert"


def test_a_watch_list_is_all_that_a_clip_is_compared_with(enrolled: Verifier, people: Path) -> None:
    clip = people / "ada/3.wav"
    on_it = enrolled.identify(clip, among=["bert", "ada", "ada"])
    assert (on_it.decision, on_it.name, len(on_it.matches)) == ("identified", "ada", 2)
    assert on_it.matches == enrolled.identify(clip).matches
    off_it = enrolled.identify(clip, among=["bert"])
    assert (off_it.decision, [match.name for match in off_it.matches]) == ("unknown", ["bert"])
    assert enrolled.identify(clip, among=[]).matches == ()
    with pytest.raises(SpeakerNotFoundError):
        enrolled.identify(clip, among=["nobody"])
    enrolled.store.set_terms("ada", consent=None, expires=EARLIER)
    assert enrolled.identify(clip, among=["ada"]).decision == "unknown"


def test_consent_on_the_command_line(enrolled: Verifier, people: Path) -> None:
    clips_of_cleo = [str(people / f"cleo/{number}.wav") for number in range(2)]
    options = ["--consent-by", "cleo", "--purpose", "tests", "--expires", "2099-01-31"]
    assert runner.invoke(app, ["enroll", "cleo", *clips_of_cleo, *options]).exit_code == 0
    shown = json.loads(runner.invoke(app, ["consent", "show", "cleo", "--json"]).stdout)
    assert (shown["consent"]["by"], shown["consent"]["purpose"]) == ("cleo", "tests")
    assert (shown["expires"][:7], shown["expired"]) == ("2099-01", False)
    changed = runner.invoke(app, ["consent", "set", "cleo", "--expires", "2000-01-01"])
    assert "expired 2000-01-01" in changed.stdout
    refused = runner.invoke(app, ["verify", "cleo", str(people / "cleo/3.wav")])
    assert (refused.exit_code, refused.stdout.splitlines()[0]) == (2, "cleo: expired")
    assert runner.invoke(app, ["consent", "purge"]).stdout == "1 expired voiceprint erased\n"
    half = runner.invoke(app, ["enroll", "cleo", *clips_of_cleo, "--consent-by", "cleo"])
    assert (half.exit_code, "together" in half.stderr) == (2, True)


def test_opting_out_on_the_command_line(enrolled: Verifier, people: Path) -> None:
    assert runner.invoke(app, ["consent", "opt-out", "ada"], input="n\n").exit_code == 1
    assert runner.invoke(app, ["consent", "opt-out", "ada", "--yes"]).exit_code == 0
    refused = runner.invoke(app, ["verify", "ada", str(people / "ada/3.wav")])
    assert (refused.exit_code, refused.stdout.splitlines()[0]) == (2, "ada: opted out")
    again = runner.invoke(app, ["enroll", "ada", str(people / "ada/0.wav"), str(people / "ada/1.wav")])
    assert (again.exit_code, again.stderr.startswith("Error: ada opted out")) == (2, True)
    assert runner.invoke(app, ["consent", "show", "ada"]).stdout.startswith("ada does not want")
    assert runner.invoke(app, ["consent", "opt-in", "ada"]).exit_code == 0
