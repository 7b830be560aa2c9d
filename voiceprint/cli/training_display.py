"""What ``voiceprint train`` shows while it runs: a progress bar, or lines where there is no terminal."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.progress import TaskID

from voiceprint.cli.terminal import count, plain, progress_bar
from voiceprint.corpus import Unreadable
from voiceprint.percent import percent
from voiceprint.training.run.callbacks import Callbacks
from voiceprint.training.run.criterion import Criterion
from voiceprint.training.run.trainer import StepReport, Validate
from voiceprint.training.run.validation import DevSuite

if TYPE_CHECKING:
    from voiceprint.training.run.tracking import TensorBoard

_LINE_EVERY = 100
_SHOWN_UNREADABLE = 10
# Weight of the newest step in the running means that are shown.
_NEWEST = 0.05


class Display(Callbacks):
    """Shows on standard error how a run goes.

    Parameters
    ----------
    run : Path
        The run's folder, for TensorBoard's files.
    quiet : bool
        Show nothing but what is left out and warned of.
    """

    def __init__(self, run: Path, *, quiet: bool, tensorboard: bool, criterion: Criterion) -> None:
        self._tensorboard = _open_tensorboard(run / "tensorboard") if tensorboard else None
        self._progress = progress_bar(quiet=quiet, width=20, transient=False)
        self._lines = not quiet and self._progress.disable
        self._tasks: dict[str, TaskID] = {}
        self._means: dict[str, float] = {}
        self._criterion = criterion
        self._figure = ""
        self._warned = False
        self._before = time.perf_counter()

    def __enter__(self) -> Display:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()
        if self._tensorboard is not None:
            self._tensorboard.close()

    def precision_chosen(self, precision: str, reason: str) -> None:
        """Say in which number format the encoder is trained."""
        if self._lines or not self._progress.disable:
            typer.echo(f"training in {precision}: {reason}", err=True)

    def preparing(self, what: str, done: int, total: int) -> None:
        """Show how much is rendered."""
        self._progress.update(self._task(what, total), completed=done)

    def waiting(self, pool: Path) -> None:
        """Say for what."""
        self._say(f"waiting for another process, which renders speech into {plain(pool)}")

    def left_out(self, unreadable: tuple[Unreadable, ...]) -> None:
        """Count what cannot be read, and name the first of it."""
        if not unreadable:
            return
        self._say(f"left out: {count(len(unreadable), 'recording')} that cannot be read")
        for bad in unreadable[:_SHOWN_UNREADABLE]:
            self._say(f"  {plain(bad.reason)}")
        if len(unreadable) > _SHOWN_UNREADABLE:
            self._say(f"  and {len(unreadable) - _SHOWN_UNREADABLE} more")

    def starting(self, step: int, steps: int) -> None:
        """Begin the bar."""
        self._progress.update(self._task("training", steps), completed=step)
        self._before = time.perf_counter()

    def stepped(self, report: StepReport) -> None:
        """Show a step, and warn of a collapse once."""
        now = time.perf_counter()
        self._mean("seconds", now - self._before)
        self._before = now
        for name, value in {"loss": report.loss, **report.parts}.items():
            self._mean(name, value)
        if report.measures is not None:
            self._figure = f"  dev {self._criterion.title} {percent(report.measures[self._criterion.name])}"
        text = self._text(report)
        self._progress.update(self._tasks["training"], completed=report.step, description=text)
        if self._lines and (report.measures is not None or report.step % _LINE_EVERY == 0):
            typer.echo(f"step {report.step}  {text}", err=True)
        self._warn_of_collapse(report)
        if self._tensorboard is not None:
            self._tensorboard.add(report)

    def validated(self, step: int, suite: Validate) -> None:
        """Draw the DET curves of a validation for TensorBoard."""
        if self._tensorboard is not None and isinstance(suite, DevSuite):
            self._tensorboard.add_curves(step, suite.curves)

    def _text(self, report: StepReport) -> str:
        losses = "  ".join(f"{name} {self._means[name]:.3f}" for name in ("loss", *report.parts))
        return f"{1 / self._means['seconds']:.1f} steps/s  {losses}{self._figure}"

    def _warn_of_collapse(self, report: StepReport) -> None:
        if report.spread is None or not report.spread.collapsed or self._warned:
            return
        self._warned = True
        self._say(
            f"warning: at step {report.step} the embeddings have collapsed (effective rank "
            f"{report.spread.effective_rank:.1f}): lower optimizer.lr, or add a classification loss"
        )

    def _mean(self, name: str, value: float) -> None:
        self._means[name] = self._means.get(name, value) * (1 - _NEWEST) + value * _NEWEST

    def _task(self, what: str, total: int) -> TaskID:
        if what not in self._tasks:
            self._tasks[what] = self._progress.add_task(what, total=total)
        return self._tasks[what]

    def _say(self, line: str) -> None:
        self._progress.console.print(line, markup=False, highlight=False, soft_wrap=True)


def _open_tensorboard(folder: Path) -> TensorBoard:
    from voiceprint.training.run.tracking import TensorBoard  # draws, and matplotlib is slow to load

    return TensorBoard(folder)
