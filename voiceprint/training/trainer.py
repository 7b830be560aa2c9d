"""The training loop. It knows encoders, losses and batches, and nothing of speech."""

from __future__ import annotations

import json
import math
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Literal

import torch
from torch import Tensor, nn

from voiceprint.errors import TrainingError
from voiceprint.training.batches import Batch
from voiceprint.training.checkpoint import load_into, read_checkpoint, write_checkpoint
from voiceprint.training.distributed import Group
from voiceprint.training.losses import CombinedLoss

__all__ = ["OptimizerConfig", "StepReport", "Trainer", "TrainerConfig"]

Loader = Callable[[int, int], Iterator[Batch]]
"""(first step, last step) -> the batches between."""
Validate = Callable[[nn.Module], Mapping[str, float]]
"""Encoder -> named measures, the primary one called ``eer`` (lower is better)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OptimizerConfig:
    """The ``[optimizer]`` table of a recipe: AdamW with warm-up and a schedule.

    Parameters
    ----------
    lr : float
        Highest learning rate.
    weight_decay : float
        Decoupled weight decay, of matrices only.
    warmup : int
        Steps over which the rate rises linearly from 0.
    schedule : {"cosine", "plateau", "constant"}
        ``cosine`` falls to ``lr * floor`` at the last step; ``plateau`` halves the rate after ``patience``
        validations
        without improvement.
    floor : float
        Lowest rate, as a fraction of ``lr``.
    patience : int
        Validations that ``plateau`` waits.
    """

    lr: float = 1e-3
    weight_decay: float = 1e-2
    warmup: int = 500
    schedule: Literal["cosine", "plateau", "constant"] = "cosine"
    floor: float = 0.01
    patience: int = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainerConfig:
    """The ``[trainer]`` table of a recipe.

    Parameters
    ----------
    steps : int
        Optimiser steps in all.
    validate_every, checkpoint_every : int
        Steps between validations and between checkpoints.
    accumulate : int
        Batches whose gradients make one step.
    clip_norm : float
        Largest gradient norm.
    precision : {"bf16", "float32"}
        ``bf16`` runs the encoder under autocast; losses, features and weights stay float32.
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
    precision: Literal["bf16", "float32"] = "bf16"
    average: float = 0.999
    margin_warmup: int = 2_000
    stop_after: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class StepReport:
    """What one step did: its number, losses, learning rate and, where it validated, the measures."""

    step: int
    loss: float
    parts: Mapping[str, float]
    lr: float
    measures: Mapping[str, float] | None = None


