"""``voiceprint doctor``: say whether this installation is sound."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING

import typer

from voiceprint.cli.commands import examples
from voiceprint.cli.options import JsonOption, ModelOption, StoreOption
from voiceprint.cli.terminal import count, plain, print_json
from voiceprint.errors import VoiceprintError

if TYPE_CHECKING:
    from voiceprint.doctor import Check


@examples("voiceprint doctor", "voiceprint doctor --store enrollments --json")
def doctor(store: StoreOption = None, model: ModelOption = None, as_json: JsonOption = False) -> None:
    """Check versions, model, store and its server's keys and log, and run a self-test on synthetic audio.

    Exits with 0 if all is well, else with 2.
    """
    from voiceprint.doctor import examine  # numpy and the audio libraries

    checks = []
    for check in chain(examine(store=store, model=model), _examine_server(store)):
        checks.append(check)
        if not as_json:
            mark = typer.style("ok   ", fg=typer.colors.GREEN) if check.ok else typer.style("wrong", fg="red")
            typer.echo(f"{mark}  {check.name:<18} {plain(check.detail)}")
    wrong = [check.name for check in checks if not check.ok]
    if as_json:
        print_json({"ok": not wrong, "checks": checks})
    if wrong:
        raise VoiceprintError(f"{len(wrong)} of {count(len(checks), 'check')} failed: {', '.join(wrong)}")


def _examine_server(store: str | None) -> Iterator[Check]:
    """Look at the keys and the audit log of the store's server, where there is one."""
    from voiceprint.doctor import Check
    from voiceprint.server.audit import AuditLog
    from voiceprint.server.commands import existing_state
    from voiceprint.server.keys import KeyRing

    try:
        with existing_state(store) as file:
            if file is None:
                return
            keys, log = KeyRing(file).all(), AuditLog(file).verify()
    except (VoiceprintError, OSError) as error:
        yield Check(name="server", ok=False, detail=str(error))
        return
    found = f"{count(len(keys), 'key')}, {count(log.entries, 'entry', 'entries')} in the audit log"
    yield Check(name="server", ok=not log.fault, detail=log.fault or found)
