"""A training run's folder: its recipe and checkpoints, and the model that it hands over."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

from torch import nn

from voiceprint.corpus import Corpus
from voiceprint.errors import ConfigError, TrainingError
from voiceprint.model.card import ModelCard, read_model_card
from voiceprint.model.registry import resolve_model
from voiceprint.onnx_runtime import graph_embedder
from voiceprint.training.data.pool import open_pool
from voiceprint.training.encoders import make_encoder
from voiceprint.training.export.dev_figures import describe_suite, measure_dev
from voiceprint.training.export.graph import export_model, parity_speech, quantize
from voiceprint.training.export.licences import CorpusLicence, with_licences
from voiceprint.training.export.wccn import BATCHES, SHRINKAGE, fold, measure_normalization
from voiceprint.training.origins import licence_after, origins_table, read_origins
from voiceprint.training.run.assembly import training_batches
from voiceprint.training.run.checkpoint import load_into, read_checkpoint
from voiceprint.training.run.recipe import Recipe, read_saved_recipe
from voiceprint.training.run.task import (
    Noise,
    dev_suite,
    read_corpora,
    read_noise,
    read_training_speech,
)
from voiceprint.training.run.validation import DevSuite

Checkpoint = Literal["best", "last"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedEncoder:
    """What a checkpoint of a run holds.

    Parameters
    ----------
    encoder : nn.Module
        With the averaged weights, in evaluation mode.
    """

    encoder: nn.Module
    recipe: Recipe
    step: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CardSources:
    """What the card of a run's model shows besides the run.

    Parameters
    ----------
    licences : mapping of str to CorpusLicence
        Those of the corpora that the run was trained on; see `read_licences`.
    beside : str or Path, optional
        Another model, measured on the same dev clips, whose error rates the card shows as well: the same
        encoder without its teacher, for example.
    """

    licences: Mapping[str, CorpusLicence] = field(default_factory=dict)
    beside: str | Path | None = None


def load_encoder(
    run: Path, *, checkpoint: Checkpoint = "best", overrides: Sequence[str] = ()
) -> TrainedEncoder:
    """Load the averaged weights of a run.

    Parameters
    ----------
    run : Path
        The run's folder; a run that is going on may be read.
    checkpoint : {"best", "last"}
        That of the lowest dev EER, or the newest.
    overrides : sequence of str
        ``key=value`` changes of the run's recipe, of what the card says for example.

    Raises
    ------
    ConfigError
        ``run`` holds no recipe.
    TrainingError
        There is no such checkpoint yet, or it does not fit the recipe.
    """
    recipe = read_saved_recipe(run, overrides)
    path = run / "checkpoints" / f"{checkpoint}.safetensors"
    if not path.exists():
        raise TrainingError(
            f"{path}: there is no such checkpoint; the first is written after trainer.checkpoint_every = "
            f"{recipe.trainer.checkpoint_every} steps, the best one after a validation"
        )
    tensors, state = read_checkpoint(path)
    encoder = make_encoder(recipe.encoder, seed=recipe.seed)
    load_into(encoder, tensors, prefix="average.", path=path)
    return TrainedEncoder(encoder=encoder.eval(), recipe=recipe, step=int(state["step"]))


def export_run(
    run: Path,
    folder: Path,
    *,
    corpora: Path,
    checkpoint: Checkpoint = "best",
    wccn: Path | None = None,
    int8: bool = False,
    card: CardSources | None = None,
    overrides: Sequence[str] = (),
    overwrite: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> ModelCard:
    """Make a model folder of a run's checkpoint, and measure its graph on the dev suite.

    Parameters
    ----------
    run, checkpoint, overrides
        As for `load_encoder`.
    folder, overwrite
        As for `export_model`.
    corpora : Path
        Root of the corpora, whose dev clips the exported graph is compared with torch on.
    wccn : Path, optional
        The run's pool, with all voices, by which `voiceprint.training.export.wccn` normalises embeddings.
    int8 : bool
        Make all weights but those of convolutions 8-bit.
    progress : callable
        ``progress(done, total)`` while ``wccn`` is measured.

    Returns
    -------
    ModelCard
        With what `measure_dev` gives of the graph; with ``int8`` also ``dev_float32``, of the graph before.

    Raises
    ------
    ConfigError, TrainingError
        As for `load_encoder`; graph and torch disagree; or ``card.beside`` was measured on other dev clips.
    ModelError, CorpusError
        As for `export_model` and `open_pool`; no model ``card.beside``; or a dev corpus is missing.
    """
    trained = load_encoder(run, checkpoint=checkpoint, overrides=overrides)
    noise = read_noise(trained.recipe, corpora)
    suite = dev_suite(trained.recipe, corpora, noise)
    card = card or CardSources()
    training = with_licences(_training_table(trained, run, corpora), card.licences)
    extra = {} if card.beside is None else {"beside": _other_model(card.beside, suite)}
    if wccn is not None:
        training["wccn"] = _fold_wccn(trained, wccn, corpora, noise, progress)
    return export_model(
        trained.encoder,
        folder,
        card_of_run(run, trained.recipe, training=training, extra=extra),
        speech=parity_speech(read_corpora(corpora, trained.recipe.data.dev, split="dev")),
        finish=partial(_quantize_and_measure if int8 else _measure, suite),
        int8=int8,
        overwrite=overwrite,
    )


def card_of_run(
    run: Path, recipe: Recipe, *, training: Mapping[str, Any], extra: Mapping[str, Any]
) -> Callable[..., ModelCard]:
    """Make the card of a run's model, but for what `export_model` finds in the model folder."""
    return partial(
        ModelCard,
        name=recipe.name,
        version=recipe.version,
        description=recipe.description,
        licence=licence_after(recipe.licence, read_origins(run)),
        encoder=asdict(recipe.encoder),
        training=training,
        extra=extra,
    )


