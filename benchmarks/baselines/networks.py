"""Rows that train a network, by the functions behind ``voiceprint train`` and ``voiceprint classify``."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks.baselines.bench import SPLITS, Bench, clips_a_batch, default_clips, five_speakers
from benchmarks.baselines.models import measure_by_distance, measure_model, milliseconds, parameters_of
from benchmarks.baselines.named_speakers import of_split, together
from benchmarks.baselines.records import Accuracy, Costs, Measured, note_commit, trained_at
from voiceprint.classification import evaluate_classifier
from voiceprint.errors import ConfigError
from voiceprint.training.classification import load_classifier, train_classifier
from voiceprint.training.encoders import ConvBiLSTMConfig
from voiceprint.training.export.from_run import export_run
from voiceprint.training.run.callbacks import Callbacks
from voiceprint.training.run.launch import Outcome, train
from voiceprint.training.run.metrics_log import read_metrics
from voiceprint.training.run.recipe import Recipe
from voiceprint.training.run.trainer import StepReport

_SEEDS = (1, 2, 3)


class Stopwatch(Callbacks):
    """Ends a run, as Ctrl-C does, when it has trained for as long as it may; notes whose code trains it."""

    def __init__(self, run: Path, cap_minutes: float) -> None:
        self.run, self.cap = run, 60 * cap_minutes
        self.started = time.perf_counter()
        self.before = 0.0
        self.capped = self.noted = False

    def starting(self, step: int, steps: int) -> None:
        """Count from here, and what an earlier run of the same row took."""
        self.before = training_seconds(self.run)
        self.started = time.perf_counter()

    def stepped(self, report: StepReport) -> None:
        """Look at the clock."""
        if not self.noted:
            note_commit(self.run, first_step=report.step)
            self.noted = True
        if self.before + time.perf_counter() - self.started > self.cap:
            self.capped = True
            signal.raise_signal(signal.SIGINT)


def training_seconds(run: Path) -> float:
    """How long the steps of a run took, validations among them."""
    return float(sum(line["seconds"] for line in read_metrics(run)))


def train_capped(
    go_on: Callable[[Recipe, Callbacks], Outcome], recipe: Recipe, run: Path, cap_minutes: float
) -> Outcome:
    """Train to the recipe's end or the clock's; where that was the clock's, one step more, with a validation.

    Otherwise nothing would be made of the steps since the last validation, and without any there is no model.
    ``go_on`` begins or continues ``run``.
    """
    watch = Stopwatch(run, cap_minutes)
    outcome = go_on(recipe, watch)
    if outcome.finished:
        return outcome
    if watch.capped:
        last = replace(recipe, trainer=replace(recipe.trainer, steps=outcome.step + 1))
        closed = go_on(last, Callbacks())
        if closed.finished:
            return replace(closed, steps=outcome.steps, finished=closed.step == outcome.steps)
    raise KeyboardInterrupt  # somebody stopped it


def learned_all_it_can(outcome: Outcome, recipe: Recipe) -> bool:
    """Whether dev figures stopped improving, or the run saw as many clips as the default model.

    A recipe that asks for fewer clips, because more would outlast the cap, is as unconverged as a run that
    the clock stopped.
    """
    stopped_improving = outcome.finished and outcome.step < outcome.steps
    batch = clips_a_batch(recipe.batches)
    return stopped_improving or (outcome.step + 1) * batch > default_clips()


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedNetwork:
    """A network that was trained to verify.

    Parameters
    ----------
    model : Path
        The model folder of its best checkpoint, of the default's encoder with WCCN like the default itself.
    plain : Path
        The same without WCCN: its outputs as the loss saw them.
    measured : Measured
        What training it took; nothing is measured yet.
    """

    model: Path
    plain: Path
    measured: Measured


def train_network(name: str, bench: Bench) -> TrainedNetwork:
    """Train an encoder on the training speakers, or go on, and export it."""
    recipe, run, pool = bench.network(name), bench.folder / "runs" / name, bench.folder / "pool"
    _require_default_data(recipe, bench)

    def go_on(recipe: Recipe, callbacks: Callbacks) -> Outcome:
        return train(recipe, corpora=bench.corpora, pool=pool, folder=run, resume=True, callbacks=callbacks)

    outcome = train_capped(go_on, recipe, run, bench.cap_minutes)
    plain = model = _export(run, bench.folder / "models" / name, bench)
    if isinstance(recipe.encoder, ConvBiLSTMConfig):  # the default's kind, of whatever width
        model = _export(run, bench.folder / "models" / f"{name}-wccn", bench, wccn=pool)
    measured = Measured(
        parameters=parameters_of(model),
        clips_seen=outcome.step * clips_a_batch(recipe.batches),
        training_minutes=training_seconds(run) / 60,
        ms_per_clip=milliseconds(model),
        converged=learned_all_it_can(outcome, recipe),
        commits=trained_at(run),
    )
    return TrainedNetwork(model=model, plain=plain, measured=measured)


def verify_network(name: str, bench: Bench, *, by_distance: bool = False) -> Measured:
    """Train an encoder to verify, and measure the model folder that comes of it; by distance as well."""
    return measure_trained(train_network(name, bench), bench, by_distance=by_distance)


def measure_trained(trained: TrainedNetwork, bench: Bench, *, by_distance: bool = False) -> Measured:
    """What `measure_model` finds of a trained network; by distance as well, of its outputs as they come."""
    figures = measure_model(trained.model, bench)
    if by_distance:
        figures += measure_by_distance(trained.plain, bench)
    return replace(trained.measured, figures=tuple(figures))


def _export(run: Path, folder: Path, bench: Bench, *, wccn: Path | None = None) -> Path:
    """Make the model folder of a run anew."""
    export_run(run, folder, corpora=bench.corpora, wccn=wccn, overwrite=True)
    return folder


def classify_five(row: str, recipe: Recipe, bench: Bench) -> Measured:
    """Train a classifier of the five speakers on either split, and measure it on what is held out."""
    share = bench.cap_minutes / len(SPLITS)
    halves = [_classify(f"{row}-{kind}", recipe, kind, share, bench) for kind in SPLITS]
    return together(halves)


def first_epochs(row: str, recipe: Recipe, bench: Bench) -> Measured:
    """Train classifiers for one epoch of the random split, each from other weights; from worst to best."""
    one = replace(recipe, trainer=replace(recipe.trainer, steps=recipe.trainer.validate_every))
    runs = [
        _classify(f"{row}-{seed}", replace(one, seed=seed), "random", bench.cap_minutes / 3, bench)
        for seed in _SEEDS
    ]
    values = [run.figures[0].value for run in runs]
    figure = Accuracy(what="first-epoch", value=float(np.mean(values)), low=min(values), high=max(values))
    return replace(together(runs), figures=(figure,), confusions=())


def _classify(name: str, recipe: Recipe, kind: str, cap_minutes: float, bench: Bench) -> Measured:
    """One run of a classifier, on one split."""
    corpus, run = five_speakers(bench.corpora, kind), bench.folder / "runs" / name

    def go_on(recipe: Recipe, callbacks: Callbacks) -> Outcome:
        return train_classifier(
            recipe, corpus, corpora=bench.corpora, folder=run, resume=True, callbacks=callbacks
        )

    outcome = train_capped(go_on, recipe, run, cap_minutes)
    trained, held_out = load_classifier(run), corpus.filter(split=SPLITS[kind])
    start = time.perf_counter()
    report = evaluate_classifier(trained.classifier(), held_out)
    answering = time.perf_counter() - start
    costs = Costs(
        parameters=trained.parameters,
        clips_seen=outcome.step * clips_a_batch(recipe.batches),
        training_minutes=training_seconds(run) / 60,
        ms_per_clip=1000 * answering / len(held_out),
    )
    measured = of_split(kind, report.confusion, costs)
    return replace(measured, converged=outcome.finished, commits=trained_at(run))


def _require_default_data(recipe: Recipe, bench: Bench) -> None:
    default = bench.network("default").data
    if (recipe.data.train, recipe.data.dev) != (default.train, default.dev):
        raise ConfigError(
            f"{recipe.name}: trains on {', '.join(recipe.data.train)}; rows are compared on the same data, "
            f"{', '.join(default.train)}"
        )
