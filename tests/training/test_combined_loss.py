"""The weighted sum of losses, and the guard against collapse."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from training.loss_references import (
    DIM,
    EMBEDDINGS,
    LABELS,
    draw,
    number,
)
from voiceprint.errors import ConfigError
from voiceprint.training.losses import (
    CombinedLoss,
    LossConfig,
    distillation,
    embedding_spread,
)
from voiceprint.training.losses.config import LOSS_NAMES


def combine(*configs: LossConfig, seed: int = 0) -> CombinedLoss:
    return CombinedLoss(configs, dim=DIM, n_classes=4, teacher_dim=3, seed=seed)


def inputs() -> tuple[Tensor, Tensor, Tensor]:
    return EMBEDDINGS.float(), torch.tensor(LABELS), draw(len(LABELS), 3).float()


def test_total_is_the_weighted_sum_of_the_parts() -> None:
    alone = [combine(LossConfig(name=name)) for name in ("triplet", "ge2e")]
    both = combine(LossConfig(name="triplet", weight=0.5), LossConfig(name="ge2e", weight=3.0))(*inputs())
    expected = [number(loss(*inputs()).total) for loss in alone]
    assert {name: number(part) for name, part in both.parts.items()} == pytest.approx(
        {"triplet": 0.5 * expected[0], "ge2e": 3 * expected[1]}
    )
    assert number(both.total) == pytest.approx(0.5 * expected[0] + 3 * expected[1])
    assert not any(part.requires_grad for part in both.parts.values())


def test_losses_are_computed_in_float32_under_autocast() -> None:
    loss = combine(*[LossConfig(name=name) for name in LOSS_NAMES])
    plain = loss(*inputs())
    with torch.autocast("cpu", torch.bfloat16):
        mixed = loss(*inputs())
    assert {name: number(part) for name, part in mixed.parts.items()} == {
        name: number(part) for name, part in plain.parts.items()
    }


def test_everything_learned_gets_a_gradient_and_a_seed_decides_it() -> None:
    configs = [LossConfig(name=name) for name in LOSS_NAMES]
    loss = combine(*configs)
    loss(*inputs()).total.backward()
    names = {name for name, weights in loss.named_parameters() if weights.grad is not None}
    assert names == {name for name, _ in loss.named_parameters()}
    again, other = combine(*configs).state_dict(), combine(*configs, seed=1).state_dict()
    assert all(torch.equal(tensor, again[name]) for name, tensor in loss.state_dict().items())
    assert not torch.equal(again["losses.aam_softmax.centres"], other["losses.aam_softmax.centres"])


def test_building_a_loss_leaves_the_global_generator_alone() -> None:
    before = torch.get_rng_state()
    combine(*[LossConfig(name=name) for name in LOSS_NAMES])(*inputs())
    assert torch.equal(before, torch.get_rng_state())


def test_margin_warms_up_from_none() -> None:
    loss = combine(LossConfig(name="aam_softmax", margin=0.4), LossConfig(name="am_softmax", margin=0.4))
    full = loss(*inputs()).parts
    loss.set_margin(0.0)
    none = loss(*inputs()).parts
    for name in full:
        bare = combine(LossConfig(name="aam_softmax", margin=0.0), LossConfig(name="am_softmax", margin=0.0))
        bare.load_state_dict(loss.state_dict())
        assert number(none[name]) == number(bare(*inputs()).parts[name])
        assert number(none[name]) < number(full[name])
    loss.set_margin(1.0)
    assert {name: number(part) for name, part in loss(*inputs()).parts.items()} == {
        name: number(part) for name, part in full.items()
    }


def test_random_mining_goes_on_where_the_state_dict_stopped() -> None:
    config = LossConfig(name="triplet", mining="random")
    straight, resumed = combine(config), combine(config)
    values = [number(straight(*inputs()).total) for _ in range(4)]
    assert len(set(values)) > 1
    stopped = combine(config)
    for _ in range(2):
        stopped(*inputs())
    resumed.load_state_dict(stopped.state_dict())
    assert [number(resumed(*inputs()).total) for _ in range(2)] == values[2:]
    resumed.eval()
    assert number(resumed(*inputs()).total) == number(resumed(*inputs()).total)


def test_distillation_projects_only_where_dimensions_differ() -> None:
    config = [LossConfig(name="distillation")]
    same = CombinedLoss(config, dim=DIM, n_classes=4, teacher_dim=DIM, seed=0)
    assert not list(same.parameters())
    embeddings, labels, _ = inputs()
    assert number(same(embeddings, labels, 3 * embeddings).total) == pytest.approx(0, abs=1e-6)
    other = CombinedLoss(config, dim=DIM, n_classes=4, teacher_dim=3, seed=0)
    assert [tuple(weights.shape) for weights in other.parameters()] == [(3, DIM)]


def test_no_gradient_reaches_the_teacher() -> None:
    student, teacher = draw(3, 4).requires_grad_(), draw(3, 4, seed=1).requires_grad_()
    torch.autograd.backward(distillation(student, teacher))
    assert student.grad is not None
    assert teacher.grad is None


def test_distillation_wants_a_teacher() -> None:
    with pytest.raises(ConfigError, match="distillation needs a teacher's embeddings"):
        CombinedLoss([LossConfig(name="distillation")], dim=4, n_classes=2, seed=0)
    with pytest.raises(ValueError, match="needs the teacher's embeddings of the batch"):
        combine(LossConfig(name="distillation"))(*inputs()[:2])


def test_no_loss_and_the_same_loss_twice_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"at least one \[\[loss\]\] table"):
        combine()
    with pytest.raises(ConfigError, match="triplet is listed 2 times"):
        combine(LossConfig(name="triplet"), LossConfig(name="triplet", margin=0.2))


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"name": "tripplet"}, "no loss is called 'tripplet'.* triplet"),
        ({"name": "softmax", "margin": 0.2}, "softmax has no margin; it has weight"),
        ({"name": "triplet", "sub_centres": 2}, "triplet has no sub_centres"),
        ({"name": "triplet", "distance": "manhattan"}, "'manhattan' is not one of euclidean, cosine"),
        ({"name": "triplet", "mining": "hardest"}, "'hardest' is not one of batch_hard, semi_hard"),
        ({"name": "triplet", "margin": 0.2, "scale": 2.0}, "only with the soft margin"),
        ({"name": "siamese", "pairs": "some"}, "'some' is not one of all, adjacent"),
        ({"name": "ge2e", "weight": 0.0}, "loss.weight: 0.0 of ge2e must be above 0"),
        ({"name": "aam_softmax", "margin": 11.5}, "radians and must be below 1.57"),
        ({"name": "am_softmax", "margin": -0.1}, "must not be negative"),
        ({"name": "am_softmax", "scale": math.nan}, "must be above 0"),
        ({"name": "am_softmax", "sub_centres": 0}, "sub_centres: 0 of am_softmax must be above 0"),
        ({"name": "supervised_contrastive", "temperature": 0.0}, "must be above 0"),
    ],
)
def test_wrong_tables_are_refused(table: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        LossConfig(**table)


def test_defaults_are_filled_in() -> None:
    config = LossConfig(name="aam_softmax")
    assert (config.margin, config.scale, config.sub_centres, config.mining) == (0.2, 30.0, 1, None)
    assert LossConfig(name="triplet").mining == "batch_hard"


def test_spread_by_hand() -> None:
    # Speakers on the two axes and their opposite: within 0; between, cosines 0, 0 and -1.
    embeddings = torch.tensor([[2.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0], [-1.0, 0.0], [-1.0, 0.0]])
    spread = embedding_spread(embeddings, torch.tensor([0, 0, 1, 1, 2, 2]))
    assert spread.within == pytest.approx(0)
    assert spread.between == pytest.approx((1 + 1 + 2) / 3)
    assert 1 < spread.effective_rank < 2


def test_effective_rank_counts_the_dimensions_in_use() -> None:
    # Six axes both ways about a common point on a seventh: what all rows share is no dimension in use.
    rows = torch.cat([torch.eye(7)[:6], -torch.eye(7)[:6]]) + torch.eye(7)[6]
    spread = embedding_spread(rows, torch.arange(12))
    assert spread.effective_rank == pytest.approx(6, abs=1e-4)
    assert spread.within is None
    assert not spread.collapsed


def test_collapse_to_a_point_and_to_a_line_is_seen() -> None:
    labels = torch.arange(8).repeat_interleave(2)
    point = torch.ones(16, 10) + 0.05 * draw(16, 10).float()
    line = torch.zeros(16, 10)
    line[:, 0] = torch.where(torch.arange(16) % 4 < 2, 1.0, -1.0)
    assert embedding_spread(point, labels).collapsed
    assert embedding_spread(torch.ones(16, 10), labels).collapsed
    between = embedding_spread(line, labels).between
    assert between is not None
    assert between > 0.5
    assert embedding_spread(line, labels).collapsed
    assert not embedding_spread(draw(16, 10).float(), labels).collapsed
