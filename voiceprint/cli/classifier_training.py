"""``voiceprint classify train`` and ``export``: a classifier of a few named people, made of their clips."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from voiceprint.cli.commands import examples
from voiceprint.cli.options import (
    CheckpointName,
    CorporaOption,
    DeviceOption,
    ExportOption,
    JsonOption,
    OverwriteOption,
    ResumeOption,
    SetOption,
    ThreadsOption,
)
from voiceprint.cli.process import INTERRUPTED
from voiceprint.cli.terminal import count, plain, print_json
from voiceprint.percent import percent

if TYPE_CHECKING:
    from voiceprint.corpus import Corpus
    from voiceprint.model.card import ModelCard
    from voiceprint.training.classification import ClassicRecipe
    from voiceprint.training.run.recipe import Recipe

# The words of ClipSplit (corpus.clip_splits), which would be slow to import for --help.
SplitName = Literal["random", "blocks", "manifest"]

CheckpointOption = Annotated[
    CheckpointName,
    typer.Option("--checkpoint", help="Checkpoint of the highest dev accuracy, or the newest."),
]
OutOfSetOption = Annotated[
    Path | None,
    typer.Option(
        "--out-of-set",
        metavar="CORPUS",
        help="Clips of out-of-set speakers (a manifest's dev split), to choose the threshold with.",
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainOptions:
    """From what a run begins, and on what it is trained."""

    corpora: CorporaOption = Path("corpora")
    resume: ResumeOption = False
    init: Annotated[
        Path | None,
        typer.Option("--init", metavar="MODEL", help="Model to start from: a folder, or its name."),
    ] = None
    device: DeviceOption = "cpu"
    threads: ThreadsOption = 1


@examples(
    "voiceprint classify train people -o runs/people --recipe configs/people.toml",
    "voiceprint classify train corpora/five_speakers -o runs/random --recipe configs/five-speakers.toml "
    "--split random",
    "voiceprint classify train people -o runs/people --recipe configs/people.toml --resume",
    "voiceprint classify train people -o runs/gmm --recipe configs/gmm.toml --out-of-set others",
)
def train(
    clips: Annotated[
        Path,
        typer.Argument(
            metavar="CLIPS", help="A folder with a folder of clips for each person, or a manifest."
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="RUN", help="The run's folder.")],
    recipe: Annotated[
        Path, typer.Option("--recipe", metavar="RECIPE", help="A TOML file, such as configs/people.toml.")
    ],
    how: TrainOptions,
    split: Annotated[
        SplitName | None,
        typer.Option(
            "--split",
            help="Which clips are held out: 10 % at random, or of everybody the last of consecutive clips.",
            show_default="the manifest's, or blocks where it has none",
        ),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the random split.")] = 43,
    changes: SetOption = None,
    export: ExportOption = None,
    out_of_set: OutOfSetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Train a classifier of the people in a folder.

    Any recipe whose loss classifies will do, or that of GMMs or of an SVM.
    Noise or a background that the recipe names is looked for in --corpora. Ctrl-C saves a checkpoint and
    stops; --resume continues as if there had been no break.
    """
    import torch

    from voiceprint.training.classification import read_classifier_recipe, read_clips
    from voiceprint.training.run.recipe import Recipe

    if export is not None and export.exists():
        raise typer.BadParameter(f"--export {export}: exists already; name another folder")
    torch.set_num_threads(how.threads)
    torch.set_flush_denormal(True)  # decaying moments turn denormal, and a CPU is slow with those
    chosen = read_classifier_recipe(recipe, changes or [])
    name_left_out(clips)
    people = read_clips(clips, split=split, seed=seed)
    if isinstance(chosen, Recipe):
        _train_encoder(chosen, people, output, how, out_of_set=out_of_set, export=export, as_json=as_json)
        return
    _refuse({"--resume": how.resume, "--init": how.init, "--export": export, "--device": how.device != "cpu"})
    _train_classic(chosen, people, how.corpora, output, out_of_set, as_json=as_json)


