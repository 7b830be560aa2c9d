"""Where rows find and leave things, how far they may go, and tiny corpora and recipes to try them on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Literal

from benchmarks.program import ROOT
from voiceprint.corpus import Corpus, Utterance, read_manifest, write_manifest
from voiceprint.corpus.splits import split_clips
from voiceprint.training.classification.recipes import (
    GMMRecipe,
    GroupsConfig,
    SVMRecipe,
    read_classic_recipe,
)
from voiceprint.training.classification.svm import SVMConfig
from voiceprint.training.data.batches import (
    BatchConfig,
    ClipBatches,
    PairBatches,
    SpeakerBatches,
)
from voiceprint.training.run.recipe import Recipe, read_recipe

CONFIGS = ROOT / "configs"
CAP_MINUTES = 90.0
"""Longest training of a row, unless the command says otherwise."""

SPLITS = {"random": "dev", "blocks": "test"}
"""The two ways of splitting the five speakers, and the part that is measured."""
TESTS = ("speechocean762", "voxforge")
"""Corpora whose test speakers nobody is trained on."""

_FIVE = "five_speakers"
_CORPORA = ("speechocean762", "librispeech", "arabic_speech_commands", "synthetic_voices", "voxforge", _FIVE)
_NOISE = "noise"
_FEW_SPEAKERS, _FEW_CLIPS, _FEW_OF_FIVE, _FEW_NOISES = 8, 6, 20, 3


@dataclass(frozen=True, slots=True, kw_only=True)
class CNNSVMRecipe:
    """An SVM on the embeddings of a network that was trained on other people.

    Parameters
    ----------
    network : str
        Recipe of the network, a TOML file beside this one, without its ending.
    """

    name: str
    network: str
    kind: Literal["cnn-svm"] = "cnn-svm"
    description: str = ""
    seed: int = 1
    svm: SVMConfig = field(default_factory=SVMConfig)
    groups: GroupsConfig = field(default_factory=GroupsConfig)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What all rows share."""

    corpora: Path
    folder: Path
    cap_minutes: float = CAP_MINUTES
    quick: bool = False

    @property
    def repetitions(self) -> int:
        """Draws of speakers behind an interval."""
        return 50 if self.quick else 1000

    @property
    def episodes(self) -> int:
        """Episodes behind an n-shot accuracy."""
        return 200 if self.quick else 10_000

    def network(self, name: str, *overrides: str) -> Recipe:
        """An encoder's recipe, changed; at most as many clips as the default recipe sees."""
        recipe = read_recipe(CONFIGS / f"{name}.toml", overrides)
        if self.quick:
            return _tiny(recipe)
        steps = min(recipe.trainer.steps, max(1, default_clips() // clips_a_batch(recipe.batches)))
        return replace(recipe, trainer=replace(recipe.trainer, steps=steps))

    def gmm(self, *overrides: str) -> GMMRecipe:
        """The recipe of GMMs, changed."""
        recipe = read_classic_recipe(CONFIGS / "gmm.toml", GMMRecipe, overrides)
        if not self.quick:
            return recipe
        mixture = replace(recipe.mixture, components=4, iterations=3, max_frames=2000)
        return replace(recipe, mixture=mixture)

    def svm(self, *overrides: str) -> SVMRecipe:
        """The recipe of the SVM, changed."""
        recipe = read_classic_recipe(CONFIGS / "svm.toml", SVMRecipe, overrides)
        return replace(recipe, groups=_few_groups(recipe.groups)) if self.quick else recipe

    def cnn_svm(self) -> CNNSVMRecipe:
        """The recipe of the SVM on a spectrogram network's embeddings."""
        recipe = read_classic_recipe(CONFIGS / "cnn-svm.toml", CNNSVMRecipe)
        return replace(recipe, groups=_few_groups(recipe.groups)) if self.quick else recipe


def five_speakers(corpora: Path, kind: str) -> Corpus:
    """The five speakers' clips, split at random (10 % held out, seed 43) or in blocks (the manifest's)."""
    corpus = read_manifest(corpora / _FIVE)
    return split_clips(corpus, "random") if kind == "random" else split_clips(corpus, "manifest")


@cache
def default_clips() -> int:
    """Clips that the default recipe sees."""
    default = read_recipe(CONFIGS / "default.toml")
    return default.trainer.steps * clips_a_batch(default.batches)


def clips_a_batch(batches: BatchConfig) -> int:
    """How many clips one batch holds."""
    if isinstance(batches, SpeakerBatches):
        return batches.speakers * batches.utterances
    if isinstance(batches, PairBatches):
        return 2 * batches.pairs
    if isinstance(batches, ClipBatches):
        return batches.size
    return 3 * batches.triplets


def small_corpora(corpora: Path, folder: Path) -> Path:
    """Write manifests of a few speakers and clips of every corpus below ``folder``; return it."""
    for name in (*_CORPORA, _NOISE):
        corpus = read_manifest(corpora / name)
        (folder / name).mkdir(parents=True, exist_ok=True)
        write_manifest(Corpus(_few(corpus)), folder / name / "manifest.csv")
    return folder


def _few(corpus: Corpus) -> Iterator[Utterance]:
    name = corpus[0].corpus
    clips = {_FIVE: _FEW_OF_FIVE, _NOISE: _FEW_NOISES}.get(name, _FEW_CLIPS)
    for split in corpus.splits:
        people: dict[str, int] = {}
        for utterance in corpus.filter(split=split):
            if utterance.speaker not in people and len(people) == _FEW_SPEAKERS:
                continue
            people[utterance.speaker] = people.get(utterance.speaker, 0) + 1
            if people[utterance.speaker] <= clips:
                yield utterance


def _few_groups(groups: GroupsConfig) -> GroupsConfig:
    return replace(groups, sizes=(3,), seconds=(3.0, 5.0), rounds=1)


def _tiny(recipe: Recipe) -> Recipe:
    """Two steps, small batches, nothing that has to be rendered first."""
    return replace(
        recipe,
        data=replace(recipe.data, voices=()),
        batches=_small_batches(recipe.batches),
        augment=replace(recipe.augment, reverberation=0.0),
        trainer=replace(recipe.trainer, steps=2, validate_every=2, checkpoint_every=2, precision="float32"),
        validation=replace(recipe.validation, conditions=("clean",), clips_per_speaker=3),
    )


def _small_batches(batches: BatchConfig) -> BatchConfig:
    if isinstance(batches, SpeakerBatches):
        return replace(batches, speakers=4, workers=0)
    if isinstance(batches, PairBatches):
        return replace(batches, pairs=4, workers=0)
    if isinstance(batches, ClipBatches):
        return replace(batches, size=8, workers=0)
    return replace(batches, triplets=4, workers=0)
