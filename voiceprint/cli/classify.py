"""``voiceprint classify``: which of a few named people speaks."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from voiceprint.cli.advice import explain
from voiceprint.cli.commands import examples, group
from voiceprint.cli.options import (
    ChannelOption,
    CorporaOption,
    DeviceOption,
    JsonOption,
    MinSpeechOption,
    OverwriteOption,
    SetOption,
)
from voiceprint.cli.process import ERROR, INTERRUPTED, PARTLY
from voiceprint.cli.terminal import count, number, plain, print_json, print_table, progress_bar
from voiceprint.files.whole import write_whole
from voiceprint.percent import percent, percent_range

if TYPE_CHECKING:
    from voiceprint.classification import ClassificationReport, ClassifierModel, Prediction
    from voiceprint.corpus import Corpus
    from voiceprint.model.card import ModelCard
    from voiceprint.training.classification import ClassicRecipe

__all__ = ["app"]

# The words of ClipSplit (corpus.clip_splits) and Checkpoint (training.export.from_run), which
# would be slow to import for --help.
SplitName = Literal["random", "blocks", "manifest"]
CheckpointName = Literal["best", "last"]

_EXIT_CODES = {"identified": 0, "unknown": 1}

CheckpointOption = Annotated[
    CheckpointName, typer.Option("--checkpoint", help="That of the highest dev accuracy, or the newest.")
]
OutsidersOption = Annotated[
    Path | None,
    typer.Option(
        "--outsiders",
        metavar="CORPUS",
        help="Clips of out-of-set speakers (a manifest's dev split), to choose the threshold with.",
    ),
]


@examples(
    "voiceprint classify train people -o runs/people --recipe configs/people.toml",
    "voiceprint classify train corpora/five_speakers -o runs/random --recipe configs/five-speakers.toml "
    "--split random",
    "voiceprint classify train people -o runs/people --recipe configs/people.toml --resume",
    "voiceprint classify train people -o runs/gmm --recipe configs/gmm.toml --outsiders others",
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
    split: Annotated[
        SplitName | None,
        typer.Option(
            "--split",
            help="Which clips are held out: 10 % at random, or of everybody the last of consecutive clips.",
            show_default="the manifest's, or blocks where it has none",
        ),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of the random split.")] = 43,
    corpora: CorporaOption = Path("corpora"),
    changes: SetOption = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue the run from its last checkpoint.")
    ] = False,
    init: Annotated[
        Path | None,
        typer.Option("--init", metavar="MODEL", help="Model to start from: a folder, or its name."),
    ] = None,
    device: DeviceOption = "cpu",
    threads: Annotated[int, typer.Option(help="Threads of the encoder; one is often fastest.")] = 1,
    export: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Write the best checkpoint as a model folder, too.")
    ] = None,
    outsiders: OutsidersOption = None,
    as_json: JsonOption = False,
) -> None:
    """Train a classifier of the people in a folder.

    Any recipe whose loss classifies will do, or that of GMMs or of an SVM.
    Noise or a background that the recipe names is looked for in --corpora. Ctrl-C saves a checkpoint and
    stops; --resume continues as if there had been no break.
    """
    import torch

    from voiceprint.cli.training import say_outcome
    from voiceprint.cli.training_display import Display
    from voiceprint.training.classification import (
        export_classifier,
        read_classifier_recipe,
        read_clips,
        train_classifier,
    )
    from voiceprint.training.run.criterion import ACCURACY
    from voiceprint.training.run.recipe import Recipe

    if export is not None and export.exists():
        raise typer.BadParameter(f"--export {export}: exists already; name another folder")
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)  # decaying moments turn denormal, and a CPU is slow with those
    chosen = read_classifier_recipe(recipe, changes or [])
    _name_left_out(clips)
    people = read_clips(clips, split=split, seed=seed)
    if not isinstance(chosen, Recipe):
        _refuse({"--resume": resume, "--init": init, "--export": export, "--device": device != "cpu"})
        _train_classic(chosen, people, corpora, output, outsiders, as_json=as_json)
        return
    with Display(output, quiet=as_json, tensorboard=False, criterion=ACCURACY) as display:
        outcome = train_classifier(
            chosen,
            people,
            corpora=corpora,
            folder=output,
            resume=resume,
            init=init,
            device=device,
            callbacks=display,
        )
    say_outcome(outcome, as_json=as_json)
    if not outcome.finished:
        raise typer.Exit(INTERRUPTED)
    if export is not None:
        card = export_classifier(output, export, out_of_set=_out_of_set(outsiders))
        typer.echo(f"{card.title} is in {plain(export)}", err=as_json)


@examples(
    "voiceprint classify eval runs/people",
    "voiceprint classify eval runs/people --part dev -o figures",
    "voiceprint classify eval mymodel people-of-today --json",
)
def evaluate(
    model: Annotated[Path, typer.Argument(metavar="RUN|MODEL", help="A run, or a model folder.")],
    clips: Annotated[
        Path | None,
        typer.Argument(
            metavar="CLIPS",
            help="A folder with a folder of clips for each person, or a manifest.",
            show_default="the run's held-out clips",
        ),
    ] = None,
    part: Annotated[
        str | None,
        typer.Option("--part", help="Which split.", show_default="test, else dev, else all clips"),
    ] = None,
    checkpoint: CheckpointOption = "best",
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FOLDER", help="Write report.json and pictures there."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Measure a classifier: accuracy, precision and recall, who was taken for whom.

    The interval (95 %) takes clips for independent of each other; parts of one recording are not.
    """
    from voiceprint.classification import evaluate_classifier

    classifier = _open(model, checkpoint).classifier
    chosen, kind = _part(_clips(model, clips), part)
    with progress_bar(quiet=as_json) as bar:
        task = bar.add_task("classifying", total=len(chosen))
        report = evaluate_classifier(
            classifier, chosen, progress=lambda done: bar.update(task, completed=done)
        )
    facts = {"title": f"{model.name}, {kind}", "part": kind, **asdict(report)}
    if output is not None:
        _write(output, model, report, facts)
    if as_json:
        print_json(facts)
    else:
        _print_report(report, kind)


