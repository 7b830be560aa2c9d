"""``voiceprint list``, ``show``, ``remove``, ``rename`` and ``stats``: what the store holds."""

from __future__ import annotations

import dataclasses
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from voiceprint.cli.card_tables import open_card
from voiceprint.cli.commands import examples
from voiceprint.cli.options import JsonOption, ModelOption, StoreOption
from voiceprint.cli.terminal import count, number, plain, print_answer, print_json, print_table, require_yes

if TYPE_CHECKING:
    from voiceprint.engine.drift import Drift
    from voiceprint.engine.expectations import Expectation
    from voiceprint.engine.tuning import StoreTuning
    from voiceprint.store import EnrolledUtterance, Enrollment, EnrollmentStore

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The person.")]


def open_store(path: str | None, *, read_only: bool) -> EnrollmentStore:
    """Open the store that was named, or the default one, whichever model made its voiceprints."""
    from voiceprint.store import EnrollmentStore, default_store_path  # numpy, sqlite

    return EnrollmentStore.open(path or default_store_path(), read_only=read_only)


@examples("voiceprint list", "voiceprint list --store enrollments --json")
def list_speakers(store: StoreOption = None, as_json: JsonOption = False) -> None:
    """List everybody who is enrolled."""
    with open_store(store, read_only=True) as opened:
        people = opened.everybody()
    if as_json:
        print_json({"speakers": [_person_json(person) for person in people]})
    elif not people:
        typer.echo("Nobody is enrolled in this store yet.")
    else:
        rows = [
            (
                person.name,
                person.n_utterances,
                number(person.seconds_of_speech, 1),
                f"{person.updated.astimezone():%Y-%m-%d %H:%M}",
                _expiry(person),
                person.notes,
            )
            for person in people
        ]
        heads = ["name", "clips", "speech s", "updated", "expires", "notes"]
        print_table(heads, rows, right=["clips", "speech s"])
        typer.echo(f"{count(len(people), 'person', 'people')} enrolled")


@examples("voiceprint show ada", "voiceprint show ada --json")
def show(
    name: NameArgument, store: StoreOption = None, model: ModelOption = None, as_json: JsonOption = False
) -> None:
    """Show one person's voiceprint, the clips it is made of, and how often it should be recognised."""
    with open_store(store, read_only=True) as opened:
        person = opened.get(name)
        utterances, people, kept = opened.utterances(name), len(opened), opened.kept_audio(name)
    expected = _expect(model, person.model_id, people=people, clips=person.n_utterances)
    drift = None if person.claims is None else _drift(store, model, person.name)
    if as_json:
        clips = [_utterance_json(item) for item in utterances]
        print_json(_person_json(person) | {"expected": expected, "drift": drift, "clips": clips})
        return
    typer.secho(plain(person.name), bold=True)
    typer.echo(f"{count(person.n_utterances, 'clip')}, {person.seconds_of_speech:.1f} s of speech")
    typer.echo(f"enrolled {person.created.astimezone():%Y-%m-%d %H:%M}", nl=False)
    typer.echo(f", updated {person.updated.astimezone():%Y-%m-%d %H:%M}, model {person.model_id[:12]}")
    if person.consent is not None:
        typer.echo(f"{plain(person.consent.by)} agreed to {plain(person.consent.purpose)}")
    if person.expires is not None:
        typer.echo(f"expires: {_expiry(person)}")
    if kept:
        typer.echo(f"speech kept of {count(len(kept), 'clip')}")
    if person.notes:
        typer.echo(f"notes: {plain(person.notes)}")
    if expected is not None:
        typer.echo(f"expect: {expected}")
    if drift is not None:
        typer.echo(_drift_words(drift))
    numbers = ["speech s", "level dB", "SNR dB"]
    print_table(["clip", *numbers, "sha256"], [_utterance_row(item) for item in utterances], right=numbers)


def _drift(store: str | None, model: Path | None, name: str) -> Drift | None:
    """Return how recent claims fit; None where the model is not there that could say so."""
    from voiceprint.engine.verifier import Verifier
    from voiceprint.errors import ModelError, ModelMismatchError

    with suppress(ModelError, ModelMismatchError), Verifier(store, model=model, read_only=True) as verifier:
        return verifier.drift(name)
    return None


def _drift_words(drift: Drift) -> str:
    recent = f"recent accepted claims: log-likelihood ratio {drift.recent:+.1f}"
    promised = "" if drift.promised is None else f", {drift.promised:+.1f} at enrollment"
    return recent + promised + (f"; {drift.advice}" if drift.drifted else "")


