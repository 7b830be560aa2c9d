"""``voiceprint tune``: thresholds of a store, fitted to the people enrolled in it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from voiceprint.cli.commands import examples
from voiceprint.cli.options import JsonOption, ModelOption, StoreOption
from voiceprint.cli.terminal import count, print_answer, print_json
from voiceprint.cli.voiceprints import open_store
from voiceprint.percent import percent

if TYPE_CHECKING:
    from voiceprint.engine.tuning import StoreTuning


@examples("voiceprint tune", "voiceprint tune --store enrollments --dry-run", "voiceprint tune --reset")
def tune(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would change, and change nothing.")
    ] = False,
    reset: Annotated[bool, typer.Option("--reset", help="Go back to the model's thresholds.")] = False,
    store: StoreOption = None,
    model: ModelOption = None,
    as_json: JsonOption = False,
) -> None:
    """Fit thresholds to the people who are enrolled: their voices, language and microphone.

    Each clip is scored against the other clips of its person, and against everybody else. At least five
    people with three clips each are needed, and thresholds move only as far as the data support. Tune
    again when people come or go.
    """
    from voiceprint.engine.tuning import remove_tuning

    if not reset:
        _tune(store, model, dry_run=dry_run, as_json=as_json)
        return
    with open_store(store, read_only=True) as opened:  # whoever writes first would make a store
        named = str(opened.path)
    with open_store(store, read_only=False) as opened:
        removed = remove_tuning(opened)
    said = "The model's thresholds are in force" + (" again." if removed else "; there were no others.")
    print_answer({"store": named, "removed": removed}, said, as_json=as_json)


def _tune(store: str | None, model: Path | None, *, dry_run: bool, as_json: bool) -> None:
    from voiceprint.engine.tuning import write_tuning
    from voiceprint.engine.tuning_fit import fit_tuning
    from voiceprint.engine.verifier import Verifier
    from voiceprint.errors import CalibrationError

    with Verifier(store, model=model, read_only=True, create=False) as people:
        (present, *_) = people.generations()
        opened = present.model
        if opened.card.calibration is None:
            raise CalibrationError(f"{opened.folder}: has no thresholds to tune; run `voiceprint calibrate`")
        tuning = fit_tuning(present.store, opened.card.calibration, model_id=opened.id)
        named = str(present.store.path)
    kept = tuning.is_sure and not dry_run
    if kept:
        with open_store(store, read_only=False) as written:
            write_tuning(written, tuning)
    if as_json:
        print_json({"store": named, "kept": kept, "tuning": tuning})
    else:
        _print_tuning(tuning, dry_run=dry_run)


def _print_tuning(tuning: StoreTuning, *, dry_run: bool) -> None:
    typer.echo(
        f"{count(tuning.n_people, 'person', 'people')}, {count(tuning.n_clips, 'clip')}: where the model's "
        f"thresholds promise {percent(tuning.rate)} false accepts, {percent(tuning.found)} were found"
    )
    typer.echo(
        f"that asks for a shift of {tuning.estimate:+.3f}; with other people like these it would be "
        f"{tuning.low:+.3f} to {tuning.high:+.3f} (95 %)"
    )
    if not tuning.is_sure:
        typer.echo("So it may be chance, and nothing changes. Enroll more people to be surer.")
        return
    typer.echo(
        f"sure is a shift of {tuning.shift:+.3f}: at 1 % false accepts {percent(tuning.misses_tuned)} of "
        f"the target trials are rejected instead of {percent(tuning.misses)}"
    )
    typer.echo("Nothing was changed (--dry-run)." if dry_run else "In force from now on; --reset undoes it.")
