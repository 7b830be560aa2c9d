"""Losses against plain-loop references, hand-checked numbers, and the promises they make."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence

import pytest
import torch
from pytorch_metric_learning import distances, losses, miners, reducers
from torch import Tensor

from voiceprint.errors import ConfigError
from voiceprint.training.losses import (
    LOSS_NAMES,
    CombinedLoss,
    LossConfig,
    aam_softmax,
    am_softmax,
    angular_prototypical,
    contrastive,
    distillation,
    embedding_spread,
    ge2e,
    siamese,
    softmax,
    supervised_contrastive,
    triplet,
)
from voiceprint.training.losses.classification import additive_angular_margin
from voiceprint.training.losses.triplet import random as random_triplets

# Three speakers of three, two and two rows, one speaker with a single row, and two rows of nobody known.
LABELS = [0, 0, 0, 1, 1, 2, 2, 3, -1, -1]
DIM = 5
Rows = list[list[float]]


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


EMBEDDINGS = draw(len(LABELS), DIM)
TEACHER = draw(len(LABELS), DIM, seed=1)
CENTRES = draw(4, 2, DIM, seed=2)
WEIGHT = draw(4, DIM, seed=3)
BIAS = draw(4, seed=4)
SCALE = torch.tensor(7.0, dtype=torch.float64)
SLOPE = torch.tensor(1.3, dtype=torch.float64)
OFFSET = torch.tensor(-0.4, dtype=torch.float64)


def number(loss: Tensor) -> float:
    return loss.detach().item()


# ---- plain-loop references, in Python floats -------------------------------------------------------------


def dot(a: Sequence[float], b: Sequence[float]) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True))


def cosine(a: Sequence[float], b: Sequence[float]) -> float:
    return dot(a, b) / math.sqrt(dot(a, a) * dot(b, b))


def distance(a: Sequence[float], b: Sequence[float]) -> float:
    return math.sqrt(sum((x - y) ** 2 for x, y in zip(a, b, strict=True)))


def unit_distance(a: Sequence[float], b: Sequence[float]) -> float:
    return math.sqrt(2 - 2 * cosine(a, b))


def mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def mean_row(rows: Rows) -> list[float]:
    return [mean(column) for column in zip(*rows, strict=True)]


def negative_log_softmax(logits: Sequence[float], target: int) -> float:
    return math.log(sum(math.exp(value) for value in logits)) - logits[target]


def is_same(labels: Sequence[int], i: int, j: int) -> bool:
    return i != j and labels[i] == labels[j] and labels[i] >= 0


def anchors_and_positives(labels: Sequence[int]) -> list[tuple[int, int]]:
    return [(i, j) for i in range(len(labels)) for j in range(len(labels)) if is_same(labels, i, j)]


def negatives_of(labels: Sequence[int], i: int) -> list[int]:
    return [j for j in range(len(labels)) if labels[j] != labels[i]]


def softmax_reference(rows: Rows, labels: list[int]) -> float:
    logits = [
        [dot(row, weight) + bias for weight, bias in zip(WEIGHT.tolist(), BIAS.tolist(), strict=True)]
        for row in rows
    ]
    return mean([negative_log_softmax(logits[i], label) for i, label in enumerate(labels) if label >= 0])


def margin_reference(rows: Rows, labels: list[int], with_margin: Callable[[float], float]) -> float:
    each = []
    for row, label in zip(rows, labels, strict=True):
        if label >= 0:
            cosines = [max(cosine(row, sub) for sub in centre) for centre in CENTRES.tolist()]
            cosines[label] = with_margin(cosines[label])
            each.append(negative_log_softmax([10 * value for value in cosines], label))
    return mean(each)


def angular_reference(value: float, margin: float) -> float:
    angle = math.acos(value)
    return math.cos(angle + margin) if angle < math.pi - margin else value - margin * math.sin(margin)


def contrastive_reference(rows: Rows, labels: list[int]) -> float:
    same, different = [], []
    for i, j in itertools.combinations(range(len(rows)), 2):
        apart = distance(rows[i], rows[j])
        if is_same(labels, i, j):
            same.append(apart**2 / 2)
        elif labels[i] != labels[j]:
            different.append(max(0.0, 4.0 - apart) ** 2 / 2)
    return (mean(same) + mean(different)) / 2


def siamese_reference(rows: Rows, labels: list[int]) -> float:
    same, different = [], []
    for i, j in itertools.combinations(range(len(rows)), 2):
        p_different = 1 / (1 + math.exp(-(number(SLOPE) * distance(rows[i], rows[j]) + number(OFFSET))))
        if is_same(labels, i, j):
            same.append(-math.log(1 - p_different))
        elif labels[i] != labels[j]:
            different.append(-math.log(p_different))
    return (mean(same) + mean(different)) / 2


def batch_hard_reference(
    rows: Rows,
    labels: list[int],
    cost: Callable[[float], float],
    *,
    apart: Callable[[Sequence[float], Sequence[float]], float] = unit_distance,
) -> float:
    each = []
    for i in range(len(rows)):
        positives = [apart(rows[i], rows[j]) for j in range(len(rows)) if is_same(labels, i, j)]
        if positives:
            nearest = min(apart(rows[i], rows[j]) for j in negatives_of(labels, i))
            each.append(cost(max(positives) - nearest))
    return mean(each)


def semi_hard_reference(rows: Rows, labels: list[int]) -> float:
    each = []
    for i, j in anchors_and_positives(labels):
        positive = unit_distance(rows[i], rows[j])
        farther = [d for k in negatives_of(labels, i) if (d := unit_distance(rows[i], rows[k])) > positive]
        if farther:
            each.append(max(0.0, positive - min(farther) + 0.5))
    return mean(each)


def ge2e_reference(rows: Rows, labels: list[int]) -> float:
    units = [[x / math.sqrt(dot(row, row)) for x in row] for row in rows]
    groups = {s: [i for i, label in enumerate(labels) if label == s] for s in (0, 1, 2)}
    each = []
    for position, (own, members) in enumerate(groups.items()):
        for i in members:
            logits = [
                number(SCALE) * cosine(units[i], mean_row([units[j] for j in group if s != own or j != i]))
                for s, group in groups.items()
            ]
            each.append(negative_log_softmax(logits, position))
    return mean(each)


def angular_prototypical_reference(rows: Rows, labels: list[int]) -> float:
    groups = [[row for row, label in zip(rows, labels, strict=True) if label == s] for s in (0, 1, 2)]
    prototypes = [mean_row(group[:-1]) for group in groups]
    return mean(
        [
            negative_log_softmax(
                [number(SCALE) * cosine(group[-1], prototype) for prototype in prototypes], place
            )
            for place, group in enumerate(groups)
        ]
    )


def supervised_contrastive_reference(rows: Rows, labels: list[int]) -> float:
    each = []
    for i in range(len(rows)):
        others = [j for j in range(len(rows)) if j != i]
        logits = [cosine(rows[i], rows[j]) / 0.2 for j in others]
        positives = [place for place, j in enumerate(others) if is_same(labels, i, j)]
        if positives:
            each.append(mean([negative_log_softmax(logits, place) for place in positives]))
    return mean(each)


def distillation_reference(rows: Rows, labels: list[int]) -> float:
    return mean([1 - cosine(row, other) for row, other in zip(rows, TEACHER.tolist(), strict=True)])


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
    additive_angular_margin(end, 0.2).backward()
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


# ---- the weighted sum ------------------------------------------------------------------------------------


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
    distillation(student, teacher).backward()
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
def test_wrong_tables_are_refused(table: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        LossConfig(**table)


def test_defaults_are_filled_in() -> None:
    config = LossConfig(name="aam_softmax")
    assert (config.margin, config.scale, config.sub_centres, config.mining) == (0.2, 30.0, 1, None)
    assert LossConfig(name="triplet").mining == "batch_hard"


# ---- the guard against collapse --------------------------------------------------------------------------


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
