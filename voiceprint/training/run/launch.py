"""From a recipe to a trained run: render the pool, put the trainer together, start or continue it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from voiceprint.corpus import Corpus
from voiceprint.training.augment import RoomBank
from voiceprint.training.data.pool import open_pool, read_packed, read_teacher
from voiceprint.training.data.rendering import prepare_pool
from voiceprint.training.distributed import is_leader, joined_group, world_size
from voiceprint.training.locks import locked_run
from voiceprint.training.origins import Origins, read_origins, save_origins, source_of
from voiceprint.training.run.assembly import make_trainer, weights_of
from voiceprint.training.run.callbacks import Callbacks
from voiceprint.training.run.checkpoint import LAST, join_parts
from voiceprint.training.run.memory import keep_freed_memory, keep_kernels
from voiceprint.training.run.recipe import Recipe, distils, read_saved_recipe, require_begun_with
from voiceprint.training.run.task import Task, verification_task
from voiceprint.training.run.trainer import StepReport, Trainer


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a run ended.

    Parameters
    ----------
    finished : bool
        False when it was interrupted and can be continued.
    criterion : str
        By which figure candidates were compared, as people call it.
    best : float or None
        The best that it was, a fraction; None before the first validation.
    """

    folder: Path
    step: int
    steps: int
    finished: bool
    criterion: str
    best: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendering:
    """How the speech that a pool lacks is rendered.

    Parameters
    ----------
    teacher : Path, optional
        Model folder of a teacher, for recipes that distil.
    """

    teacher: Path | None = None
    jobs: int = 1


def prepare(
    recipe: Recipe,
    *,
    corpora: Path,
    pool: Path,
    task: Task | None = None,
    rendering: Rendering | None = None,
    callbacks: Callbacks | None = None,
) -> None:
    """Render what the pool lacks of a recipe's training speech, and the rooms.

    Parameters
    ----------
    pool : Path
        Where the decoded speech is kept; several runs may share it.
    task : Task, optional
        What to train it for; verification where left out.
    rendering : Rendering, optional
        Without a teacher and in one process where left out.

    Raises
    ------
    CorpusError
        A corpus is missing, a speaker is in two splits, too many files cannot be read, or a dev corpus makes
        no trials of both kinds; or the pool holds other speech.
    """
    callbacks, rendering = callbacks or Callbacks(), rendering or Rendering()
    task = task or verification_task(recipe, corpora)
    unreadable = prepare_pool(
        task.speech,
        pool,
        voices=recipe.data.voices,
        seed=recipe.seed,
        teacher=rendering.teacher if distils(recipe) else None,
        jobs=rendering.jobs,
        progress=lambda done, total: callbacks.preparing("rendering speech", done, total),
        waiting=lambda: callbacks.waiting(pool),
    )
    callbacks.left_out(task.unreadable + unreadable)
    open_pool(pool, task.speech, voices=1 + len(recipe.data.voices))
    if recipe.augment.reverberation:
        RoomBank.open(pool, progress=lambda done, total: callbacks.preparing("rendering rooms", done, total))


def train(
    recipe: Recipe,
    *,
    corpora: Path,
    pool: Path,
    folder: Path,
    task: Task | None = None,
    resume: bool = False,
    init: Path | None = None,
    rendering: Rendering | None = None,
    device: str = "cpu",
    callbacks: Callbacks | None = None,
) -> Outcome:
    """Train a recipe, alone or as one of the processes that ``torchrun`` started.

    Parameters
    ----------
    recipe, corpora, pool, task, rendering, callbacks
        As for `prepare`; under ``torchrun`` the pool has to be there already.
    folder : Path
        The run: ``recipe.json``, ``origins.json``, ``metrics.jsonl``, ``checkpoints/``.
    resume : bool
        Continue from the newest checkpoint; start from nothing where there is none.
    init : Path, optional
        Model whose weights to start from: a folder, a registered name, or ``default``.
    device : {"cpu", "cuda"}

    Raises
    ------
    ConfigError
        The recipe, ``init`` or the teacher is not what the run was begun with, or asks for what is not there.
    CorpusError
        As for `prepare`.
    ModelError
        There is no such model as ``init`` or the teacher, or ``init`` has no weights.
    TrainingError
        The folder holds a run and ``resume`` is not set, or another process trains into it; a checkpoint or
        weights do not fit; or the loss is no longer finite.
    """
    callbacks = callbacks or Callbacks()
    with locked_run(folder):
        if task is not None and is_leader():
            task.begin(folder)
        _check_start(recipe, folder, resume=resume, init=init)
        task = task or verification_task(recipe, corpora)
        if world_size() == 1:
            prepare(recipe, corpora=corpora, pool=pool, task=task, rendering=rendering, callbacks=callbacks)
        origins = _origins(recipe, pool, init, task.speech)
        with joined_group(device) as group:
            trainer = make_trainer(
                recipe, corpora=corpora, pool=pool, folder=folder, task=task, group=group, init=init
            )
            _begin(trainer, origins, resume=resume)
            callbacks.starting(trainer.step, recipe.trainer.steps)
            keep_freed_memory()
            keep_kernels()
            callbacks.precision_chosen(*trainer.choose_precision())
            trainer.run(partial(_report, callbacks, trainer))
    return _outcome(trainer)


def _check_start(recipe: Recipe, folder: Path, *, resume: bool, init: Path | None) -> None:
    """Refuse here and now what cannot be begun or gone on with, not after an hour of rendering."""
    require_begun_with(recipe, folder, read_saved_recipe, resume=resume)
    if resume and is_leader():
        join_parts(folder / "checkpoints" / LAST)
    if init is not None:
        weights_of(init)


def _begin(trainer: Trainer, origins: Origins, *, resume: bool) -> None:
    """Begin a run, and write down what it learns from, or go on with one that learns from the same."""
    if resume and trainer.last.exists():
        origins.require_continued(read_origins(trainer.folder) or origins)
    elif trainer.group.leads:
        save_origins(origins, trainer.folder)
    trainer.begin(resume=resume)


def _origins(recipe: Recipe, pool: Path, init: Path | None, speech: Corpus) -> Origins:
    return Origins(
        init=None if init is None else source_of(init),
        teacher=read_teacher(pool) if distils(recipe) else None,
        pack=read_packed(pool),
        speakers=hashlib.sha256("\n".join(speech.speakers).encode()).hexdigest(),
    )


def _report(callbacks: Callbacks, trainer: Trainer, report: StepReport) -> None:
    callbacks.stepped(report)
    if report.measures is not None:
        callbacks.validated(report.step, trainer.validate)
    if callbacks.enough():
        trainer.stop()


def _outcome(trainer: Trainer) -> Outcome:
    return Outcome(
        folder=trainer.folder,
        step=trainer.step,
        steps=trainer.config.steps,
        finished=trainer.finished,
        criterion=trainer.criterion.title,
        best=trainer.best,
    )