def corpus_size(corpus: Corpus) -> dict[str, float]:
    """The size of a corpus, as a card says it."""
    hours = round(corpus.seconds / 3600, 2)
    return {"speakers": len(corpus.speakers), "utterances": len(corpus), "hours": hours}


def _fold_wccn(
    trained: TrainedEncoder, folder: Path, corpora: Path, noise: Noise, progress: Callable[[int, int], None]
) -> dict[str, Any]:
    """Centre and normalise embeddings within the speakers of the pool; return the card's table of it."""
    recipe = trained.recipe
    speech = read_training_speech(recipe, corpora)
    pool = open_pool(folder, speech, voices=1 + len(recipe.data.voices))
    pool.require_voices(recipe.data.voices, seed=recipe.seed)
    batches = training_batches(recipe, pool, noise, steps=BATCHES)
    found = measure_normalization(trained.encoder, pool, batches, seed=recipe.seed, progress=progress)
    fold(trained.encoder, found)
    return {"shrinkage": SHRINKAGE, "batches": BATCHES}


def _training_table(trained: TrainedEncoder, run: Path, corpora: Path) -> dict[str, Any]:
    recipe = trained.recipe
    table: dict[str, Any] = {
        "run": run.name,
        "corpora": list(recipe.data.train),
        "dev_corpora": list(recipe.data.dev),
        "seed": recipe.seed,
        "steps": trained.step,
        "losses": {loss.name: loss.weight for loss in recipe.loss},
        "speech": {
            name: corpus_size(read_corpora(corpora, [name], split="train")) for name in recipe.data.train
        },
    }
    if recipe.data.noise:
        table["noise"] = {recipe.data.noise: _noise_size(recipe, corpora)}
    return table | origins_table(
        read_origins(run), licence=recipe.licence, teacher=recipe.data.teacher, history=recipe.history
    )


def _other_model(model: str | Path, suite: DevSuite) -> dict[str, Any]:
    """The card's table of another model, whose rates have to be of the same clips and conditions."""
    card = read_model_card(resolve_model(model))
    asked = {f"eer/{name}" for name in suite.names}
    found = {name for name in card.measured.get("dev", {}) if name.startswith("eer/")}
    if card.measured.get("dev_suite") != describe_suite(suite) or found != asked:
        raise ConfigError(
            f"beside: {card.title} was not measured on the dev clips of this run's recipe; export it from "
            "a run with the same data.dev and [validation]"
        )
    facts = {"title": card.title, "id": card.id, "description": card.description}
    steps = {key: card.training[key] for key in ("steps",) if key in card.training}
    return facts | steps | {key: card.measured[key] for key in ("dev", "dev_intervals")}


def _noise_size(recipe: Recipe, corpora: Path) -> dict[str, float]:
    size = corpus_size(read_corpora(corpora, [recipe.data.noise], split=recipe.data.noise_split or None))
    return {key: size[key] for key in ("utterances", "hours")}  # nobody speaks


def _measure(suite: DevSuite, graph: Path) -> dict[str, Any]:
    return measure_dev(suite, graph_embedder(graph))


def _quantize_and_measure(suite: DevSuite, graph: Path) -> dict[str, Any]:
    before = suite.measure(graph_embedder(graph))
    quantize(graph)
    return {"dev_float32": before, **_measure(suite, graph)}
