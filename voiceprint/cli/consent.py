"""``voiceprint consent``: what people agreed to, until when, and who does not want to be enrolled."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from voiceprint.cli.commands import examples, group
from voiceprint.cli.options import JsonOption, StoreOption
from voiceprint.cli.terminal import count, plain, print_answer, print_json, require_yes
from voiceprint.cli.voiceprints import NameArgument, open_store

if TYPE_CHECKING:
    from voiceprint.store import Consent, Enrollment

ConsentByOption = Annotated[
    str, typer.Option("--consent-by", help="Who agreed that the voice is stored.", show_default=False)
]
PurposeOption = Annotated[str, typer.Option("--purpose", help="What they agreed to.", show_default=False)]
ExpiresOption = Annotated[
    datetime | None,
    typer.Option(
        "--expires",
        formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S%z"],
        help="From when on the voiceprint is not used any more; local time unless a zone is named.",
        show_default="never",
    ),
]


def consent_of(by: str, purpose: str) -> Consent | None:
    """Return what --consent-by and --purpose say was agreed to, now."""
    if not by and not purpose:
        return None
    if not (by and purpose):
        raise typer.BadParameter("give --consent-by and --purpose together")
    from voiceprint.store import Consent

    return Consent(by=by, purpose=purpose, given=datetime.now().astimezone())


def end_of(expires: datetime | None) -> datetime | None:
    """Return what --expires says, with its time zone."""
    return None if expires is None else expires.astimezone()


@examples("voiceprint consent show ada", "voiceprint consent show ada --json")
def show(name: NameArgument, store: StoreOption = None, as_json: JsonOption = False) -> None:
    """Show what a person agreed to."""
    with open_store(store, read_only=True) as opened:
        since = opened.opted_out(name)
        found = None if since is not None else opened.get(name)
    if as_json:
        print_json({"name": name, "opted_out": since} | _terms(found))
    elif found is None:
        typer.echo(f"{plain(name)} does not want to be enrolled, since {since:%Y-%m-%d}")
    else:
        _print_terms(found)


@examples(
    "voiceprint consent set ada --consent-by ada --purpose 'telephone banking' --expires 2030-01-31",
    "voiceprint consent set ada --no-expiry",
)
def set_terms(
    name: NameArgument,
    consent_by: ConsentByOption = "",
    purpose: PurposeOption = "",
    expires: ExpiresOption = None,
    no_expiry: Annotated[bool, typer.Option("--no-expiry", help="The voiceprint does not expire.")] = False,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Note what an enrolled person agreed to, and until when; what is not named stays as it is."""
    if expires is not None and no_expiry:
        raise typer.BadParameter("give --expires or --no-expiry, not both")
    with open_store(store, read_only=False) as opened:
        before = opened.get(name)
        found = opened.set_terms(
            name,
            consent=consent_of(consent_by, purpose) or before.consent,
            expires=None if no_expiry else end_of(expires) or before.expires,
        )
    print_json({"name": found.name, "opted_out": None} | _terms(found)) if as_json else _print_terms(found)


@examples("voiceprint consent opt-out ada --yes")
def opt_out(
    name: NameArgument,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Erase a person's voiceprint, if there is one, and refuse to enroll them again."""
    with open_store(store, read_only=False) as opened:
        if not yes and name in opened:
            require_yes(f"Erase the voiceprint of {plain(name)}?")
        opened.opt_out(name)
    print_answer({"opted_out": name}, f"{plain(name)} will not be enrolled", as_json=as_json)


@examples("voiceprint consent opt-in ada")
def opt_in(name: NameArgument, store: StoreOption = None, as_json: JsonOption = False) -> None:
    """Let a person be enrolled again who had opted out."""
    with open_store(store, read_only=False) as opened:
        opened.opt_in(name)
    print_answer({"opted_in": name}, f"{plain(name)} may be enrolled", as_json=as_json)


@examples("voiceprint consent purge", "voiceprint consent purge --json")
def purge(store: StoreOption = None, as_json: JsonOption = False) -> None:
    """Erase all voiceprints that have expired."""
    with open_store(store, read_only=False) as opened:
        removed = opened.remove_expired()
    erased = f"{count(len(removed), 'expired voiceprint')} erased"
    print_answer({"removed": removed}, erased, as_json=as_json)


@examples("voiceprint consent require", "voiceprint consent require --off")
def require(
    off: Annotated[bool, typer.Option("--off", help="Enroll people without noted consent again.")] = False,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Enroll, extend and import nobody without noted consent, by whichever door."""
    with open_store(store, read_only=False) as opened:
        opened.require_consent(not off)
    said = "people are enrolled without noted consent" if off else "nobody is enrolled without consent"
    print_answer({"requires_consent": not off}, said, as_json=as_json)


app = group(
    "Note what people agreed to, and honour it.",
    **{
        "show": show,
        "set": set_terms,
        "opt-out": opt_out,
        "opt-in": opt_in,
        "purge": purge,
        "require": require,
    },
)


def _terms(found: Enrollment | None) -> dict[str, Any]:
    if found is None:
        return {"consent": None, "expires": None, "expired": False}
    return {"consent": found.consent, "expires": found.expires, "expired": found.expired}


def _print_terms(found: Enrollment) -> None:
    consent = found.consent
    if consent is None:
        typer.echo(f"{plain(found.name)}: no consent is noted")
    else:
        typer.echo(f"{plain(found.name)}: {plain(consent.by)} agreed to {plain(consent.purpose)}", nl=False)
        typer.echo(f" on {consent.given.astimezone():%Y-%m-%d}")
    if found.expires is not None:
        verb = "expired" if found.expired else "expires"
        typer.echo(f"{verb} {found.expires.astimezone():%Y-%m-%d %H:%M}")