@examples(
    "voiceprint classify predict mymodel who.wav",
    "voiceprint classify predict mymodel *.wav --reject --json",
    "voiceprint classify predict runs/gmm who.wav --reject",
)
def predict(
    model: Annotated[Path, typer.Argument(metavar="RUN|MODEL", help="A run, or a model folder.")],
    files: Annotated[list[str], typer.Argument(metavar="FILES...", help="Clips; - is standard input.")],
    reject: Annotated[
        bool, typer.Option("--reject", help="Say unknown where it is none of the people.")
    ] = False,
    threshold: Annotated[
        float | None,
        typer.Option(
            "--threshold",
            help="Lowest similarity (cosine, of GMMs nats a frame) that is somebody's; implies --reject.",
            show_default="the model's, chosen on dev clips",
        ),
    ] = None,
    channel: ChannelOption = None,
    min_speech: MinSpeechOption = 0.5,
    checkpoint: CheckpointOption = "best",
    as_json: JsonOption = False,
) -> None:
    """Name the speaker of each clip, with the probability of everybody.

    Without --reject somebody is named whoever speaks. Nobody is named where there is too little speech. Exits
    with 1 if a clip is unknown, with 3 if some clips cannot be read or hold too little speech, and with 2 if
    all do. A run of an encoder is to be exported before it can reject anybody.
    """
    from voiceprint.errors import AudioError, VoiceprintError

    opened = _open(model, checkpoint)
    answers: list[Prediction] = []
    failed: dict[str, str] = {}
    for file in files:
        try:
            answer = opened.predict(
                file, channel=channel, reject=reject, threshold=threshold, min_speech=min_speech
            )
        except AudioError as error:
            if len(files) == 1:
                raise
            failed[file] = explain(error)
            typer.echo(f"no answer: {plain(failed[file])}", err=True)
        else:
            answers.append(answer)
    if as_json:
        print_json({"model": opened.title, "predictions": answers, "failed": failed})
    elif answers:
        print_table(
            ("clip", "who", "probability", "similarity", "others"),
            map(_row, answers),
            right=("probability", "similarity"),
        )
    if not answers:
        raise VoiceprintError(f"none of the {len(files)} clips can be read")
    raise typer.Exit(_exit_code(answers, len(failed)))


def _exit_code(answers: Sequence[Prediction], failed: int) -> int:
    """Return the highest code of a verdict; without one for every clip, 3, and without any, 2."""
    verdicts = [_EXIT_CODES[answer.decision] for answer in answers if answer.decision in _EXIT_CODES]
    if not verdicts:
        return ERROR
    return max(verdicts) if len(verdicts) == len(answers) + failed else PARTLY


