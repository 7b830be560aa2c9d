"""``voiceprint classify``: which of a few named people is heard."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from voiceprint.cli.commands import examples, group
from voiceprint.cli.options import CorporaOption, DeviceOption, JsonOption, MinSpeechOption, SetOption
from voiceprint.cli.terminal import count, number, plain, print_json, print_table, progress_bar

if TYPE_CHECKING:
    from voiceprint.card import ModelCard
    from voiceprint.classification import ClassificationReport, Prediction, SpeakerClassifier
    from voiceprint.corpus import Corpus

__all__ = ["app"]

# The same words as voiceprint.corpus.clip_splits.ClipSplit and voiceprint.training.runs.Checkpoint, which
# would be slow to import for --help.
SplitName = Literal["random", "blocks", "manifest"]
CheckpointName = Literal["best", "last"]

_EXIT_CODES = {"identified": 0, "unknown": 1, "not_enough_speech": 2}

CheckpointOption = Annotated[
    CheckpointName, typer.Option("--checkpoint", help="That of the highest dev accuracy, or the newest.")
]
OutsidersOption = Annotated[
    Path | None,
    typer.Option(
        "--outsiders",
        metavar="CORPUS",
        help="Clips of other people (a manifest's dev split, if it has one), to choose the threshold with.",
    ),
]


@examples(
    "voiceprint classify train people -o runs/people --recipe configs/people.toml",
    "voiceprint classify train corpora/five_speakers -o runs/random --recipe configs/five-speakers.toml "
    "--split random",
    "voiceprint classify train people -o runs/people --recipe configs/people.toml --resume",
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
        Path, typer.Option("--recipe", metavar="RECIPE", help="A TOML file whose loss classifies.")
    ],
    split: Annotated[
        SplitName | None,
        typer.Option(
            "--split",
            help="Which clips are held out: 10 % at random, or of everybody the last of consecutive clips.",
            show_default="the manifest's, or blocks where it has none",
        ),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the random split.")] = 43,
    corpora: CorporaOption = Path("corpora"),
    changes: SetOption = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue the run from its last checkpoint.")
    ] = False,
    init: Annotated[
        Path | None, typer.Option("--init", metavar="MODEL", help="Model folder to start from.")
    ] = None,
    device: DeviceOption = "cpu",
    threads: Annotated[int, typer.Option(min=1, help="Threads of the encoder; one is often fastest.")] = 1,
    export: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Write the best checkpoint as a model folder, too.")
    ] = None,
    outsiders: OutsidersOption = None,
    as_json: JsonOption = False,
) -> None:
    """Train a classifier of the people in a folder.

    Noise that the recipe names is looked for in --corpora. Ctrl-C saves a checkpoint and stops; --resume
    continues as if there had been no break.
    """
    import torch

    from voiceprint.cli.training import say_outcome
    from voiceprint.cli.training_display import Display
    from voiceprint.training.classification import export_classifier, read_clips, train_classifier
    from voiceprint.training.criterion import ACCURACY
    from voiceprint.training.recipe import read_recipe

    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)  # decaying moments turn denormal, and a CPU is slow with those
    chosen = read_recipe(recipe, changes or [])
    people = read_clips(clips, split=split, seed=seed)
    with Display(output, quiet=as_json, tensorboard=False, criterion=ACCURACY) as display:
        outcome = train_classifier(
            chosen,
            people,
            corpora=corpora,
            folder=output,
            resume=resume,
            init=init,
            device=device,
            watcher=display,
        )
    say_outcome(outcome, as_json=as_json)
    if not outcome.finished:
        raise typer.Exit(130)
    if export is not None:
        card = export_classifier(output, export, outsiders=_outsiders(outsiders))
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

    The interval (95 %) takes the clips for independent of each other; seconds of one recording are not.
    """
    from voiceprint.classification import evaluate_classifier

    classifier = _classifier(model, checkpoint)
    chosen, kind = _part(_clips(model, clips), part)
    with progress_bar(quiet=as_json) as bar:
        task = bar.add_task("listening", total=len(chosen))
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
)
def predict(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="A model folder of a classifier.")],
    files: Annotated[list[str], typer.Argument(metavar="FILES...", help="Clips; - is standard input.")],
    reject: Annotated[
        bool, typer.Option("--reject", help="Say unknown where it is none of the people.")
    ] = False,
    threshold: Annotated[
        float | None,
        typer.Option(
            "--threshold",
            min=-1.0,
            max=1.0,
            help="Lowest similarity that is somebody's; implies --reject.",
            show_default="the model's, chosen on dev clips",
        ),
    ] = None,
    min_speech: MinSpeechOption = 0.5,
    as_json: JsonOption = False,
) -> None:
    """Name who is heard in each clip, with the probability of everybody.

    Without --reject somebody is named whoever speaks. Nobody is named where there is too little speech. Exits
    with 1 if a clip is unknown, with 2 if one holds too little speech.
    """
    from voiceprint.classification import ClassifierModel

    opened = ClassifierModel.open(model)
    answers = [
        opened.predict(file, reject=reject, threshold=threshold, min_speech=min_speech) for file in files
    ]
    if as_json:
        print_json({"model": opened.title, "predictions": answers})
    else:
        print_table(
            ("clip", "who", "probability", "similarity", "others"),
            map(_row, answers),
            right=("probability", "similarity"),
        )
    raise typer.Exit(max(_EXIT_CODES[answer.decision] for answer in answers))


