"""Classification by the one trainer: from four synthetic people to a model folder, in seconds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from training.conftest import equal_tensors, tiny_recipe
from voiceprint.audio import read_audio
from voiceprint.classification import ClassifierModel, CosineHead, EncoderClassifier, LinearHead
from voiceprint.corpus import Corpus
from voiceprint.corpus.splits import read_people
from voiceprint.errors import ConfigError, CorpusError, TrainingError
from voiceprint.metrics import ConfusionMatrix
from voiceprint.training.classification import (
    export_classifier,
    load_classifier,
    read_clips,
    train_classifier,
)
from voiceprint.training.classification.figures import draw_confusion, draw_curves
from voiceprint.training.classification.suite import AccuracySuite
from voiceprint.training.data.batches import ClipBatches
from voiceprint.training.losses import CombinedLoss, LossConfig
from voiceprint.training.run.checkpoint import read_checkpoint
from voiceprint.training.run.metrics_log import read_metrics
from voiceprint.training.run.recipe import Recipe

PNG = b"\x89PNG\r\n\x1a\n"


def recipe(**changes: Any) -> Recipe:
    """The tiny recipe's encoder, taught by batches of any eight clips."""
    steps = {"steps": 24, "validate_every": 8, "checkpoint_every": 8, "average": 0.5}
    made = tiny_recipe(**{"loss": [{"name": "softmax"}], "trainer": steps, **changes})
    return replace(made, batches=ClipBatches(size=8, seconds=(0.5, 1.0), workers=0))


@pytest.fixture(scope="module")
def clips(people: Path) -> Corpus:
    """Five clips of 2 s of each of four people: three to train on, one for dev, one for test."""
    return read_clips(people)


