"""What a recipe is trained to do: its speech, its noise, and what candidates are measured on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from voiceprint.corpus import Corpus, Unreadable, read_manifest
from voiceprint.corpus.reading import read_utterances, require_readable
from voiceprint.errors import ConfigError, CorpusError
from voiceprint.training.augment import NoiseBank
from voiceprint.training.losses import CombinedLoss
from voiceprint.training.run.criterion import Suite
from voiceprint.training.run.recipe import Recipe
from voiceprint.training.run.validation import DevSuite

# One noise recording in this many is held out for validation and never trained with.
_NOISE_HELD_OUT = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """The noise of a recipe, decoded.

    Parameters
    ----------
    training : NoiseBank or None
        What is trained with; None where the recipe names no noise.
    held_out : NoiseBank or None
        What is held out for the condition ``noise`` of the validation, if there is one.
    unreadable : tuple of Unreadable
        The recordings that are in neither.
    """

    training: NoiseBank | None = None
    held_out: NoiseBank | None = None
    unreadable: tuple[Unreadable, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What a recipe is trained to do.

    Parameters
    ----------
    speech : Corpus
        What it is trained on; every speaker is a class.
    suite : callable
        Makes what candidates are measured on, given the loss that is trained with the encoder.
    unreadable : tuple of Unreadable
        What of the noise and of the dev clips is left out.
    begin : callable
        Given the run's folder, writes down what the task is, or refuses to go on with another.
    """

    speech: Corpus
    noise: Noise
    suite: Callable[[CombinedLoss], Suite]
    unreadable: tuple[Unreadable, ...] = ()
    begin: Callable[[Path], None] = lambda folder: None


def verification_task(recipe: Recipe, corpora: Path) -> Task:
    """Verification of unknown speakers: the corpora of ``[data]`` and their dev EER.

    Noise and dev clips are read at once, so that nothing is rendered for hours that cannot be validated.

    Raises
    ------
    ConfigError
        The validation asks for what the dev clips or the noise do not have.
    CorpusError
        A corpus is missing, a speaker is both trained and validated on, a dev corpus makes no trials of both
        kinds, or too many files of noise or dev clips cannot be read.
    """
    speech = read_training_speech(recipe, corpora)
    noise = read_noise(recipe, corpora)
    suite = dev_suite(recipe, corpora, noise)
    return Task(
        speech=speech, noise=noise, suite=lambda _: suite, unreadable=noise.unreadable + suite.unreadable
    )


def read_corpora(root: Path, names: Sequence[str], *, split: str | None = None) -> Corpus:
    """The corpora ``names`` under ``root``, one after another, cut down to one split.

    Raises
    ------
    ConfigError
        ``names`` is empty.
    CorpusError
        A corpus is missing, or nothing is left.
    """
    if not names:
        raise ConfigError("[data]: names no corpus; list at least one")
    corpus = Corpus(
        utterance for name in names for utterance in read_manifest(root / name / "manifest.csv", name=name)
    )
    return corpus if split is None else corpus.filter(split=split)


def read_training_speech(recipe: Recipe, root: Path) -> Corpus:
    """The utterances that a recipe trains on.

    Raises
    ------
    CorpusError
        A corpus is missing, or a speaker is both trained and validated on.
    """
    train = read_corpora(root, recipe.data.train, split="train")
    (train + read_corpora(root, recipe.data.dev, split="dev")).require_disjoint_splits()
    return train


def dev_suite(recipe: Recipe, corpora: Path, noise: Noise) -> DevSuite:
    """The clips that a recipe's candidates are measured on, with the noise that `read_noise` holds out.

    Raises
    ------
    ConfigError, CorpusError
        As for `verification_task`.
    """
    dev = read_corpora(corpora, recipe.data.dev, split="dev")
    return DevSuite(dev, recipe.validation, noise=noise.held_out)


def read_noise(recipe: Recipe, corpora: Path) -> Noise:
    """Decode the noise of a recipe: what is trained with, and what is held out for a validation with noise.

    Raises
    ------
    CorpusError
        The corpus of noise is missing, or more than 1 % of its recordings cannot be read.
    """
    if not recipe.data.noise:
        return Noise()
    decoded, unreadable = decode_noise(_noise_recordings(recipe, corpora))
    # The place in the corpus decides, so that an unreadable file moves no other into the validation.
    every = _NOISE_HELD_OUT if "noise" in recipe.validation.conditions else 0
    held_out = [clip for place, clip in decoded.items() if every and place % every == 0]
    training = [clip for place, clip in decoded.items() if not every or place % every]
    return Noise(
        training=NoiseBank.from_arrays(training),
        held_out=NoiseBank.from_arrays(held_out) if held_out else None,
        unreadable=unreadable,
    )


def open_noise(corpora: Path, name: str) -> NoiseBank:
    """Decode a corpus of noise; CorpusError where more than 1 % of it cannot be read."""
    decoded, _ = decode_noise(read_corpora(corpora, [name]))
    return NoiseBank.from_arrays(decoded.values())


def decode_noise(recordings: Corpus) -> tuple[dict[int, NDArray[np.int16]], tuple[Unreadable, ...]]:
    """Decode noise: (n_samples,) by the place in the corpus, and the recordings that cannot be read.

    Raises
    ------
    CorpusError
        More than 1 % of them cannot be read.
    """
    decoded: dict[int, NDArray[np.int16]] = {}
    unreadable: list[Unreadable] = []
    for place, clip in enumerate(read_utterances(recordings)):
        if isinstance(clip, Unreadable):
            unreadable.append(clip)
        else:
            decoded[place] = (clip * 32767).astype(np.int16)
    require_readable(unreadable, total=len(recordings), what="recordings of noise")
    return decoded, tuple(unreadable)


def _noise_recordings(recipe: Recipe, corpora: Path) -> Corpus:
    try:
        return read_corpora(corpora, [recipe.data.noise], split=recipe.data.noise_split or None)
    except CorpusError as error:
        raise CorpusError(
            f'the recipe\'s noise: {error}; or train without: data.noise = "", augment.noise = 0, '
            "augment.peak_noise = 0"
        ) from error
