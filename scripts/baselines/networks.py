"""Rows that train a network, by the functions behind ``voiceprint train`` and ``voiceprint classify``."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import numpy as np

from baselines.bench import SPLITS, Bench, clips_a_batch, five_speakers
from baselines.models import measure_model, milliseconds
from baselines.records import Accuracy, Confusion, Measured
from voiceprint.classification import evaluate_classifier
from voiceprint.errors import ConfigError
from voiceprint.training.baselines import confusion_interval
from voiceprint.training.classification import load_classifier, train_classifier
from voiceprint.training.launch import Watcher, train
from voiceprint.training.recipe import Recipe
from voiceprint.training.runs import export_run, load_encoder, read_metrics
from voiceprint.training.trainer import StepReport

__all__ = ["Stopwatch", "classify_five", "train_network", "verify_network"]


class Stopwatch(Watcher):
    """Ends a run, as Ctrl-C does, when it has trained for as long as it may."""

    def __init__(self, run: Path, cap_minutes: float) -> None:
        self.run, self.cap = run, 60 * cap_minutes
        self.started = time.perf_counter()
        self.before = 0.0

    def starting(self, step: int, steps: int) -> None:
        """Count from here, and what an earlier run of the same row took."""
        self.before = training_seconds(self.run)
        self.started = time.perf_counter()

    def stepped(self, report: StepReport) -> None:
        """Look at the clock."""
        if self.before + time.perf_counter() - self.started > self.cap:
            signal.raise_signal(signal.SIGINT)


def training_seconds(run: Path) -> float:
    """How long the steps of a run took, validations among them."""
    return float(sum(line["seconds"] for line in read_metrics(run)))


def train_network(name: str, bench: Bench) -> Path:
    """Train an encoder on the training speakers, or go on; return its run, which another row may share."""
    recipe, run = bench.network(name), bench.folder / "runs" / name
    _require_default_data(recipe, bench)
    train(
        recipe,
        corpora=bench.corpora,
        pool=bench.folder / "pool",
        folder=run,
        resume=True,
        watcher=Stopwatch(run, bench.cap_minutes),
    )
    return run


def verify_network(name: str, bench: Bench) -> Measured:
    """Train an encoder to verify, and measure the model folder that comes of it."""
    run = train_network(name, bench)
    folder = model_of(run, bench)
    trained = load_encoder(run, checkpoint="last")
    return Measured(
        parameters=sum(p.numel() for p in trained.encoder.parameters()),
        clips_seen=trained.step * clips_a_batch(trained.recipe.batches),
        training_minutes=training_seconds(run) / 60,
        ms_per_clip=milliseconds(folder),
        converged=ended(run, trained.step, bench),
        figures=tuple(measure_model(folder, bench)),
    )


def classify_five(name: str, bench: Bench) -> Measured:
    """Train a classifier of the five speakers on either split, and measure it on what is held out."""
    figures, confusions = [], []
    seconds = answering = 0.0
    clips_seen = parameters = 0
    converged = True
    for kind, measured in SPLITS.items():
        corpus = five_speakers(bench.corpora, kind)
        recipe, run = bench.network(name), bench.folder / "runs" / f"{name}-{kind}"
        train_classifier(
            recipe,
            corpus,
            corpora=bench.corpora,
            folder=run,
            resume=True,
            watcher=Stopwatch(run, bench.cap_minutes / len(SPLITS)),
        )
        trained = load_classifier(run)
        held_out = corpus.filter(split=measured)
        start = time.perf_counter()
        report = evaluate_classifier(trained.classifier(), held_out)
        answering = 1000 * (time.perf_counter() - start) / len(held_out)
        interval = confusion_interval(report.confusion, generator=np.random.default_rng(0))
        figures.append(Accuracy.of(f"accuracy/{kind}", interval))
        confusions.append(Confusion(title=kind, names=report.confusion.names, counts=report.confusion.counts))
        last = load_encoder(run, checkpoint="last").step
        seconds += training_seconds(run)
        clips_seen += last * clips_a_batch(recipe.batches)
        parameters = trained.parameters
        converged = converged and ended(run, last, bench, share=1 / len(SPLITS))
    return Measured(
        parameters=parameters,
        clips_seen=clips_seen,
        training_minutes=seconds / 60,
        ms_per_clip=answering,
        converged=converged,
        figures=tuple(figures),
        confusions=tuple(confusions),
    )


def model_of(run: Path, bench: Bench) -> Path:
    """Export the best checkpoint of a run; return the model folder."""
    folder = bench.folder / "models" / run.name
    export_run(run, folder, corpora=bench.corpora)
    return folder


def ended(run: Path, step: int, bench: Bench, *, share: float = 1.0) -> bool:
    """Whether a run came to its own end, and was not cut off by the cap."""
    steps = load_encoder(run, checkpoint="last").recipe.trainer.steps
    return step >= steps or training_seconds(run) < 60 * share * bench.cap_minutes


def _require_default_data(recipe: Recipe, bench: Bench) -> None:
    default = bench.network("default").data
    if (recipe.data.train, recipe.data.dev) != (default.train, default.dev):
        raise ConfigError(
            f"{recipe.name}: trains on {', '.join(recipe.data.train)}; rows are compared on the same data, "
            f"{', '.join(default.train)}"
        )