@examples(
    "voiceprint classify export runs/people -o mymodel",
    "voiceprint classify export runs/people -o mymodel --outsiders corpora/others",
)
def export(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a classification run.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FOLDER", help="The model folder.")],
    checkpoint: CheckpointOption = "best",
    outsiders: OutsidersOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a model folder of a run, which predict and eval need no torch for.

    The threshold of --reject is put where as many dev clips of the people are rejected as clips of
    --outsiders are accepted; without those, where 5 % of the people's dev clips are rejected.
    """
    import torch

    from voiceprint.training.classification import export_classifier

    torch.set_num_threads(1)
    card = export_classifier(run, output, checkpoint=checkpoint, outsiders=_outsiders(outsiders))
    if as_json:
        print_json({"folder": output, "model": card.title, "id": card.id, **_rejection(card)})
        return
    rejection = _rejection(card)["rejection"]
    accepted = f", {rejection['p_fa']:.1%} of outsiders' clips accepted" if "p_fa" in rejection else ""
    typer.echo(
        f"--reject names nobody below a similarity of {rejection['threshold']:.3f}: "
        f"{rejection['p_miss']:.1%} of the people's dev clips rejected{accepted}"
    )
    typer.echo(f"{plain(card.title)} is in {plain(output)}")


app = group(
    "Tell a few named people apart: train a classifier on a folder of clips, measure it, use it.",
    train=train,
    eval=evaluate,
    predict=predict,
    export=export,
)


def _outsiders(path: Path | None) -> Corpus | None:
    if path is None:
        return None
    from voiceprint.corpus.clip_splits import read_people

    corpus = read_people(path)
    return corpus.filter(split="dev") if "dev" in corpus.splits else corpus


def _classifier(model: Path, checkpoint: CheckpointName) -> SpeakerClassifier:
    if not (model / "recipe.json").exists():
        from voiceprint.classification import ClassifierModel

        return ClassifierModel.open(model).classifier
    import torch

    from voiceprint.training.classification import load_classifier

    torch.set_num_threads(1)
    return load_classifier(model, checkpoint=checkpoint).classifier()


def _clips(model: Path, clips: Path | None) -> Corpus:
    if clips is not None:
        from voiceprint.corpus.clip_splits import read_people

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
    (folder / "report.json").write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    from voiceprint.training.classification.figures import draw_confusion, draw_curves  # need matplotlib

    draw_confusion(report.confusion, folder / "confusion.png", title=facts["title"])
    if (model / "recipe.json").exists():
        from voiceprint.training.runs import read_metrics

        draw_curves(read_metrics(model), folder / "curves.png", title=model.name)


def _print_report(report: ClassificationReport, kind: str) -> None:
    rows = [
        (each.name, each.clips, _percent(each.precision), _percent(each.recall)) for each in report.classes
    ]
    print_table(("speaker", "clips", "precision", "recall"), rows, right=("clips", "precision", "recall"))
    names = report.confusion.names
    typer.echo("\nwho it was, and how often each was answered:")
    print_table(
        ("", *names),
        [(name, *row) for name, row in zip(names, report.confusion.counts, strict=True)],
        right=names,
    )
    typer.echo(
        f"\naccuracy on {kind}: {report.accuracy.value:.2%} of {count(report.confusion.total, 'clip')} "
        f"(95 %: {report.accuracy.low:.2%} to {report.accuracy.high:.2%})"
    )
    if report.not_enough_speech:
        typer.echo(f"{count(report.not_enough_speech, 'clip')} with too little speech for predict to name")


def _row(answer: Prediction) -> tuple[str, str, str, str, str]:
    who = answer.name or answer.decision.replace("_", " ")
    ranked = answer.probabilities
    return (
        answer.source,
        who,
        _percent(ranked[0].probability) if ranked else "-",
        number(answer.similarity, 3),
        ", ".join(f"{each.name} {_percent(each.probability)}" for each in ranked[1:4]),
    )


def _rejection(card: ModelCard) -> dict[str, Any]:
    return {"rejection": card.extra["classifier"]["rejection"]}


def _percent(rate: float | None) -> str:
    return number(None if rate is None else 100 * rate, 1, " %")