@pytest.fixture(scope="module")
def run(clips: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "people"
    outcome = train_classifier(recipe(), clips, corpora=folder.parent, folder=folder)
    assert (outcome.finished, outcome.criterion) == (True, "accuracy")
    assert outcome.best is not None and outcome.best >= 0.75
    return folder


def test_the_best_checkpoint_has_the_highest_accuracy(run: Path) -> None:
    measured = {line["step"]: line["accuracy"] for line in read_metrics(run) if "accuracy" in line}
    state = read_checkpoint(run / "checkpoints" / "best.safetensors")[1]
    assert sorted(measured) == [8, 16, 24]
    assert state["best"] == max(measured.values()) == measured[state["step"]]


def test_a_loaded_classifier_is_the_one_that_was_measured(run: Path, clips: Corpus) -> None:
    trained = load_classifier(run)
    assert trained.names == ("ada", "bert", "cleo", "dmitri")
    lines = {line["step"]: line for line in read_metrics(run)}
    dev = clips.filter(split="dev")
    loss = CombinedLoss(trained.recipe.loss, dim=24, n_classes=4, seed=0)
    assert isinstance(trained.head, LinearHead)
    loss.losses["softmax"].load_state_dict(
        {"weight": torch.from_numpy(trained.head.weight), "bias": torch.from_numpy(trained.head.bias)}
    )
    measures = AccuracySuite(dev, trained.names, loss, seconds=1.0)(trained.encoder)
    assert measures["accuracy"] == lines[trained.step]["accuracy"]
    assert measures["dev_loss"] == pytest.approx(lines[trained.step]["dev_loss"], rel=1e-5)
    encoder = sum(p.numel() for p in trained.encoder.parameters())
    assert trained.parameters == encoder + 4 * 24 + 4


def test_a_broken_run_continues_bit_for_bit(clips: Corpus, tmp_path: Path) -> None:
    constant = recipe(optimizer={"lr": 4e-3, "warmup": 5, "schedule": "constant"})
    straight = tmp_path / "straight"
    train_classifier(constant, clips, corpora=tmp_path, folder=straight)
    for steps in (16, 24):
        part = replace(constant, trainer=replace(constant.trainer, steps=steps))
        train_classifier(part, clips, corpora=tmp_path, folder=tmp_path / "broken", resume=True)
    first, second = (
        read_checkpoint(folder / "checkpoints" / "last.safetensors")
        for folder in (straight, tmp_path / "broken")
    )
    assert equal_tensors(first[0], second[0])
    assert first[1] == second[1]


def test_a_model_folder_predicts_as_the_run_does(run: Path, clips: Corpus, tmp_path: Path) -> None:
    card = export_classifier(run, tmp_path / "model")
    assert card.extra["classifier"]["names"] == ["ada", "bert", "cleo", "dmitri"]
    assert card.measured["dev"]["accuracy"] >= 0.75
    assert "ada, bert, cleo, dmitri" in (tmp_path / "model" / "README.md").read_text()
    model = ClassifierModel.open(tmp_path / "model")
    assert model.rejection is not None and isinstance(model.classifier, EncoderClassifier)
    assert (model.rejection.in_set, model.rejection.out_of_set, model.rejection.p_fa) == (4, 0, None)
    waveforms = [read_audio(u.path).samples for u in clips.filter(split="test")]
    ours = model.classifier.classify_whole(waveforms)
    theirs = load_classifier(run).classifier().classify_whole(waveforms)
    assert ours.probabilities == pytest.approx(theirs.probabilities, abs=1e-4)


def test_others_choose_the_threshold(run: Path, clips: Corpus, tiny_corpora: Path, tmp_path: Path) -> None:
    others = read_people(tiny_corpora / "tiny").filter(split="dev")
    card = export_classifier(run, tmp_path / "model", out_of_set=others)
    rejection = card.extra["classifier"]["rejection"]
    assert rejection["how"].endswith("clips of 8 others accepted")
    assert rejection["outsiders"] == len(others) and 0 <= rejection["p_fa"] <= 1
    with pytest.raises(CorpusError, match="'ada' is one of the people"):
        export_classifier(run, tmp_path / "model", out_of_set=clips)


def test_a_margin_head_classifies_by_cosines(clips: Corpus, tmp_path: Path) -> None:
    margin = recipe(loss=[{"name": "aam_softmax", "scale": 20.0}])
    train_classifier(margin, clips, corpora=tmp_path, folder=tmp_path / "run")
    head = load_classifier(tmp_path / "run").head
    assert isinstance(head, CosineHead) and head.scale == 20.0
    export_classifier(tmp_path / "run", tmp_path / "model")
    assert ClassifierModel.open(tmp_path / "model").classifier.names == ("ada", "bert", "cleo", "dmitri")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"loss": [{"name": "triplet"}]}, "the recipe trains triplet, none of which classifies"),
        ({"loss": [{"name": "softmax"}, {"name": "distillation"}]}, "distillation needs a teacher"),
    ],
)
def test_recipes_that_name_nobody(
    clips: Corpus, tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        train_classifier(recipe(**changes), clips, corpora=tmp_path, folder=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_recipe_for_strangers_is_fitted_to_the_people(clips: Corpus, tmp_path: Path) -> None:
    many = {"speakers": 6, "utterances": 2, "balance": 0.3, "seconds": [0.5, 1.0], "workers": 0}
    strangers = tiny_recipe(
        loss=[{"name": "softmax"}],
        data={"voices": [{"speed": [1.2, 1.3]}]},
        batches=many,  # of four people
        trainer={"steps": 2, "validate_every": 2, "checkpoint_every": 2},
    )
    for resume in (False, True):
        outcome = train_classifier(strangers, clips, corpora=tmp_path, folder=tmp_path / "run", resume=resume)
    assert outcome.finished
    kept = load_classifier(tmp_path / "run").recipe
    assert kept.data.voices == ()
    assert kept.batches == ClipBatches(size=12, seconds=(0.5, 1.0), workers=0)


def test_a_run_goes_on_with_its_own_clips_only(run: Path, clips: Corpus, tmp_path: Path) -> None:
    other = Corpus([replace(clips[0], split="dev"), *clips[1:]])
    with pytest.raises(CorpusError, match=r"begun with other clips or another split \(1 clips differ\)"):
        train_classifier(recipe(), other, corpora=tmp_path, folder=run, resume=True)


def test_a_clip_that_is_too_short_is_named(people: Path, wav: Callable[..., Path], tmp_path: Path) -> None:
    folder = tmp_path / "clips"
    for name in ("ada", "bert"):
        for number in range(3):
            samples = np.full(160 if number == 1 else 16_000, 0.1, dtype=np.float32)
            wav(folder / name / f"{number}.wav", samples)
    with pytest.raises(CorpusError, match=r"1\.wav.*"):
        train_classifier(recipe(), read_clips(folder), corpora=tmp_path, folder=tmp_path / "run")


def test_what_is_no_classification_run(run: Path, tmp_path: Path) -> None:
    (tmp_path / "recipe.json").write_text((run / "recipe.json").read_text())
    with pytest.raises(TrainingError, match="there is no such checkpoint"):
        load_classifier(tmp_path)
    (tmp_path / "checkpoints").mkdir()
    best = (run / "checkpoints" / "best.safetensors").read_bytes()
    (tmp_path / "checkpoints" / "best.safetensors").write_bytes(best)
    with pytest.raises(TrainingError, match="is no run of voiceprint classify train"):
        load_classifier(tmp_path)


@pytest.mark.parametrize("name", ["softmax", "am_softmax", "aam_softmax"])
def test_the_head_gives_the_logits_that_the_loss_was_trained_on(name: str) -> None:
    loss = CombinedLoss((LossConfig(name=name),), dim=6, n_classes=3, seed=4)
    loss.set_margin(0.0)
    embeddings = torch.randn(5, 6, generator=torch.Generator().manual_seed(0))
    labels = torch.tensor([0, 1, 2, 0, 1])
    logits = torch.from_numpy(loss.head().logits(embeddings.numpy()))
    expected = torch.nn.functional.cross_entropy(logits, labels)
    assert loss(embeddings, labels).total.item() == pytest.approx(expected.item(), rel=1e-4)


def test_without_a_head_there_is_nothing_to_classify_with() -> None:
    loss = CombinedLoss((LossConfig(name="triplet"),), dim=4, n_classes=2, seed=0)
    with pytest.raises(ConfigError, match="none of the losses classifies"):
        loss.head()


def test_pictures(run: Path, tmp_path: Path) -> None:
    confusion = ConfusionMatrix(names=("ada", "bert"), counts=((3, 1), (0, 4)))
    draw_confusion(confusion, tmp_path / "new" / "confusion.png", title="people")
    (tmp_path / "curves.png").write_text("seen")
    (tmp_path / "seen.png").hardlink_to(tmp_path / "curves.png")
    draw_curves(read_metrics(run), tmp_path / "curves.png", title="people")
    assert (tmp_path / "seen.png").read_text() == "seen", "a picture is replaced, not drawn over"
    assert (tmp_path / "new" / "confusion.png").read_bytes().startswith(PNG)
    assert (tmp_path / "curves.png").read_bytes().startswith(PNG)
    with pytest.raises(TrainingError, match="no step yet"):
        draw_curves([], tmp_path / "none.png", title="people")
