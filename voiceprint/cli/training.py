"""``voiceprint train``: a recipe and corpora to a training run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from voiceprint.cli.commands import examples
from voiceprint.cli.options import (
    CorporaOption,
    DeviceOption,
    ExportOption,
    JobsOption,
    JsonOption,
    ResumeOption,
    SetOption,
    ThreadsOption,
)
from voiceprint.cli.process import INTERRUPTED
from voiceprint.cli.terminal import plain, print_json
from voiceprint.percent import percent

if TYPE_CHECKING:
    from voiceprint.cli.training_display import Display
    from voiceprint.training.run.launch import Outcome
    from voiceprint.training.run.recipe import Recipe


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainOptions:
    """From what a run learns, and on what it is trained."""

    corpora: CorporaOption = Path("corpora")
    pool: Annotated[
        Path | None,
        typer.Option(help="Folder of decoded speech, shared by runs.", show_default="pool beside the run"),
    ] = None
    resume: ResumeOption = False
    init: Annotated[
        Path | None,
        typer.Option(
            metavar="MODEL",
            help="Model to start from, to fine-tune it: a folder with weights, NAME@VERSION, or default.",
        ),
    ] = None
    teacher: Annotated[
        Path | None,
        typer.Option(
            metavar="MODEL", help="Model whose embeddings a recipe distils: a folder, or NAME@VERSION."
        ),
    ] = None
    device: DeviceOption = "cpu"
    threads: ThreadsOption = 1
    jobs: JobsOption = None


@examples(
    "voiceprint train configs/default.toml -o runs/default --corpora corpora",
    "voiceprint train configs/default.toml -o runs/default --resume",
    "voiceprint train configs/default.toml -o runs/small --set encoder.channels=128 --set optimizer.lr=3e-4",
    "voiceprint train mine.toml -o runs/mine --init mymodel --export mymodel-2",
)
def train(
    recipe: Annotated[
        Path, typer.Argument(metavar="RECIPE", help="A TOML file; see docs/how-to/training.md.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="RUN", help="The run's folder.")],
    how: TrainOptions,
    changes: SetOption = None,
    prepare: Annotated[
        bool, typer.Option("--prepare", help="Only decode the speech into the pool, and stop.")
    ] = False,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Write curves for TensorBoard into the run as well.")
    ] = False,
    export: ExportOption = None,
    as_json: JsonOption = False,
) -> None:
    """Train a speaker encoder.

    Ctrl-C saves a checkpoint and stops; --resume continues as if there had been no break.
    """
    import torch

    from voiceprint.cli.training_display import Display
    from voiceprint.training.distributed import is_leader
    from voiceprint.training.export.from_run import export_run
    from voiceprint.training.run.recipe import read_recipe

    if export is not None and export.exists():
        raise typer.BadParameter(f"--export {export}: exists already; name another folder")
    torch.set_num_threads(how.threads)
    torch.set_flush_denormal(True)  # decaying moments turn denormal, and a CPU is slow with those
    chosen = read_recipe(recipe, changes or [])
    speaks = is_leader()
    with Display(
        output,
        quiet=as_json or not speaks,
        tensorboard=tensorboard and speaks,
        criterion=chosen.validation.decides,
    ) as display:
        outcome = _run(chosen, output, how, only_prepare=prepare, display=display)
    if outcome is None:
        return
    if speaks:
        say_outcome(outcome, as_json=as_json)
    if not outcome.finished:
        raise typer.Exit(INTERRUPTED)
    if speaks and export is not None:
        card = export_run(output, export, corpora=how.corpora)
        typer.echo(f"{card.title} is in {plain(export)}", err=as_json)


def _run(
    recipe: Recipe, folder: Path, how: TrainOptions, *, only_prepare: bool, display: Display
) -> Outcome | None:
    """Prepare the speech, and train unless that is all that is asked for."""
    from voiceprint.training.run.launch import Rendering, prepare, train
    from voiceprint.workers import count_processes

    pool = folder.parent / "pool" if how.pool is None else how.pool
    rendering = Rendering(teacher=how.teacher, jobs=count_processes(how.jobs))
    if only_prepare:
        prepare(recipe, corpora=how.corpora, pool=pool, rendering=rendering, callbacks=display)
        return None
    return train(
        recipe,
        corpora=how.corpora,
        pool=pool,
        folder=folder,
        resume=how.resume,
        init=how.init,
        rendering=rendering,
        device=how.device,
        callbacks=display,
    )


def say_outcome(outcome: Outcome, *, as_json: bool) -> None:
    """Print how a run ended."""
    if as_json:
        print_json(outcome)
        return
    best = percent(outcome.best)
    typer.echo(
        f"{plain(outcome.folder)}: step {outcome.step} of {outcome.steps}, "
        f"best dev {outcome.criterion} {best}"
    )
    if not outcome.finished:
        typer.echo("stopped before the end; the same command with --resume continues")
