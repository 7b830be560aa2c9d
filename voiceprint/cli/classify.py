"""``voiceprint classify``: which of a few named people speaks."""

from __future__ import annotations

import json
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from voiceprint.cli.classifier_training import CheckpointOption, export, name_left_out, train
from voiceprint.cli.commands import examples, group
from voiceprint.cli.each_clip import answer_each, end_with
from voiceprint.cli.options import ChannelOption, CheckpointName, JsonOption, MinSpeechOption
from voiceprint.cli.process import ERROR
from voiceprint.cli.terminal import count, number, print_json, print_table, progress_of
from voiceprint.files.whole import write_whole
from voiceprint.percent import percent, percent_range

if TYPE_CHECKING:
    from voiceprint.classification import ClassificationReport, ClassifierModel, Prediction
    from voiceprint.corpus import Corpus

_EXIT_CODES = {"identified": 0, "unknown": 1, "not_enough_speech": ERROR}


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
    with progress_of("classifying", quiet=as_json) as progress:
        report = evaluate_classifier(classifier, chosen, progress=lambda done: progress(done, len(chosen)))
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
    opened = _open(model, checkpoint)
    predict = partial(
        opened.predict, channel=channel, reject=reject, threshold=threshold, min_speech=min_speech
    )
    answers, failed = answer_each(files, predict)
    if as_json:
        print_json({"model": opened.title, "predictions": answers, "failed": failed})
    elif answers:
        print_table(
            ("clip", "who", "probability", "similarity", "others"),
            map(_row, answers),
            right=("probability", "similarity"),
        )
    end_with([_EXIT_CODES[answer.decision] for answer in answers], clips=len(files))


app = group(
    "Tell a few named people apart: train a classifier on a folder of clips, measure it, use it.",
    train=train,
    eval=evaluate,
    predict=predict,
    export=export,
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
        from voiceprint.corpus.splits import read_people

        name_left_out(clips)
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
