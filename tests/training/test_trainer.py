"""The trainer: exact resumption, schedules, stops, and what it writes; on encoders of a few numbers."""

from __future__ import annotations

import json
import math
import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from training.conftest import equal_tensors
from voiceprint.errors import ConfigError, TrainingError
from voiceprint.training.data.batches import Batch
from voiceprint.training.losses import CombinedLoss, LossConfig
from voiceprint.training.run.checkpoint import read_checkpoint, write_checkpoint
from voiceprint.training.run.criterion import ACCURACY, EER, Criterion
from voiceprint.training.run.optimizer import OptimizerConfig, learning_rate
from voiceprint.training.run.trainer import StepReport, Trainer, TrainerConfig

LABELS = torch.arange(4).repeat_interleave(2)


def batch_of(step: int) -> Batch:
    """Eight rows of four classes: a fixed centre each, and noise of the step."""
    centres = torch.randn(4, 6, generator=torch.Generator().manual_seed(0))
    noise = torch.randn(8, 6, generator=torch.Generator().manual_seed(step + 1))
    return Batch(centres[LABELS] + 0.3 * noise, LABELS, torch.arange(8))


def batches(start: int, stop: int) -> Iterator[Batch]:
    return map(batch_of, range(start, stop))


def encoder() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 4))


def make(
    folder: Path,
    *,
    model: nn.Module | None = None,
    optimizer: dict[str, Any] | None = None,
    losses: tuple[LossConfig, ...] = (
        LossConfig(name="aam_softmax"),
        LossConfig(name="triplet", mining="random"),
    ),
    loader: Callable[[int, int], Iterator[Batch]] = batches,
    validate: Callable[[nn.Module], dict[str, float]] = lambda _: {"eer": 0.5},
    criterion: Criterion = EER,
    **config: Any,
) -> Trainer:
    settings = {"steps": 40, "validate_every": 10, "checkpoint_every": 10, "precision": "float32", **config}
    return Trainer(
        model or encoder(),
        CombinedLoss(losses, dim=4, n_classes=4, seed=5),
        loader=loader,
        validate=validate,
        criterion=criterion,
        optimizer=OptimizerConfig(**{"lr": 0.01, "warmup": 4, **(optimizer or {})}),
        config=TrainerConfig(**settings),
        folder=folder,
    )


def log_of(trainer: Trainer) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (trainer.folder / "metrics.jsonl").read_text().splitlines()]


# ---- resuming -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_forty_steps_are_twenty_and_twenty_more_bit_for_bit(tmp_path: Path, precision: str) -> None:
    straight = make(tmp_path / "straight", precision=precision, accumulate=2)
    straight.run()
    broken = make(tmp_path / "broken", precision=precision, accumulate=2)
    broken.run(lambda report: broken.stop() if report.step == 20 else None)
    assert broken.step == 20 and not broken.finished
    continued = make(tmp_path / "broken", precision=precision, accumulate=2)
    continued.resume(continued.last)
    continued.run()
    first, second = read_checkpoint(straight.last), read_checkpoint(continued.last)
    assert equal_tensors(first[0], second[0])
    assert first[1] == second[1]
    assert [line | {"seconds": 0} for line in log_of(straight)] == [
        line | {"seconds": 0} for line in log_of(continued)
    ]


def test_a_killed_run_continues_from_its_checkpoint_and_logs_no_step_twice(tmp_path: Path) -> None:
    def killed(report: StepReport) -> None:
        if report.step == 25:
            raise RuntimeError("killed")

    broken = make(tmp_path)
    with pytest.raises(RuntimeError, match="killed"):
        broken.run(killed)
    with (tmp_path / "metrics.jsonl").open("a") as log:
        log.write('{"step": 26, "lo')  # cut while writing
    continued = make(tmp_path)
    continued.resume(continued.last)
    assert continued.step == 20
    continued.run()
    assert [line["step"] for line in log_of(continued)] == list(range(1, 41))


def test_a_finished_run_does_nothing_more(tmp_path: Path) -> None:
    make(tmp_path).run()
    again = make(tmp_path)
    again.resume(again.last)
    reports: list[StepReport] = []
    again.run(reports.append)
    assert again.finished and reports == []


def test_a_checkpoint_of_another_encoder_is_refused(tmp_path: Path) -> None:
    make(tmp_path).run()
    other = make(tmp_path, model=nn.Linear(6, 4))
    with pytest.raises(TrainingError, match=r"last.safetensors: lacks encoder.weight"):
        other.resume(other.last)