@examples("voiceprint remove ada", "voiceprint remove ada --yes")
def remove(
    name: NameArgument,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Erase one person's voiceprint; no byte of it stays in the store's files."""
    with open_store(store, read_only=False) as opened:
        person = opened.get(name)
        if not yes:
            question = f"Erase the voiceprint of {plain(person.name)} ({count(person.n_utterances, 'clip')})?"
            require_yes(question)
        opened.remove(name)
    print_answer({"removed": person.name}, f"{plain(person.name)} was removed", as_json=as_json)


@examples("voiceprint rename ada 'Ada Lovelace'")
def rename(
    old: Annotated[str, typer.Argument(metavar="OLD", help="The present name.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="The new name.")],
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give a voiceprint another name."""
    with open_store(store, read_only=False) as opened:
        before = opened.get(old).name
        after = opened.rename(old, new).name
    print_answer({"old": before, "new": after}, f"{plain(before)} is now {plain(after)}", as_json=as_json)


@examples("voiceprint stats", "voiceprint stats --json")
def stats(store: StoreOption = None, model: ModelOption = None, as_json: JsonOption = False) -> None:
    """Count what the store holds, and say whose thresholds are in force and what to expect of them."""
    from voiceprint.engine.tuning import read_tuning  # numpy

    with open_store(store, read_only=True) as opened:
        found, tuning = opened.stats(), read_tuning(opened)
    people = max(found.n_speakers, 1)
    expected = _expect(model, found.model_id, people=people, clips=max(1, found.n_utterances // people))
    if as_json:
        source = "store" if tuning else "model"
        print_json(
            dataclasses.asdict(found) | {"threshold_source": source, "tuning": tuning, "expected": expected}
        )
        return
    kept = f"of {count(found.n_kept, 'clip')}, {found.kept_bytes / 1e6:.1f} MB" if found.n_kept else "none"
    lines = {
        "store": plain(found.path),
        "enrolled": count(found.n_speakers, "person", "people"),
        "clips": f"{found.n_utterances}, {found.seconds_of_speech:.1f} s of speech",
        "model": (found.model_id or "none yet")
        + (f"; {found.n_earlier} of an earlier one" if found.n_earlier else ""),
        "kept speech": kept,
        "thresholds": _describe_tuning(tuning),
        "expect": "nothing: the model in use is another, or not calibrated"
        if expected is None
        else str(expected),
        "on disk": f"{found.bytes_on_disk / 1e6:.1f} MB, format {found.schema_version}",
    }
    for name, value in lines.items():
        typer.echo(f"{name:<12}{value}")


def _expect(model: Path | None, model_id: str | None, *, people: int, clips: int) -> Expectation | None:
    """What the card of the model says of a store; None where it is of another model, or not calibrated."""
    from voiceprint.calibration import Decider
    from voiceprint.engine.expectations import expect
    from voiceprint.errors import ModelError

    try:
        card = open_card(model)
    except ModelError:  # what the store holds is said all the same
        return None
    if model_id not in (None, card.id):
        return None
    decider = Decider(calibration=card.calibration, default=card.decision)
    return expect(decider, people=people, clips=clips)


def _describe_tuning(tuning: StoreTuning | None) -> str:
    if tuning is None:
        return "the model's"
    return f"the store's own: {tuning.shift:+.3f}, tuned on {count(tuning.n_people, 'person', 'people')}"


def _person_json(person: Enrollment) -> dict[str, Any]:
    return {
        "name": person.name,
        "clips_in_voiceprint": person.n_utterances,
        "seconds_of_speech": person.seconds_of_speech,
        "created": person.created.isoformat(),
        "updated": person.updated.isoformat(),
        "notes": person.notes,
        "model": person.model_id,
        "consent": person.consent,
        "expires": person.expires,
        "expired": person.expired,
    }


def _expiry(person: Enrollment) -> str:
    """Say when a voiceprint ends, or that it has: it is then enrolled, and compared with nothing."""
    if person.expires is None:
        return ""
    return f"{person.expires.astimezone():%Y-%m-%d}{' (expired)' if person.expired else ''}"


def _utterance_json(item: EnrolledUtterance) -> dict[str, Any]:
    return {"source": item.source, "sha256": item.clip_sha256} | dataclasses.asdict(item.quality)


def _utterance_row(item: EnrolledUtterance) -> tuple[str, ...]:
    quality = item.quality
    return (
        item.source,
        number(quality.seconds_of_speech, 1),
        number(quality.level_dbfs, 0),
        number(quality.snr_db, 0),
        item.clip_sha256[:12],
    )
