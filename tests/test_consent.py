"""Consent, expiry and opting out, honoured by the store, the verifier and the command line alike."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from voiceprint.cli import app
from voiceprint.engine.verifier import Verifier
from voiceprint.errors import (
    EnrollmentError,
    SpeakerNotFoundError,
    SpeakerOptedOutError,
)
from voiceprint.store import Consent, EnrollmentStore

AGREED = Consent(by="ada", purpose="telephone banking", given=datetime(2026, 1, 31, tzinfo=UTC))
LATER = datetime.now(UTC) + timedelta(days=365)
EARLIER = datetime.now(UTC) - timedelta(seconds=1)

runner = CliRunner()


@pytest.mark.parametrize(
    "fields",
    [{"by": ""}, {"purpose": " "}, {"purpose": "x" * 501}, {"by": "a\0"}, {"given": datetime(2026, 1, 1)}],
)
def test_consent_names_somebody_a_purpose_and_a_moment(fields: dict[str, object]) -> None:
    with pytest.raises(EnrollmentError, match="consent: "):
        Consent(**{"by": "ada", "purpose": "calls", "given": AGREED.given} | fields)  # type: ignore[arg-type]


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
    assert "2000-01-01 (expired)" in runner.invoke(app, ["list"]).stdout
    shown = runner.invoke(app, ["show", "cleo"]).stdout
    assert "cleo agreed to tests\nexpires: 2000-01-01 (expired)\n" in shown
    (*_, listed) = json.loads(runner.invoke(app, ["list", "--json"]).stdout)["speakers"]
    assert (listed["name"], listed["expired"], listed["consent"]["by"]) == ("cleo", True, "cleo")
    refused = runner.invoke(app, ["verify", "cleo", str(people / "cleo/3.wav")])
    assert (refused.exit_code, refused.stdout.splitlines()[0]) == (2, "cleo: expired")
    assert runner.invoke(app, ["consent", "purge"]).stdout == "1 expired voiceprint erased\n"
    half = runner.invoke(app, ["enroll", "cleo", *clips_of_cleo, "--consent-by", "cleo"])
    assert (half.exit_code, "together" in half.stderr) == (2, True)


def test_opting_out_on_the_command_line(enrolled: Verifier, people: Path) -> None:
    assert runner.invoke(app, ["consent", "opt-out", "ada"], input="n\n").exit_code == 2
    assert runner.invoke(app, ["consent", "opt-out", "ada", "--yes"]).exit_code == 0
    refused = runner.invoke(app, ["verify", "ada", str(people / "ada/3.wav")])
    assert (refused.exit_code, refused.stdout.splitlines()[0]) == (2, "ada: opted out")
    again = runner.invoke(app, ["enroll", "ada", str(people / "ada/0.wav"), str(people / "ada/1.wav")])
    assert (again.exit_code, again.stderr.startswith("Error: 'ada' opted out")) == (2, True)
    assert runner.invoke(app, ["consent", "show", "ada"]).stdout.startswith("ada does not want")
    assert runner.invoke(app, ["consent", "opt-in", "ada"]).exit_code == 0


def test_a_command_switches_on_and_off_that_consent_is_needed(tmp_path: Path) -> None:
    store = ["--store", str(tmp_path / "store")]
    for options, required in (([], True), (["--off"], False)):
        result = runner.invoke(app, ["consent", "require", *options, "--json", *store])
        assert json.loads(result.stdout) == {"requires_consent": required}
        with EnrollmentStore.open(tmp_path / "store", read_only=True) as opened:
            assert opened.requires_consent == required