# ---- stopping -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_step_and_saves(tmp_path: Path, number: signal.Signals) -> None:
    before = signal.getsignal(number)
    trainer = make(tmp_path)
    trainer.run(lambda report: os.kill(os.getpid(), number) if report.step == 7 else None)
    assert trainer.step == 7
    assert read_checkpoint(trainer.last)[1]["step"] == 7
    assert signal.getsignal(number) is before


def test_it_runs_beside_the_main_thread(tmp_path: Path) -> None:
    trainer = make(tmp_path)
    thread = threading.Thread(target=trainer.run)
    thread.start()
    thread.join()
    assert trainer.finished


def test_a_loss_that_is_not_finite_keeps_the_last_good_checkpoint(tmp_path: Path) -> None:
    def poisoned(start: int, stop: int) -> Iterator[Batch]:
        for step in range(start, stop):
            batch = batch_of(step)
            yield batch if step != 12 else Batch(batch.waveforms * math.inf, batch.labels, batch.seeds)

    trainer = make(tmp_path, loader=poisoned)
    with pytest.raises(TrainingError, match=r"step 12: the loss is nan .* continue from .*last.safetensors"):
        trainer.run()
    tensors, state = read_checkpoint(trainer.last)
    assert state["step"] == 10
    assert all(bool(torch.isfinite(tensor).all()) for tensor in tensors.values())


def test_it_stops_after_validations_without_improvement(tmp_path: Path) -> None:
    rates = iter([0.4, 0.3, 0.35, 0.3, 0.2])
    trainer = make(tmp_path, validate=lambda _: {"eer": next(rates)}, stop_after=2, steps=100)
    trainer.run()
    assert trainer.step == 40  # best at 20; 30 and 40 were not better
    assert trainer.finished
    assert read_checkpoint(trainer.best_path)[1] == {
        "step": 20,
        "best": 0.3,
        "since_best": 0,
        "plateau_factor": 1.0,
    }


def test_a_criterion_may_be_better_the_higher(tmp_path: Path) -> None:
    rates = iter([0.4, 0.6, 0.6, 0.5, 0.9])
    trainer = make(
        tmp_path, validate=lambda _: {"accuracy": next(rates)}, criterion=ACCURACY, stop_after=2, steps=100
    )
    trainer.run()
    assert trainer.step == 40  # best at 20; a tie at 30 is no improvement, and 40 was worse
    assert read_checkpoint(trainer.best_path)[1]["best"] == 0.6


# ---- steps ----------------------------------------------------------------------------------------------


def test_the_rate_rises_then_follows_a_cosine() -> None:
    config = OptimizerConfig(lr=1.0, warmup=4, floor=0.1)
    assert [learning_rate(config, step, steps=14) for step in range(4)] == [0.25, 0.5, 0.75, 1.0]
    assert learning_rate(config, 4, steps=14) == pytest.approx(1.0)
    assert learning_rate(config, 9, steps=14) == pytest.approx(0.55)  # half-way between 1 and 0.1
    assert learning_rate(config, 14, steps=14) == pytest.approx(0.1)


def test_a_plateau_halves_the_rate(tmp_path: Path) -> None:
    rates = iter([0.3, 0.4, 0.4, 0.2, 0.3])
    trainer = make(
        tmp_path,
        validate=lambda _: {"eer": next(rates)},
        optimizer={"lr": 1e-3, "schedule": "plateau", "patience": 2, "warmup": 0},
        steps=50,
    )
    lrs: list[float] = []
    trainer.run(lambda report: lrs.append(report.lr))
    assert lrs[29] == 1e-3 and lrs[30] == 5e-4
    assert lrs[49] == 5e-4


def test_two_accumulated_batches_give_the_mean_of_their_gradients(tmp_path: Path) -> None:
    model = nn.Linear(6, 4)
    loss = (LossConfig(name="softmax"),)
    trainer = make(
        tmp_path, model=model, losses=loss, accumulate=2, average=0.0, clip_norm=1e9, optimizer={"warmup": 0}
    )
    weight = model.weight.detach().clone().requires_grad_()
    classifier = {name: p.detach().clone() for name, p in trainer.loss.named_parameters()}
    objective = CombinedLoss(loss, dim=4, n_classes=4, seed=5)
    objective.load_state_dict(classifier, strict=False)
    for step in range(2):
        batch = batch_of(step)
        embeddings = nn.functional.linear(batch.waveforms, weight, model.bias.detach())
        (objective(embeddings, batch.labels).total / 2).backward()
    seen: list[torch.Tensor] = []

    def see(weight: torch.Tensor) -> None:
        assert weight.grad is not None
        seen.append(weight.grad.clone())

    model.weight.register_post_accumulate_grad_hook(see)  # type: ignore[no-untyped-call]  # torch's own
    trainer._train_step(batches(0, 2))
    assert weight.grad is not None
    torch.testing.assert_close(seen[-1], weight.grad)