@examples(
    "voiceprint classify export runs/people -o mymodel",
    "voiceprint classify export runs/people -o mymodel --out-of-set corpora/others",
)
def export(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a classification run.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FOLDER", help="The model folder.")],
    checkpoint: CheckpointOption = "best",
    out_of_set: OutOfSetOption = None,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Make a model folder of a run, which predict and eval need no torch for.

    The threshold of --reject is put where as many dev clips of the people are rejected as clips of
    --out-of-set are accepted; without those, where 5 % of the people's dev clips are rejected.
    """
    import torch

    from voiceprint.training.classification import export_classifier

    torch.set_num_threads(1)
    card = export_classifier(
        run, output, checkpoint=checkpoint, out_of_set=_out_of_set(out_of_set), overwrite=overwrite
    )
    if as_json:
        print_json({"folder": output, "model": card.title, "id": card.id, **_rejection(card)})
        return
    typer.echo(_rejection_text(card.extra["classifier"]["rejection"]))
    typer.echo(f"{plain(card.title)} is in {plain(output)}")


def _train_encoder(
    recipe: Recipe,
    people: Corpus,
    output: Path,
    how: TrainOptions,
    *,
    out_of_set: Path | None,
    export: Path | None,
    as_json: bool,
) -> None:
    from voiceprint.cli.training import say_outcome
    from voiceprint.cli.training_display import Display
    from voiceprint.training.classification import export_classifier, train_classifier
    from voiceprint.training.run.criterion import ACCURACY

    with Display(output, quiet=as_json, tensorboard=False, criterion=ACCURACY) as display:
        outcome = train_classifier(
            recipe,
            people,
            corpora=how.corpora,
            folder=output,
            resume=how.resume,
            init=how.init,
            device=how.device,
            callbacks=display,
        )
    say_outcome(outcome, as_json=as_json)
    if not outcome.finished:
        raise typer.Exit(INTERRUPTED)
    if export is not None:
        card = export_classifier(output, export, out_of_set=_out_of_set(out_of_set))
        typer.echo(f"{card.title} is in {plain(export)}", err=as_json)


def _out_of_set(path: Path | None) -> Corpus | None:
    if path is None:
        return None
    from voiceprint.corpus.splits import read_people

    name_left_out(path)
    corpus = read_people(path)
    return corpus.filter(split="dev") if "dev" in corpus.splits else corpus


def name_left_out(source: Path) -> None:
    """Name the clips of a folder of people that lie in nobody's folder."""
    from voiceprint.audio import clips_beside_folders

    if source.is_dir() and not (source / "manifest.csv").exists():
        for path in clips_beside_folders(source):
            typer.echo(f"left out: {plain(path)}: lies in nobody's folder", err=True)


def _refuse(given: dict[str, object]) -> None:
    """Options that mean nothing to a system which learns in one go, on the processor."""
    for option, value in given.items():
        if value:
            raise typer.BadParameter(
                f"{option} is for recipes that train an encoder; a classic system learns in one go, on the "
                "CPU, and eval and predict take its run as it is"
            )


def _train_classic(
    recipe: ClassicRecipe,
    people: Corpus,
    corpora: Path,
    output: Path,
    out_of_set: Path | None,
    *,
    as_json: bool,
) -> None:
    from voiceprint.training.classification import train_classic

    typer.echo(f"learning from {count(len(people.filter(split='train')), 'clip')}", err=True)
    outcome = train_classic(
        recipe, people, corpora=corpora, folder=output, out_of_set=_out_of_set(out_of_set)
    )
    if as_json:
        print_json({**asdict(outcome), "rejection": {"p_fa": None, **outcome.rejection.to_dict()}})
        return
    typer.echo(_rejection_text(outcome.rejection.to_dict()))
    typer.echo(
        f"{plain(output)}: dev accuracy {percent(outcome.accuracy.value)} of {count(outcome.clips, 'clip')}"
    )


def _rejection_text(rejection: dict[str, Any]) -> str:
    accepted = f", {percent(rejection['p_fa'])} of out-of-set clips accepted" if "p_fa" in rejection else ""
    return (
        f"--reject names nobody below a similarity of {rejection['threshold']:.3f}: "
        f"{percent(rejection['p_miss'])} of the people's dev clips rejected{accepted}"
    )


def _rejection(card: ModelCard) -> dict[str, Any]:
    return {"rejection": card.extra["classifier"]["rejection"]}
