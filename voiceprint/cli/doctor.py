"""``voiceprint doctor``: say whether this installation is sound."""

from __future__ import annotations

import typer

from voiceprint.cli.commands import examples
from voiceprint.cli.options import JsonOption, ModelOption, StoreOption
from voiceprint.cli.terminal import count, plain, print_json
from voiceprint.errors import VoiceprintError

__all__ = ["doctor"]


@examples("voiceprint doctor", "voiceprint doctor --store enrollments --json")
def doctor(store: StoreOption = None, model: ModelOption = None, as_json: JsonOption = False) -> None:
    """Check versions, model and store, and run a self-test on synthetic audio.

    Exits with 0 if all is well, else with 2.
    """
    from voiceprint.doctor import examine  # numpy and the audio libraries

    checks = []
    for check in examine(store=store, model=model):
        checks.append(check)
        if not as_json:
            mark = typer.style("ok   ", fg=typer.colors.GREEN) if check.ok else typer.style("wrong", fg="red")
            typer.echo(f"{mark}  {check.name:<18} {plain(check.detail)}")
    wrong = [check.name for check in checks if not check.ok]
    if as_json:
        print_json({"ok": not wrong, "checks": checks})
    if wrong:
        raise VoiceprintError(f"{len(wrong)} of {count(len(checks), 'check')} failed: {', '.join(wrong)}")