def test_the_average_follows_the_weights(tmp_path: Path) -> None:
    model = nn.Linear(6, 4)
    trainer = make(tmp_path, model=model, average=0.5)
    before = model.weight.detach().clone()
    trainer._train_step(batches(0, 1))
    # After step 1 the decay is min(0.5, 2 / 11).
    expected = before * (2 / 11) + model.weight.detach() * (9 / 11)
    torch.testing.assert_close(trainer.average["weight"], expected)


def test_without_averaging_the_weights_themselves_are_handed_over(tmp_path: Path) -> None:
    trainer = make(tmp_path, average=0.0)
    trainer.run()
    tensors = read_checkpoint(trainer.last)[0]
    for module, average in (("encoder", "average"), ("loss", "average_loss")):
        own = {name.removeprefix(f"{module}.") for name in tensors if name.startswith(f"{module}.")}
        assert own
        assert all(torch.equal(tensors[f"{module}.{name}"], tensors[f"{average}.{name}"]) for name in own)


def test_the_losss_weights_are_averaged_with_the_encoders(tmp_path: Path) -> None:
    seen: list[torch.Tensor] = []

    def validate(_: nn.Module) -> dict[str, float]:
        seen.append(trainer.loss.state_dict()["losses.aam_softmax.centres"].clone())
        return {"eer": 0.5}

    trainer = make(tmp_path, average=0.5, validate=validate, steps=10)
    trainer.run()
    tensors = read_checkpoint(trainer.last)[0]
    assert torch.equal(seen[0], tensors["average_loss.losses.aam_softmax.centres"])
    assert torch.equal(
        trainer.loss.state_dict()["losses.aam_softmax.centres"], tensors["loss.losses.aam_softmax.centres"]
    )
    assert not torch.equal(seen[0], tensors["loss.losses.aam_softmax.centres"])


def test_a_checkpoint_without_averages_of_the_loss_is_continued(tmp_path: Path) -> None:
    make(tmp_path).run()
    trainer = make(tmp_path)
    tensors, state = read_checkpoint(trainer.last)
    old = {name: tensor for name, tensor in tensors.items() if not name.startswith("average_loss.")}
    write_checkpoint(trainer.last, old, state)
    trainer.resume(trainer.last)
    centres = "losses.aam_softmax.centres"
    assert torch.equal(trainer.average_loss[centres], tensors[f"loss.{centres}"])


def test_validation_sees_the_average_and_training_goes_on_with_the_weights(tmp_path: Path) -> None:
    model = nn.Linear(6, 4)
    seen: list[torch.Tensor] = []

    def validate(validated: nn.Module) -> dict[str, float]:
        assert not validated.training
        seen.append(validated.state_dict()["weight"].clone())
        return {"eer": 0.5}

    trainer = make(tmp_path, model=model, validate=validate, steps=10)
    trainer.run()
    assert torch.equal(seen[0], trainer.average["weight"])
    assert not torch.equal(seen[0], model.weight)


def test_the_log_holds_every_part_and_the_spread(tmp_path: Path) -> None:
    trainer = make(tmp_path, steps=100, validate_every=50)
    trainer.run()
    log = log_of(trainer)
    assert log[0]["loss"] == pytest.approx(log[0]["aam_softmax"] + log[0]["triplet"])
    assert log[49]["eer"] == 0.5
    spread = {"spread/within", "spread/between", "spread/effective_rank"}
    assert spread <= set(log[99]) and not spread & set(log[98])


def test_a_collapse_shows_in_the_report(tmp_path: Path) -> None:
    class Constant(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.row = nn.Parameter(torch.ones(4))

        def forward(self, waveforms: torch.Tensor) -> torch.Tensor:
            return self.row.expand(len(waveforms), 4)

    reports: list[StepReport] = []
    make(tmp_path, model=Constant(), steps=100, validate_every=100).run(reports.append)
    assert reports[99].spread is not None and reports[99].spread.collapsed


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"steps": 0}, "trainer.steps: 0; give more than 0"),
        ({"accumulate": 0}, "trainer.accumulate"),
        ({"average": 1.0}, "trainer.average: 1 must be below 1"),
        ({"stop_after": -1}, "trainer.stop_after: -1; give 0 or more"),
        ({"optimizer": {"lr": 0.0}}, "optimizer.lr: 0; give more than 0"),
        ({"optimizer": {"lr": math.nan}}, "optimizer.lr: nan"),
    ],
)
def test_numbers_that_make_no_run(tmp_path: Path, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make(tmp_path, **settings)
