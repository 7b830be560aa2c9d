"""Losses against plain-loop references, hand-checked numbers, and the promises they make."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import pytest
import torch
from pytorch_metric_learning import distances, losses, miners, reducers
from torch import Tensor

from training.loss_references import (
    BIAS,
    CENTRES,
    EMBEDDINGS,
    LABELS,
    OFFSET,
    SCALE,
    SLOPE,
    TEACHER,
    WEIGHT,
    Rows,
    angular_prototypical_reference,
    angular_reference,
    batch_hard_reference,
    contrastive_reference,
    cosine,
    distillation_reference,
    draw,
    ge2e_reference,
    margin_reference,
    number,
    semi_hard_reference,
    siamese_reference,
    softmax_reference,
    supervised_contrastive_reference,
)
from voiceprint.training.losses import (
    CombinedLoss,
    LossConfig,
    aam_softmax,
    am_softmax,
    angular_prototypical,
    contrastive,
    distillation,
    ge2e,
    siamese,
    softmax,
    supervised_contrastive,
    triplet,
)
from voiceprint.training.losses.classification import additive_angular_margin
from voiceprint.training.losses.config import LOSS_NAMES
from voiceprint.training.losses.triplet import random as random_triplets

Loss = Callable[[Tensor, Tensor], Tensor]
Reference = Callable[[Rows, list[int]], float]

CASES: dict[str, tuple[Loss, Reference]] = {
    "softmax": (lambda e, y: softmax(e, y, WEIGHT, BIAS), softmax_reference),
    "am_softmax": (
        lambda e, y: am_softmax(e, y, CENTRES, margin=0.3, scale=10.0),
        lambda e, y: margin_reference(e, y, lambda value: value - 0.3),
    ),
    "aam_softmax": (
        lambda e, y: aam_softmax(e, y, CENTRES, margin=0.3, scale=10.0),
        lambda e, y: margin_reference(e, y, lambda value: angular_reference(value, 0.3)),
    ),
    "contrastive": (lambda e, y: contrastive(e, y, margin=4.0), contrastive_reference),
    "siamese": (lambda e, y: siamese(e, y, SLOPE, OFFSET), siamese_reference),
    "triplet, batch-hard hinge": (
        lambda e, y: triplet(e, y, margin=0.5),
        lambda e, y: batch_hard_reference(e, y, lambda excess: max(0.0, excess + 0.5)),
    ),
    "triplet, batch-hard soft": (
        lambda e, y: triplet(e, y, scale=3.0),
        lambda e, y: batch_hard_reference(e, y, lambda excess: math.log1p(math.exp(3 * excess))),
    ),
    "triplet, batch-hard cosine": (
        lambda e, y: triplet(e, y, margin=0.5, distance="cosine"),
        lambda e, y: batch_hard_reference(
            e, y, lambda excess: max(0.0, excess + 0.5), apart=lambda a, b: 1 - cosine(a, b)
        ),
    ),
    "triplet, semi-hard": (lambda e, y: triplet(e, y, mining="semi_hard", margin=0.5), semi_hard_reference),
    "ge2e": (lambda e, y: ge2e(e, y, SCALE), ge2e_reference),
    "angular_prototypical": (lambda e, y: angular_prototypical(e, y, SCALE), angular_prototypical_reference),
    "supervised_contrastive": (
        lambda e, y: supervised_contrastive(e, y, temperature=0.2),
        supervised_contrastive_reference,
    ),
    "distillation": (lambda e, y: distillation(e, TEACHER), distillation_reference),
}
loss_cases = pytest.mark.parametrize(("loss", "reference"), CASES.values(), ids=CASES)


@loss_cases
def test_loss_equals_its_plain_loop(loss: Loss, reference: Reference) -> None:
    expected = reference(EMBEDDINGS.tolist(), LABELS)
    assert number(loss(EMBEDDINGS, torch.tensor(LABELS))) == pytest.approx(expected, abs=1e-9)


@loss_cases
def test_gradient_is_that_of_the_value(loss: Loss, reference: Reference) -> None:
    embeddings = EMBEDDINGS.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda e: loss(e, torch.tensor(LABELS)), embeddings)


@pytest.mark.parametrize("name", sorted(CASES.keys() - {"distillation"}))
def test_order_of_the_speakers_does_not_matter(name: str) -> None:
    loss, _ = CASES[name]
    order, labels = torch.tensor([8, 3, 4, 5, 6, 9, 7, 0, 1, 2]), torch.tensor(LABELS)
    assert number(loss(EMBEDDINGS[order], labels[order])) == pytest.approx(number(loss(EMBEDDINGS, labels)))


# ---- every loss falls when the positive approaches -------------------------------------------------------


def at_angle(degrees: float) -> Tensor:
    """A row in the plane of the first two axes."""
    angle = math.radians(degrees)
    return torch.tensor([2 * math.cos(angle), 2 * math.sin(angle), 0.0], dtype=torch.float64)


def falls(values: list[float]) -> bool:
    return all(later < earlier for earlier, later in itertools.pairwise(values))


METRIC_LOSSES: dict[str, Loss] = {
    "contrastive": contrastive,
    "siamese": lambda e, y: siamese(e, y, SLOPE, OFFSET),
    "batch-hard hinge": lambda e, y: triplet(e, y, margin=0.5),
    "batch-hard soft": triplet,
    "semi-hard": lambda e, y: triplet(e, y, mining="semi_hard", margin=0.5),
    "cosine": lambda e, y: triplet(e, y, margin=0.5, distance="cosine"),
    "random": lambda e, y: triplet(e, y, mining="random", generator=torch.Generator().manual_seed(0)),
    "ge2e": lambda e, y: ge2e(e, y, SCALE),
    "angular_prototypical": lambda e, y: angular_prototypical(e, y, SCALE),
    "supervised_contrastive": lambda e, y: supervised_contrastive(e, y, temperature=0.2),
}


@pytest.mark.parametrize("loss", METRIC_LOSSES.values(), ids=METRIC_LOSSES)
def test_metric_loss_falls_when_the_positive_approaches(loss: Loss) -> None:
    # The negatives stand on the third axis, equally far from every place of the positive.
    negatives = torch.tensor([[0.0, 0.0, 2.0], [0.0, 0.0, 2.1]], dtype=torch.float64)
    values = [
        number(loss(torch.stack([at_angle(0), at_angle(degrees), *negatives]), torch.tensor([0, 0, 1, 1])))
        for degrees in (85, 80, 75, 70, 65, 60)
    ]
    assert falls(values)


@pytest.mark.parametrize("name", ["softmax", "am_softmax", "aam_softmax", "distillation"])
def test_loss_falls_when_the_row_approaches_its_class_or_teacher(name: str) -> None:
    own, label = at_angle(0), torch.tensor([0])
    weight = torch.stack([own, torch.tensor([0.0, 0.0, 2.0], dtype=torch.float64)])
    by_name: dict[str, Callable[[Tensor], Tensor]] = {
        "softmax": lambda e: softmax(e, label, weight, torch.zeros(2, dtype=torch.float64)),
        "am_softmax": lambda e: am_softmax(e, label, weight[:, None], margin=0.2, scale=30.0),
        "aam_softmax": lambda e: aam_softmax(e, label, weight[:, None], margin=0.2, scale=30.0),
        "distillation": lambda e: distillation(e, own[None]),
    }
    # From straight behind, past the point where the angular margin reaches half a turn. Before 60 degrees
    # the softmax at scale 30 is zero to the last digit.
    assert falls([number(by_name[name](at_angle(degrees)[None])) for degrees in range(179, 60, -4)])


# ---- numbers to check by hand ----------------------------------------------------------------------------


def test_contrastive_by_hand() -> None:
    # Same speaker 3 apart: 9/2. Different: 4 and 5 apart, margin 6: 2^2/2 and 1^2/2, mean 1.25.
    embeddings = torch.tensor([[0.0, 0.0], [3.0, 0.0], [0.0, 4.0]])
    assert number(contrastive(embeddings, torch.tensor([0, 0, 1]), margin=6.0)) == pytest.approx(
        (4.5 + 1.25) / 2
    )


def test_siamese_by_hand() -> None:
    # Distances 0 (same) and 2 (different) through sigmoid(d): -ln(1/2), and -ln(sigmoid(2)).
    embeddings = torch.tensor([[0.0], [0.0], [2.0]])
    one, zero = torch.ones(()), torch.zeros(())
    expected = (math.log(2) + math.log(1 + math.exp(-2))) / 2
    assert number(siamese(embeddings, torch.tensor([0, 0, 1]), one, zero)) == pytest.approx(expected)


def test_adjacent_pairs_are_the_only_ones_compared() -> None:
    # Pair one: the same speaker, 1 apart: 1/2. Pair two: two speakers, 2 apart, margin 3: 1/2.
    embeddings = torch.tensor([[0.0], [1.0], [100.0], [102.0]])
    labels = torch.tensor([0, 0, 0, 1])
    assert number(contrastive(embeddings, labels, margin=3.0, pairs="adjacent")) == pytest.approx(0.5)
    with pytest.raises(ValueError, match="of 3 rows: use 'all', or 'adjacent' with an even number"):
        contrastive(embeddings[:3], labels[:3], pairs="adjacent")


def test_equal_rows_have_a_finite_gradient() -> None:
    labels = torch.tensor([0, 0, 1, 1])
    for name in set(LOSS_NAMES) - {"distillation", "softmax"}:
        embeddings = torch.ones(4, 3, requires_grad=True)
        loss = CombinedLoss([LossConfig(name=name)], dim=3, n_classes=2, seed=0)
        loss(embeddings, labels).total.backward()
        assert embeddings.grad is not None
        assert bool(embeddings.grad.isfinite().all()), name


def test_triplet_by_hand() -> None:
    # On the unit circle: anchor 0, positive 90, negative 180 degrees: distances sqrt 2 and 2 from the anchor,
    # and sqrt 2 and sqrt 2 from the positive.
    embeddings = torch.tensor([[3.0, 0.0], [0.0, 5.0], [-0.1, 0.0]])
    labels = torch.tensor([0, 0, 1])
    expected = ((math.sqrt(2) - 2 + 1) + 1) / 2
    assert number(triplet(embeddings, labels, margin=1.0)) == pytest.approx(expected, abs=1e-6)
    given = triplet(embeddings, labels, margin=1.0, mining="given")
    assert number(given) == pytest.approx(math.sqrt(2) - 2 + 1, abs=1e-6)
    # One minus the cosine is 1 and 2 from the anchor.
    given = triplet(embeddings, labels, margin=1.1, mining="given", distance="cosine")
    assert number(given) == pytest.approx(1 - 2 + 1.1, abs=1e-6)


def test_given_triplets_must_be_triplets() -> None:
    with pytest.raises(ValueError, match="needs rows as anchor, positive, negative"):
        triplet(torch.eye(3), torch.tensor([0, 1, 1]), mining="given")
    with pytest.raises(ValueError, match="needs rows as anchor, positive, negative"):
        triplet(torch.eye(4), torch.tensor([0, 0, 1, 1]), mining="given")


def test_random_triplets_are_legal_and_every_negative_is_as_likely() -> None:
    labels = torch.tensor([0, 0, 1, 2, -1])
    generator = torch.Generator().manual_seed(0)
    counts = torch.zeros(5, dtype=torch.int64)
    for _ in range(500):
        anchor, positive, negative = random_triplets(labels, generator=generator)
        assert [anchor.tolist(), positive.tolist()] == [[0, 1], [1, 0]]
        counts += negative.bincount(minlength=5)
    assert counts[:2].tolist() == [0, 0]
    # 1000 draws among three: 333 each, standard deviation 15.
    assert bool(((counts[2:] - 333).abs() < 60).all())


def test_batch_hard_agrees_with_pytorch_metric_learning() -> None:
    embeddings, labels = draw(24, 8, seed=5), torch.arange(6).repeat_interleave(4)
    euclidean = distances.LpDistance(normalize_embeddings=True)
    mined = miners.BatchHardMiner(distance=euclidean)(embeddings, labels)
    theirs = losses.TripletMarginLoss(margin=0.3, distance=euclidean, reducer=reducers.MeanReducer())
    expected = number(theirs(embeddings, labels, mined))
    assert number(triplet(embeddings, labels, margin=0.3)) == pytest.approx(expected)


@pytest.mark.parametrize("sub_centres", [1, 3])
def test_aam_softmax_agrees_with_pytorch_metric_learning(sub_centres: int) -> None:
    embeddings, labels, centres = draw(12, 8), torch.arange(12) % 4, draw(4, sub_centres, 8, seed=1)
    theirs = losses.SubCenterArcFaceLoss(
        num_classes=4, embedding_size=8, margin=math.degrees(0.2), scale=30, sub_centers=sub_centres
    )
    theirs.W.data = centres.view(-1, 8).T
    expected = number(theirs(embeddings, labels))
    assert number(aam_softmax(embeddings, labels, centres, margin=0.2, scale=30.0)) == pytest.approx(expected)


def test_angular_margin_adds_to_the_angle_and_goes_on_falling() -> None:
    angles = torch.linspace(0.01, math.pi - 0.01, 400, dtype=torch.float64)
    values = additive_angular_margin(angles.cos(), 0.5)
    before = angles < math.pi - 0.5
    torch.testing.assert_close(values[before], (angles[before] + 0.5).cos())
    assert bool((values.diff() < 0).all())


@pytest.mark.parametrize("value", [-1.0, 1.0])
def test_angular_margin_has_a_finite_slope_at_the_ends(value: float) -> None:
    end = torch.tensor(value, requires_grad=True)
    torch.autograd.backward(additive_angular_margin(end, 0.2))
    assert end.grad is not None
    assert 0 < number(end.grad) < 1000


def test_ge2e_by_hand() -> None:
    # Two speakers on two axes: cosine 1 to the own centroid, 0 to the other.
    embeddings = torch.tensor([[1.0, 0.0], [2.0, 0.0], [0.0, 1.0], [0.0, 3.0]])
    expected = math.log(math.e + 1) - 1
    for loss in (ge2e, angular_prototypical):
        assert number(loss(embeddings, torch.tensor([4, 4, 9, 9]), torch.ones(()))) == pytest.approx(expected)


def test_learned_scale_stays_positive() -> None:
    embeddings, labels = EMBEDDINGS, torch.tensor(LABELS)
    assert number(ge2e(embeddings, labels, -SCALE)) == pytest.approx(math.log(3), abs=1e-4)


# ---- rows of nobody known, and batches without a case ----------------------------------------------------


@pytest.mark.parametrize("name", ["softmax", "am_softmax", "aam_softmax", "ge2e", "angular_prototypical"])
def test_rows_without_a_class_change_nothing(name: str) -> None:
    loss, _ = CASES[name]
    labels = torch.tensor(LABELS)
    known = labels >= 0
    assert number(loss(EMBEDDINGS, labels)) == pytest.approx(number(loss(EMBEDDINGS[known], labels[known])))


def test_unknown_row_is_a_negative_and_never_a_positive() -> None:
    labels = torch.tensor([0, 0, -1, -1])
    apart = torch.tensor([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0], [0.0, 1.0]])
    # Anchors are rows 0 and 1 alone: positive 0.2^.5 * sqrt 2 away, the unknown sqrt 2 and 0.8^.5.
    positive, far, near = math.sqrt(0.4), math.sqrt(2), math.sqrt(0.8)
    expected = ((positive - far + 1) + (positive - near + 1)) / 2
    assert number(triplet(apart, labels, margin=1.0)) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("name", sorted(set(LOSS_NAMES) - {"distillation"}))
@pytest.mark.parametrize("labels", [[-1, -1, -1, -1], [0, 1, 2, 3]])
def test_batch_without_a_positive_gives_a_finite_loss_with_a_gradient(name: str, labels: list[int]) -> None:
    embeddings = draw(4, 6).float().requires_grad_()
    loss = CombinedLoss([LossConfig(name=name)], dim=6, n_classes=4, seed=0)
    total = loss(embeddings, torch.tensor(labels)).total
    total.backward()
    assert embeddings.grad is not None
    assert bool(embeddings.grad.isfinite().all())
    if labels[0] < 0 or name in {"triplet", "ge2e", "angular_prototypical", "supervised_contrastive"}:
        assert number(total) == 0
