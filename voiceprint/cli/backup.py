"""``voiceprint backup`` and ``restore``: everything that a store and its server hold, in one private file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from voiceprint.cli.commands import examples
from voiceprint.cli.options import JsonOption, StateOption, StoreOption
from voiceprint.cli.terminal import count, plain, print_json

if TYPE_CHECKING:
    from voiceprint.backup import RestoreReport

FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="The file of the backup.")]


@examples("voiceprint backup monday.vpbackup", "voiceprint backup latest.vpbackup --overwrite --json")
def backup(
    path: FileArgument,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file that is there.")] = False,
    store: StoreOption = None,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write voiceprints, opt-outs, consent, tuning, keys and audit log into one private file.

    A server may go on meanwhile. The file is checked before it takes its place.
    """
    from voiceprint.backup import write_backup

    report = write_backup(path, store=store, state=state, overwrite=overwrite)
    if as_json:
        print_json(report)
        return
    parts = [
        count(report.n_speakers, "voiceprint"),
        count(report.n_opt_outs, "opt-out"),
        *([count(report.n_keys, "key")] if report.n_keys else []),
        *([count(report.n_audit, "audit entry", "audit entries")] if report.n_audit else []),
        *(["the tuning"] if report.tuned else []),
    ]
    typer.echo(f"{', '.join(parts)} written to {plain(path)}")


@examples("voiceprint restore monday.vpbackup", "voiceprint restore monday.vpbackup --overwrite")
def restore(
    path: FileArgument,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the voiceprints that are there.")
    ] = False,
    removed_too: Annotated[
        bool, typer.Option("--removed-too", help="Bring people back who were removed since the backup.")
    ] = False,
    trust_keys: Annotated[
        bool, typer.Option("--trust-keys", help="Leave the backup's API keys in force where the log is lost.")
    ] = False,
    store: StoreOption = None,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put a backup back, after checking all of it; a server may go on meanwhile.

    What was taken back since the backup stays taken back: removals, opt-outs, consent, and revoked keys.
    """
    from voiceprint.backup import restore_backup

    report = restore_backup(
        path, store=store, state=state, overwrite=overwrite, removed_too=removed_too, trust_keys=trust_keys
    )
    print_json(report) if as_json else _print_restored(report)


def _print_restored(report: RestoreReport) -> None:
    people = report.voiceprints
    typer.echo(
        f"{count(people.n_speakers, 'voiceprint')} of {plain(report.created[:16])} UTC "
        f"in {plain(report.store)}" + (f", model {report.model_id[:12]}" if report.model_id else "")
    )
    _tell(people.stay_removed, "removed since, not brought back (--removed-too does)")
    _tell(people.opted_out, "opted out since, not brought back")
    _tell(people.gone, "enrolled since, and gone")
    server = report.server
    if server.outcome == "kept":
        typer.echo("the server's keys and audit log were there and go on: what was revoked stays revoked")
    elif server.outcome == "another":
        typer.echo("the server's keys and audit log are not those of the backup; they stay as they are")
    elif server.outcome == "restored":
        typer.echo(f"the audit log has {count(server.n_audit, 'entry', 'entries')}")
        _tell(server.in_force, "keys in force again, whatever was revoked since")
        _tell(
            server.refused,
            "keys refused, because nobody knows which were revoked since; make new ones, or restore "
            "elsewhere with --trust-keys",
        )


def _tell(names: Sequence[str], what: str) -> None:
    if names:
        typer.echo(f"{what}: {', '.join(plain(name) for name in names)}")
