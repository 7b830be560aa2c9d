"""``voiceprint store upgrade``: everybody embedded anew by another model, and one switch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from voiceprint.cli.commands import examples
from voiceprint.cli.options import JobsOption, JsonOption, ModelOption, StoreOption
from voiceprint.cli.process import PARTLY
from voiceprint.cli.terminal import count, plain, print_answer, print_json, print_table, progress_of

if TYPE_CHECKING:
    from voiceprint.engine.moving import MoveReport


@examples(
    "voiceprint store upgrade --model campplus",
    "voiceprint store upgrade --model campplus --clips recordings --jobs 4",
    "voiceprint store upgrade --model campplus --no-switch",
    "voiceprint store upgrade --abandon",
)
def upgrade(
    clips: Annotated[
        Path | None,
        typer.Option(
            "--clips", metavar="FOLDER", help="Where the enrolled clips are: each sub-folder is one person."
        ),
    ] = None,
    no_switch: Annotated[
        bool,
        typer.Option("--no-switch", help="Embed and report; the present voiceprints stay in force."),
    ] = False,
    without_earlier: Annotated[
        bool,
        typer.Option(
            "--without-earlier", help="Switch even if the model of those who cannot be moved is not here."
        ),
    ] = False,
    abandon: Annotated[
        bool, typer.Option("--abandon", help="Throw away what waits for the switch, and stay.")
    ] = False,
    jobs: JobsOption = None,
    store: StoreOption = None,
    model: ModelOption = None,
    as_json: JsonOption = False,
) -> None:
    """Move a store to another model: the named one, or the one in use.

    Everybody is embedded anew from the speech that was kept with them (enroll --keep-audio) or from --clips,
    while others go on with the store. Then all voiceprints are switched at once. Interrupted, run it again.
    Who cannot be moved keeps their voiceprint, and has to come again; the command then exits with 3.
    """
    if abandon:
        _abandon(store, as_json)
        return
    from voiceprint.engine.moving import move_store  # numpy and the audio libraries
    from voiceprint.model import SpeakerModel

    with progress_of("embedding", quiet=as_json) as progress:
        report = move_store(
            store,
            SpeakerModel.open(model),
            clips=clips,
            jobs=jobs,
            switch=not no_switch,
            without_earlier=without_earlier,
            progress=progress,
        )
    print_json(report) if as_json else _print_report(report)
    if report.left:
        raise typer.Exit(PARTLY)


def _abandon(store: str | None, as_json: bool) -> None:
    from voiceprint.cli.voiceprints import open_store

    with open_store(store, read_only=False) as opened:
        abandoned = opened.abandon_move()
    said = "what waited was thrown away" if abandoned else "nothing waited"
    print_answer({"abandoned": abandoned}, said, as_json=as_json)


def _print_report(report: MoveReport) -> None:
    people = count(report.moved, "person", "people")
    if report.switched and not report.moved and not report.left:
        typer.echo(f"nobody had to be moved: the store is of model {report.model_id[:12]}")
    elif report.switched:
        typer.echo(f"{people} moved to model {report.model_id[:12]}, which is the store's from now on")
    else:
        typer.echo(f"{people} of model {report.model_id[:12]} wait; the present voiceprints stay in force")
    for name, source in report.clips_left:
        typer.echo(f"{plain(name)}: {plain(source)} is no part of the new voiceprint", err=True)
    if report.left:
        print_table(["must come again", "why"], [(each.name, each.reason) for each in report.left])
        typer.echo(f"{count(len(report.left), 'person', 'people')} could not be moved; {_who_knows(report)}")


def _who_knows(report: MoveReport) -> str:
    if report.earlier_model_here:
        return "their model goes on verifying them until they come again (enroll --replace)"
    if report.switched:
        return "their model is not on this machine, so nobody can verify them until they come again"
    return (
        "their model is not on this machine: register it with `voiceprint models add`, or give "
        "--without-earlier, and nobody can verify them until they come again"
    )