@examples(
    "voiceprint classify export runs/people -o mymodel",
    "voiceprint classify export runs/people -o mymodel --outsiders corpora/others",
)
def export(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a classification run.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FOLDER", help="The model folder.")],
    checkpoint: CheckpointOption = "best",
    outsiders: OutsidersOption = None,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Make a model folder of a run, which predict and eval need no torch for.

    The threshold of --reject is put where as many dev clips of the people are rejected as clips of
    --outsiders are accepted; without those, where 5 % of the people's dev clips are rejected.
    """
    import torch

    from voiceprint.training.classification import export_classifier

    torch.set_num_threads(1)
    card = export_classifier(
        run, output, checkpoint=checkpoint, out_of_set=_out_of_set(outsiders), overwrite=overwrite
    )
    if as_json:
        print_json({"folder": output, "model": card.title, "id": card.id, **_rejection(card)})
        return
    typer.echo(_rejection_text(card.extra["classifier"]["rejection"]))
    typer.echo(f"{plain(card.title)} is in {plain(output)}")


app = group(
    "Tell a few named people apart: train a classifier on a folder of clips, measure it, use it.",
    train=train,
    eval=evaluate,
    predict=predict,
    export=export,
)


def _out_of_set(path: Path | None) -> Corpus | None:
    if path is None:
        return None
    from voiceprint.corpus.clip_splits import read_people

    _name_left_out(path)
    corpus = read_people(path)
    return corpus.filter(split="dev") if "dev" in corpus.splits else corpus


def _name_left_out(source: Path) -> None:
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
    outsiders: Path | None,
    *,
    as_json: bool,
) -> None:
    from voiceprint.training.classification import train_classic

    typer.echo(f"learning from {count(len(people.filter(split='train')), 'clip')}", err=True)
    outcome = train_classic(recipe, people, corpora=corpora, folder=output, out_of_set=_out_of_set(outsiders))
    if as_json:
        print_json({**asdict(outcome), "rejection": {"p_fa": None, **outcome.rejection.to_dict()}})
        return
    typer.echo(_rejection_text(outcome.rejection.to_dict()))
    typer.echo(
        f"{plain(output)}: dev accuracy {percent(outcome.accuracy.value)} of {count(outcome.clips, 'clip')}"
    )


def _open(model: Path, checkpoint: CheckpointName) -> ClassifierModel:
    """A run or a model folder, whatever it was trained by."""
    if not (model / "recipe.json").exists():
        from voiceprint.classification import ClassifierModel

        return ClassifierModel.open(model)
    import torch

    from voiceprint.training.classification import open_run

    torch.set_num_threads(1)
    return open_run(model, checkpoint=checkpoint)


def _clips(model: Path, clips: Path | None) -> Corpus:
    if clips is not None:
        from voiceprint.corpus.clip_splits import read_people

        _name_left_out(clips)
        return read_people(clips)
    if not (model / "recipe.json").exists():
        raise typer.BadParameter("a model folder does not know its clips; give CLIPS")
    from voiceprint.training.classification import read_run_clips

    return read_run_clips(model)


def _part(corpus: Corpus, part: str | None) -> tuple[Corpus, str]:
    """The split that is measured, and its name."""
    chosen = part or next((split for split in ("test", "dev") if split in corpus.splits), None)
    return (corpus, "all clips") if chosen is None else (corpus.filter(split=chosen), chosen)


def _write(folder: Path, model: Path, report: ClassificationReport, facts: dict[str, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / "report.json", json.dumps(facts, indent=2) + "\n")
    from voiceprint.training.classification.figures import draw_confusion, draw_curves  # need matplotlib

    draw_confusion(report.confusion, folder / "confusion.png", title=facts["title"])
    from voiceprint.training.run.metrics_log import read_metrics

    if steps := read_metrics(model):  # a model folder has none, and neither has what learns in one go
        draw_curves(steps, folder / "curves.png", title=model.name)


def _print_report(report: ClassificationReport, kind: str) -> None:
    rows = [(each.name, each.clips, percent(each.precision), percent(each.recall)) for each in report.classes]
    print_table(("speaker", "clips", "precision", "recall"), rows, right=("clips", "precision", "recall"))
    names = report.confusion.names
    typer.echo("\nwho it was, and how often each was answered:")
    print_table(
        ("", *names),
        [(name, *row) for name, row in zip(names, report.confusion.counts, strict=True)],
        right=names,
    )
    typer.echo(
        f"\naccuracy on {kind}: {percent(report.accuracy.value)} of {count(report.confusion.total, 'clip')} "
        f"(95 %: {percent_range(report.accuracy.low, report.accuracy.high)})"
    )
    if report.not_enough_speech:
        typer.echo(f"{count(report.not_enough_speech, 'clip')} with too little speech for predict to name")


def _row(answer: Prediction) -> tuple[str, str, str, str, str]:
    who = answer.name or answer.decision.replace("_", " ")
    ranked = answer.probabilities
    return (
        answer.source,
        who,
        percent(ranked[0].probability) if ranked else "-",
        number(answer.similarity, 3),
        ", ".join(f"{each.name} {percent(each.probability)}" for each in ranked[1:4]),
    )


def _rejection_text(rejection: dict[str, Any]) -> str:
    accepted = f", {percent(rejection['p_fa'])} of out-of-set clips accepted" if "p_fa" in rejection else ""
    return (
        f"--reject names nobody below a similarity of {rejection['threshold']:.3f}: "
        f"{percent(rejection['p_miss'])} of the people's dev clips rejected{accepted}"
    )


def _rejection(card: ModelCard) -> dict[str, Any]:
    return {"rejection": card.extra["classifier"]["rejection"]}
