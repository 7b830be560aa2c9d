"""The number format of training: what fails or is slow on this machine is not taken."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from training.test_trainer import make
from voiceprint.training.run.precision import choose_precision


class Timed(nn.Module):
    """Takes longer, or fails, in bf16; counts in a buffer how often it was called."""

    def __init__(self, *, wait: dict[torch.dtype, float], fails: torch.dtype | None = None) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 2)
        self.norm = nn.BatchNorm1d(2)
        self.wait, self.fails = wait, fails

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.linear(x)
        if out.dtype == self.fails:
            raise RuntimeError("could not create a primitive descriptor for the LSTM\nstack of C++")
        until = time.process_time() + self.wait.get(out.dtype, 0.0)
        while time.process_time() < until:  # what waits for other programs is not counted
            pass
        normalized: Tensor = self.norm(out.float())
        return normalized


def test_the_faster_format_is_taken_and_the_reason_is_a_ratio() -> None:
    batch = torch.ones(3, 4)
    slow = Timed(wait={torch.bfloat16: 0.05})
    assert choose_precision(slow, batch)[0] == "float32"
    chosen, reason = choose_precision(Timed(wait={torch.float32: 0.05}), batch)
    assert chosen == "bf16"
    assert reason.startswith("a step takes 0.")


def test_the_time_of_other_programs_does_not_count() -> None:
    class Interrupted(Timed):
        def forward(self, x: Tensor) -> Tensor:
            out = super().forward(x)
            if torch.is_autocast_enabled("cpu"):
                time.sleep(0.1)
            return out

    assert choose_precision(Interrupted(wait={torch.float32: 0.02}), torch.ones(3, 4))[0] == "bf16"


def test_what_the_processor_cannot_do_is_named_in_one_line() -> None:
    chosen, reason = choose_precision(Timed(wait={}, fails=torch.bfloat16), torch.ones(3, 4))
    assert chosen == "float32"
    assert reason == (
        "this processor cannot train it in bf16 (could not create a primitive descriptor for the LSTM)"
    )


def test_an_encoder_that_fails_in_both_formats_fails() -> None:
    with pytest.raises(RuntimeError, match="primitive descriptor"):
        choose_precision(Timed(wait={}, fails=torch.float32), torch.ones(3, 4))


def test_trying_leaves_no_trace() -> None:
    encoder = nn.Sequential(nn.Linear(4, 2), nn.Dropout(0.5), nn.BatchNorm1d(2)).eval()
    before = {name: tensor.clone() for name, tensor in encoder.state_dict().items()}
    drawn = torch.get_rng_state()
    choose_precision(encoder, torch.randn(5, 4, generator=torch.Generator().manual_seed(0)))
    assert all(torch.equal(before[name], tensor) for name, tensor in encoder.state_dict().items())
    assert all(parameter.grad is None for parameter in encoder.parameters())
    assert torch.equal(drawn, torch.get_rng_state()) and not encoder.training


def test_a_run_with_automatic_precision_settles_it_once_and_trains(tmp_path: Path) -> None:
    trainer = make(tmp_path, precision="auto", steps=2)
    chosen, _ = trainer.choose_precision()
    assert chosen in {"bf16", "float32"} and trainer.precision == chosen
    trainer.run()
    assert trainer.choose_precision() == (chosen, "as the recipe says")
    assert trainer.step == 2
