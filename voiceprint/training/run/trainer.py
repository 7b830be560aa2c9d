"""The training loop. It knows encoders, losses and batches, and nothing of speech."""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import FrameType
from typing import Any, Literal

import torch
from torch import Tensor, nn

from voiceprint.config import require_positive
from voiceprint.errors import ConfigError, TrainingError
from voiceprint.training.data.batches import Batch
from voiceprint.training.distributed import Group
from voiceprint.training.losses import CombinedLoss, EmbeddingSpread, embedding_spread
from voiceprint.training.run.checkpoint import (
    LAST,
    load_into,
    read_checkpoint,
    tensors_like,
    write_checkpoint,
)
from voiceprint.training.run.criterion import EER, Criterion
from voiceprint.training.run.metrics_log import append_metrics, cut_metrics
from voiceprint.training.run.optimizer import OptimizerConfig, learning_rate, make_optimizer
from voiceprint.training.run.precision import Precision, choose_precision

# Steps between measurements of the embeddings' spread.
_SPREAD_EVERY = 100

Loader = Callable[[int, int], Iterator[Batch]]
"""(first step, last step) -> the batches between."""
Embed = Callable[[nn.Module, Batch], Tensor]
"""(encoder, batch) -> embeddings (n, dim), with whatever is done to a batch in training only."""
Validate = Callable[[nn.Module], Mapping[str, float]]
"""Encoder -> named measures, that of the criterion among them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainerConfig:
    """The ``[trainer]`` table of a recipe.

    Parameters
    ----------
    accumulate : int
        Batches whose gradients make one step.
    precision : {"auto", "bf16", "float32"}
        ``bf16`` runs the encoder under autocast; losses, features and weights stay float32. ``auto`` tries
        the encoder in both when training starts and takes the faster (`choose_precision`); a run that is
        resumed on another machine may then go on in the other.
    average : float
        Decay of the exponential moving average of the weights, which is what is validated and exported; 0
        for none.
    margin_warmup : int
        Steps over which margins of classification losses grow from 0.
    stop_after : int
        Validations without improvement after which training stops; 0 never stops early.
    """

    steps: int = 20_000
    validate_every: int = 1_000
    checkpoint_every: int = 500
    accumulate: int = 1
    clip_norm: float = 5.0
    precision: Literal["auto", "bf16", "float32"] = "auto"
    average: float = 0.999
    margin_warmup: int = 2_000
    stop_after: int = 0

    def __post_init__(self) -> None:
        require_positive(
            "trainer", self, "steps", "validate_every", "checkpoint_every", "accumulate", "clip_norm"
        )
        require_positive("trainer", self, "margin_warmup", "stop_after", "average", or_zero=True)
        if self.average >= 1:
            raise ConfigError(f"trainer.average: {self.average:g} must be below 1, for example 0.999")


@dataclass(frozen=True, slots=True, kw_only=True)
class StepReport:
    """What one step did.

    Parameters
    ----------
    parts : Mapping
        Each loss by name, weighted; they add up to ``loss``.
    spread : EmbeddingSpread or None
        How the batch's embeddings are spread, at every hundredth step.
    measures : Mapping or None
        What validation gave, where the step ended with one.
    """

    step: int
    loss: float
    parts: Mapping[str, float]
    lr: float
    spread: EmbeddingSpread | None = None
    measures: Mapping[str, float] | None = None


class Trainer:
    """Trains an encoder against a loss, with checkpoints from which it continues bit for bit.

    Parameters
    ----------
    encoder : nn.Module
        Waveforms (n, samples) -> embeddings (n, dim), or whatever the loss takes.
    loss : CombinedLoss
        The objective; its own weights are trained too.
    loader : callable
        (first step, last step) -> batches; the same step always gives the same batch.
    validate : callable
        Encoder -> measures; called in the process that leads, while encoder and loss have averaged weights.
    criterion : Criterion
        Which of the measures keeps the best checkpoint and stops early, and which way it is better.
    embed : callable
        (encoder, batch) -> embeddings; by default of the waveforms as they are.
    folder : Path
        The run: ``metrics.jsonl`` and ``checkpoints/``.
    group : Group
        The processes that share the work, and the device of this one.
    """

    def __init__(
        self,
        encoder: nn.Module,
        loss: CombinedLoss,
        *,
        loader: Loader,
        validate: Validate,
        criterion: Criterion = EER,
        embed: Embed = lambda encoder, batch: encoder(batch.waveforms),
        optimizer: OptimizerConfig,
        config: TrainerConfig,
        folder: Path,
        group: Group | None = None,
    ) -> None:
        self.group = group or Group()
        self.device = self.group.device
        self.encoder = encoder.to(self.device)
        self.loss = loss.to(self.device)
        self.loader, self.validate, self.embed = loader, validate, embed
        self.criterion = criterion
        self.optimizer_config, self.config = optimizer, config
        self.folder = folder
        self.average = _copied(encoder)
        self.average_loss = _copied(loss)
        self.optimizer = make_optimizer(self._modules(), optimizer)
        self.step = 0
        self.best: float | None = None
        self.since_best = 0
        self.plateau_factor = 1.0
        self.precision: Precision | None = None if config.precision == "auto" else config.precision
        self._stopping = False
        self._spread: EmbeddingSpread | None = None

    @property
    def finished(self) -> bool:
        """Whether the last step is done, or validations have stopped improving."""
        impatient = 0 < self.config.stop_after <= self.since_best
        return impatient or self.step >= self.config.steps

    @property
    def last(self) -> Path:
        """The newest checkpoint."""
        return self.folder / "checkpoints" / LAST

    @property
    def best_path(self) -> Path:
        """The checkpoint that was best by the criterion."""
        return self.folder / "checkpoints" / "best.safetensors"

    def choose_precision(self) -> tuple[Precision, str]:
        """Choose the number format where the recipe leaves it open, by trying the encoder on a batch.

        Returns
        -------
        precision : {"bf16", "float32"}
            The format of all processes.
        reason : str
            Why; ``as the recipe says`` where it is not ``auto``.
        """
        if self.precision is not None:
            return self.precision, "as the recipe says"
        first = self.step * self.config.accumulate
        batch = next(iter(self.loader(first, first + 1))).to(self.device)
        chosen = self.group.from_leader(
            choose_precision(self.encoder, batch.waveforms) if self.group.leads else None
        )
        self.precision = chosen[0]
        return chosen

    def run(self, report: Callable[[StepReport], None] = lambda _: None) -> None:
        """Train to the last step, an early stop, :meth:`stop` or Ctrl-C; then save a checkpoint.

        Raises
        ------
        TrainingError
            The loss is no longer finite; the newest checkpoint is the last good one.
        """
        self._stopping = False
        self.choose_precision()
        with stop_on_signals(self.stop):
            accumulate = self.config.accumulate
            batches = iter(self.loader(self.step * accumulate, self.config.steps * accumulate))
            while not (self.finished or self.group.any(self._stopping)):
                started = time.perf_counter()
                done = self._train_step(batches)
                if self.step % self.config.validate_every == 0 or self.step == self.config.steps:
                    done = replace(done, measures=self._validated())
                self._log(done, time.perf_counter() - started)
                report(done)
                if self.step % self.config.checkpoint_every == 0:
                    self.save(self.last)
            self.save(self.last)

    def stop(self) -> None:
        """End :meth:`run` after the step in hand, with a checkpoint."""
        self._stopping = True

    def save(self, path: Path) -> None:
        """Write everything that continuing needs to ``path``."""
        if not self.group.leads:
            return
        tensors = {f"encoder.{name}": tensor for name, tensor in self.encoder.state_dict().items()}
        tensors |= {f"average.{name}": tensor for name, tensor in self.average.items()}
        tensors |= {f"average_loss.{name}": tensor for name, tensor in self.average_loss.items()}
        tensors |= {f"loss.{name}": tensor for name, tensor in self.loss.state_dict().items()}
        for index, moments in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{index}.{name}": tensor for name, tensor in moments.items()}
        state = {
            "step": self.step,
            "best": self.best,
            "since_best": self.since_best,
            "plateau_factor": self.plateau_factor,
        }
        write_checkpoint(path, tensors, state)

    def resume(self, path: Path) -> None:
        """Continue from a checkpoint as if there had been no break."""
        tensors, state = read_checkpoint(path)
        load_into(self.encoder, tensors, prefix="encoder.", path=path)
        load_into(self.loss, tensors, prefix="loss.", path=path)
        self.average = self._on_device(tensors_like(self.average, tensors, prefix="average.", path=path))
        # Checkpoints of the first release averaged the encoder only.
        prefix = "average_loss." if any(name.startswith("average_loss.") for name in tensors) else "loss."
        self.average_loss = self._on_device(
            tensors_like(self.average_loss, tensors, prefix=prefix, path=path)
        )
        self._load_moments(tensors)
        try:
            self.step, self.since_best = state["step"], state["since_best"]
            self.best = state["best"]
            self.plateau_factor = state["plateau_factor"]
        except KeyError as error:
            raise TrainingError(f"{path}: lacks the run's {error}; it is no checkpoint of a run") from error
        self.cut_log()

    def begin(self, *, resume: bool) -> None:
        """Go on from the newest checkpoint if there is one and `resume` is set; else begin from nothing."""
        if resume and self.last.exists():
            self.resume(self.last)
        else:
            self.cut_log()  # of a run that was killed before its first checkpoint

    def cut_log(self) -> None:
        """Drop the log's lines of steps that a killed run did and this one has yet to do."""
        if self.group.leads:
            cut_metrics(self.folder, after=self.step)

    def _on_device(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {name: tensor.to(self.device) for name, tensor in tensors.items()}

    def _load_moments(self, tensors: Mapping[str, Tensor]) -> None:
        moments: dict[int, dict[str, Tensor]] = {}
        for name, tensor in tensors.items():
            if name.startswith("optimizer."):
                _, index, key = name.split(".", 2)
                moments.setdefault(int(index), {})[key] = tensor
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": moments, "param_groups": groups})

    def _modules(self) -> tuple[nn.Module, nn.Module]:
        return self.encoder, self.loss

    def _train_step(self, batches: Iterator[Batch]) -> StepReport:
        self.encoder.train()
        lr = learning_rate(
            self.optimizer_config, self.step, steps=self.config.steps, factor=self.plateau_factor
        )
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        self.loss.set_margin(min(1.0, self.step / max(1, self.config.margin_warmup)))
        self.optimizer.zero_grad(set_to_none=True)
        parts: dict[str, float] = {}
        for _ in range(self.config.accumulate):
            for name, value in self._backward(next(batches)).items():
                parts[name] = parts.get(name, 0.0) + value / self.config.accumulate
        parameters = [p for module in self._modules() for p in module.parameters() if p.grad is not None]
        self.group.average_gradients(parameters)
        norm = nn.utils.clip_grad_norm_(parameters, self.config.clip_norm)
        loss = parts.pop("total")
        if not math.isfinite(loss) or not torch.isfinite(norm):
            raise TrainingError(
                f"step {self.step}: the loss is {loss:g} and the gradient norm {float(norm):g}; lower "
                f"optimizer.lr and continue from {self.last if self.last.exists() else 'the beginning'}"
            )
        self.optimizer.step()
        self.step += 1
        self._update_average()
        return StepReport(step=self.step, loss=loss, parts=parts, lr=lr, spread=self._spread)

    def _backward(self, batch: Batch) -> dict[str, float]:
        batch = batch.to(self.device)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bf16"):
            embeddings = self.embed(self.encoder, batch)
        # Every process sees the embeddings of all, so that a loss over pairs is the loss of the whole batch.
        embeddings, labels = self.group.gather(embeddings.float()), self.group.gather(batch.labels)
        measured = (self.step + 1) % _SPREAD_EVERY == 0 and embeddings.ndim == 2
        self._spread = embedding_spread(embeddings, labels) if measured else None
        result = self.loss(
            embeddings,
            labels,
            None if batch.teacher is None else self.group.gather(batch.teacher),
        )
        (result.total / self.config.accumulate).backward()
        return {"total": float(result.total.detach())} | {
            name: float(part) for name, part in result.parts.items()
        }

    @torch.no_grad()
    def _update_average(self) -> None:
        # Early on, forget faster, or the first random weights would linger.
        decay = min(self.config.average, (1 + self.step) / (10 + self.step))
        for module, average in self._with_averages():
            for name, tensor in module.state_dict().items():
                if tensor.is_floating_point():
                    average[name].lerp_(tensor, 1 - decay)
                else:
                    average[name].copy_(tensor)

    def _validated(self) -> Mapping[str, float]:
        measures = self.group.from_leader(self._validate() if self.group.leads else None)
        value = measures[self.criterion.name]
        if self.criterion.improves(value, self.best):
            self.best, self.since_best = value, 0
            self.save(self.best_path)
            return measures
        self.since_best += 1
        plateau = self.optimizer_config.schedule == "plateau"
        if plateau and self.since_best % self.optimizer_config.patience == 0:
            self.plateau_factor = max(self.plateau_factor / 2, self.optimizer_config.floor)
        return measures

    def _validate(self) -> Mapping[str, float]:
        with self._averaged_weights(), torch.inference_mode():
            return dict(self.validate(self.encoder))

    def _with_averages(self) -> tuple[tuple[nn.Module, dict[str, Tensor]], ...]:
        return (self.encoder, self.average), (self.loss, self.average_loss)

    @contextmanager
    def _averaged_weights(self) -> Iterator[None]:
        """Put encoder and loss into evaluation with their averages, and restore their weights."""
        current = [_copied(module) for module in self._modules()]
        for module, average in self._with_averages():
            module.load_state_dict(average)
            module.eval()
        try:
            yield
        finally:
            for module, weights in zip(self._modules(), current, strict=True):
                module.load_state_dict(weights)
            self.loss.train()

    def _log(self, done: StepReport, seconds: float) -> None:
        if not self.group.leads:
            return
        record: dict[str, Any] = {"step": done.step, "loss": done.loss, **done.parts, "lr": done.lr}
        if done.spread is not None:
            record |= {f"spread/{name}": value for name, value in asdict(done.spread).items()}
        record |= {"seconds": round(seconds, 4), **(done.measures or {})}
        append_metrics(self.folder, record)


def _copied(module: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in module.state_dict().items()}


@contextmanager
def stop_on_signals(stop: Callable[[], None]) -> Iterator[None]:
    """Let Ctrl-C and SIGTERM call ``stop``; a second one acts as ever. Only a main thread gets signals."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def on_signal(number: int, _frame: FrameType | None) -> None:
        signal.signal(number, previous[signal.Signals(number)])
        stop()

    for number in previous:
        signal.signal(number, on_signal)
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