class Trainer:
    """Trains an encoder against a loss, with checkpoints from which it continues bit for bit.

    Parameters
    ----------
    encoder : nn.Module
        Waveforms (n, samples) -> embeddings (n, dim).
    loss : CombinedLoss
        The objective; its own weights are trained too.
    loader : callable
        (first step, last step) -> batches; the same step always gives the same batch.
    validate : callable
        Encoder -> measures, ``eer`` first.
    optimizer, config
        The recipe's tables.
    folder : Path
        The run: ``metrics.jsonl`` and ``checkpoints/``.
    group : Group
        The processes that share the work.
    device : str
        Where the encoder runs.
    """

    def __init__(
        self,
        encoder: nn.Module,
        loss: CombinedLoss,
        *,
        loader: Loader,
        validate: Validate,
        optimizer: OptimizerConfig,
        config: TrainerConfig,
        folder: Path,
        group: Group | None = None,
        device: str = "cpu",
    ) -> None:
        self.device = torch.device(device)
        self.encoder = encoder.to(self.device)
        self.loss = loss.to(self.device)
        self.loader, self.validate = loader, validate
        self.optimizer_config, self.config = optimizer, config
        self.folder = folder
        self.group = group or Group()
        self.average = {name: tensor.clone() for name, tensor in encoder.state_dict().items()}
        self.optimizer = torch.optim.AdamW(
            _parameter_groups(self._modules(), optimizer.weight_decay), lr=optimizer.lr
        )
        self.step = 0
        self.best = math.inf
        self.since_best = 0
        self.plateau_factor = 1.0
        self._interrupted = False

    @property
    def last(self) -> Path:
        """The newest checkpoint."""
        return self.folder / "checkpoints" / "last.safetensors"

    @property
    def best_path(self) -> Path:
        """The checkpoint of the lowest dev EER."""
        return self.folder / "checkpoints" / "best.safetensors"

    def run(self, report: Callable[[StepReport], None] = lambda _: None) -> None:
        """Train to the last step, an early stop or an interrupt (Ctrl-C); each saves a checkpoint.

        Raises
        ------
        TrainingError
            The loss is no longer finite.
        """
        with self._interruptible():
            batches = iter(
                self.loader(self.step * self.config.accumulate, self.config.steps * self.config.accumulate)
            )
            while self.step < self.config.steps and not self._interrupted:
                started = time.perf_counter()
                done = self._train_step(batches)
                if self.step % self.config.validate_every == 0 or self.step == self.config.steps:
                    done = self._validated(done)
                self._log(done, time.perf_counter() - started)
                report(done)
                if self.step % self.config.checkpoint_every == 0:
                    self.save(self.last)
                if self.config.stop_after and self.since_best >= self.config.stop_after:
                    break
            self.save(self.last)

    def averaged(self) -> dict[str, Tensor]:
        """The averaged weights, which are what a run hands over."""
        return self.average if self.config.average else self.encoder.state_dict()

    def save(self, path: Path) -> None:
        """Write everything that continuing needs to ``path``."""
        if not self.group.leads:
            return
        tensors = {f"encoder.{name}": tensor for name, tensor in self.encoder.state_dict().items()}
        tensors |= {f"average.{name}": tensor for name, tensor in self.average.items()}
        tensors |= {f"loss.{name}": tensor for name, tensor in self.loss.state_dict().items()}
        for index, moments in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{index}.{name}": tensor for name, tensor in moments.items()}
        state = {
            "step": self.step,
            "best": self.best if math.isfinite(self.best) else None,
            "since_best": self.since_best,
            "plateau_factor": self.plateau_factor,
        }
        write_checkpoint(path, tensors, state)

    def resume(self, path: Path) -> None:
        """Continue from a checkpoint as if there had been no break."""
        tensors, state = read_checkpoint(path)
        load_into(self.encoder, tensors, prefix="encoder.", path=path)
        load_into(self.loss, tensors, prefix="loss.", path=path)
        self.average = {name: tensors[f"average.{name}"].to(self.device) for name in self.average}
        moments: dict[int, dict[str, Tensor]] = {}
        for name, tensor in tensors.items():
            if name.startswith("optimizer."):
                _, index, key = name.split(".", 2)
                moments.setdefault(int(index), {})[key] = tensor
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": moments, "param_groups": groups})
        self.step, self.since_best = state["step"], state["since_best"]
        self.best = math.inf if state["best"] is None else state["best"]
        self.plateau_factor = state["plateau_factor"]

    def learning_rate(self, step: int) -> float:
        """The rate of the step numbered ``step`` from 0."""
        config = self.optimizer_config
        rate = config.lr * self.plateau_factor
        if step < config.warmup:
            return rate * (step + 1) / config.warmup
        if config.schedule == "cosine":
            progress = (step - config.warmup) / max(1, self.config.steps - config.warmup)
            rate *= config.floor + (1 - config.floor) * 0.5 * (1 + math.cos(math.pi * progress))
        return rate

    def _modules(self) -> tuple[nn.Module, nn.Module]:
        return self.encoder, self.loss

    def _train_step(self, batches: Iterator[Batch]) -> StepReport:
        self.encoder.train()
        lr = self.learning_rate(self.step)
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
        return StepReport(step=self.step, loss=loss, parts=parts, lr=lr)

    def _backward(self, batch: Batch) -> dict[str, float]:
        batch = batch.to(self.device)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.config.precision == "bf16"):
            embeddings = self.encoder(batch.waveforms)
        # Every process sees the embeddings of all, so that a loss over pairs is the loss of the whole batch.
        result = self.loss(
            self.group.gather(embeddings),
            self.group.gather(batch.labels),
            None if batch.teacher is None else self.group.gather(batch.teacher),
        )
        (result.total / self.config.accumulate).backward()
        return {"total": float(result.total.detach())} | {
            name: float(part) for name, part in result.parts.items()
        }

    @torch.no_grad()
    def _update_average(self) -> None:
        if not self.config.average:
            return
        # Early on, forget faster, or the first random weights would linger.
        decay = min(self.config.average, (1 + self.step) / (10 + self.step))
        for name, tensor in self.encoder.state_dict().items():
            if tensor.is_floating_point():
                self.average[name].lerp_(tensor, 1 - decay)
            else:
                self.average[name].copy_(tensor)

    def _validated(self, done: StepReport) -> StepReport:
        with self._averaged_encoder() as encoder, torch.inference_mode():
            measures = dict(self.validate(encoder))
        improved = measures["eer"] < self.best
        if improved:
            self.best, self.since_best = measures["eer"], 0
            self.save(self.best_path)
        else:
            self.since_best += 1
            if (
                self.optimizer_config.schedule == "plateau"
                and self.since_best % self.optimizer_config.patience == 0
            ):
                self.plateau_factor = max(self.plateau_factor / 2, self.optimizer_config.floor)
        return StepReport(step=done.step, loss=done.loss, parts=done.parts, lr=done.lr, measures=measures)

    @contextmanager
    def _averaged_encoder(self) -> Iterator[nn.Module]:
        own = {name: tensor.clone() for name, tensor in self.encoder.state_dict().items()}
        self.encoder.load_state_dict(self.averaged())
        self.encoder.eval()
        try:
            yield self.encoder
        finally:
            self.encoder.load_state_dict(own)

    def _log(self, done: StepReport, seconds: float) -> None:
        if not self.group.leads:
            return
        record: dict[str, Any] = {"step": done.step, "loss": done.loss, **done.parts, "lr": done.lr}
        record |= {"seconds": round(seconds, 4), **(done.measures or {})}
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "metrics.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")

    @contextmanager
    def _interruptible(self) -> Iterator[None]:
        def interrupt(_number: int, _frame: FrameType | None) -> None:
            self._interrupted = True

        previous = signal.signal(signal.SIGINT, interrupt)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, previous)


def _parameter_groups(modules: tuple[nn.Module, ...], weight_decay: float) -> list[dict[str, Any]]:
    """Matrices decay; biases and the gains of normalisations do not."""
    parameters = [p for module in modules for p in module.parameters()]
    return [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
