"""The dev suite: development speakers, clean and degraded, whose EER or one-shot accuracy decides."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from voiceprint.audio import SAMPLE_RATE
from voiceprint.audio.conditions import BABBLE_VOICES, standard_telephone
from voiceprint.audio.degrade import add_background, babble, loudest
from voiceprint.corpus import Corpus, Unreadable, Utterance
from voiceprint.corpus.reading import read_utterances, require_readable
from voiceprint.errors import ConfigError, CorpusError
from voiceprint.evaluation.benchmark import Benchmark, LabelledEmbeddings
from voiceprint.evaluation.scores import all_pairs
from voiceprint.metrics import DetCurve, SpeakerTrials, det_points, eer_interpolated
from voiceprint.scoring import cosine_matrix, normalize
from voiceprint.training.augment import NoiseBank
from voiceprint.training.data.batches import CorpusShare
from voiceprint.training.run.criterion import EER, Criterion

T = TypeVar("T", float, NDArray[np.float64])
Samples = NDArray[np.float32]
Embed = Callable[[Samples], Samples]
"""Waveforms (batch, samples) at 16 kHz -> embeddings (batch, dim)."""

CONDITIONS = ("clean", "0.4s", "1s", "telephone", "noise", "babble", "crossed")
"""What the suite measures: whole clips, cut to 0.4 and 1 s, by telephone, with noise and babble at 10 dB.
A crossed trial has a clean clip on one side, and one by telephone, with noise or with babble on the other."""

LONGEST_SECONDS = 6
"""Longer clips are cut to this; also those that are called whole."""

_CROSSED = "crossed"
_OTHER_SIDE = ("telephone", "noise", "babble")
# Episodes of every corpus under every condition, the same at every validation.
_EPISODES = 1000
_SNR_DB = 10.0
# Clips are cut to multiples of this, so that many have the same length and go through the encoder together.
_GRAIN = SAMPLE_RATE // 4
_LONGEST = LONGEST_SECONDS * SAMPLE_RATE
_BATCH_SAMPLES = 60 * SAMPLE_RATE


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidationConfig:
    """The ``[validation]`` table of a recipe.

    Parameters
    ----------
    conditions : tuple of str
        Some of `CONDITIONS`.
    clips_per_speaker : int
        How many clips of every speaker, from the first; 0 takes all.
    shares : tuple of CorpusShare
        How much each corpus counts in the mean; without them all count alike.
    ways, shots : int
        Also measure how often the right one of ``ways`` speakers is named, each known by ``shots`` clips
        (n-shot k-way episodes, see `voiceprint.evaluation.benchmark`); 0 ways measures none.
    criterion : {"eer", "accuracy"}
        By which the best checkpoint is kept, a ``plateau`` schedule falls and training stops early.
        ``accuracy`` is that of the episodes.

    Raises
    ------
    ConfigError
        Numbers make no trials or no episodes, or ``accuracy`` is to decide and there are none.
    """

    conditions: tuple[str, ...] = CONDITIONS
    clips_per_speaker: int = 10
    shares: tuple[CorpusShare, ...] = ()
    ways: int = 0
    shots: int = 1
    criterion: Literal["eer", "accuracy"] = "eer"

    def __post_init__(self) -> None:
        if self.clips_per_speaker < 0 or self.clips_per_speaker == 1:
            raise ConfigError(
                f"validation.clips_per_speaker: {self.clips_per_speaker} clips of everybody make no trial of "
                "one speaker; give 2 or more, or 0 for all"
            )
        lacking = sorted({"clean", *_OTHER_SIDE} - set(self.conditions))
        if _CROSSED in self.conditions and lacking:
            raise ConfigError(
                f"validation.conditions: {_CROSSED!r} is made of clips of others; add {', '.join(lacking)}"
            )
        if self.ways < 0 or self.ways == 1 or self.shots < 1:
            raise ConfigError(
                f"validation.ways: {self.ways} speakers of {self.shots} clips make no episodes; give 2 or "
                "more speakers, or 0 for none, and 1 or more shots"
            )
        if self.criterion == "accuracy" and not self.ways:
            raise ConfigError(
                "validation.criterion: accuracy is that of n-shot k-way episodes; set validation.ways, to 5 "
                "for example"
            )

    @property
    def decides(self) -> Criterion:
        """The mean EER, or the mean accuracy of episodes."""
        if self.criterion == "eer":
            return EER
        title = f"{self.shots}-shot {self.ways}-way accuracy"
        return Criterion(name="accuracy", title=title, higher_is_better=True)


class DevSuite:
    """Dev clips under several conditions, made once, the same for every run.

    Parameters
    ----------
    corpus : Corpus
        Development speakers of one or more corpora; every corpus is measured by itself.
    noise : NoiseBank or None
        Needed for the condition ``noise``.

    Raises
    ------
    CorpusError
        More than 1 % of the clips cannot be read; or a corpus has no two speakers, nobody with two clips, or
        not the episodes that are asked for; or a condition is unknown or lacks its noise.

    Attributes
    ----------
    unreadable : tuple of Unreadable
        The clips that are left out, with the reasons.
    curves : dict of str to DetCurve
        Of the encoder measured last, by ``CORPUS/CONDITION``, thinned for drawing.
    trials : dict of str to SpeakerTrials
        Its scores of all pairs of clips, likewise; speakers are numbered within their corpus.
    """

    def __init__(self, corpus: Corpus, config: ValidationConfig, *, noise: NoiseBank | None) -> None:
        self.curves: dict[str, DetCurve] = {}
        self.trials: dict[str, SpeakerTrials] = {}
        readable, clips, self.unreadable = _read(corpus.first_clips(config.clips_per_speaker))
        self.corpora = np.array([utterance.corpus for utterance in readable])
        self.speakers = np.array([utterance.speaker_id for utterance in readable])
        self.config = config
        for name in sorted(set(self.corpora)):
            _, counts = np.unique(self.speakers[self.corpora == name], return_counts=True)
            _require_trials(name, counts)
            _require_episodes(name, counts, config)
        self._weights = _weights(sorted(set(self.corpora)), config.shares)
        makers = _makers(clips, self.speakers, noise)
        unknown = sorted(set(config.conditions) - set(CONDITIONS))
        if unknown:
            raise CorpusError(f"validation.conditions: {unknown[0]!r} is not one of {', '.join(CONDITIONS)}")
        self.clips: dict[str, list[Samples]] = {
            condition: [
                _whole_grains(makers[condition](i, np.random.default_rng([0, i]))) for i in range(len(clips))
            ]
            for condition in config.conditions
            if condition != _CROSSED
        }

    @property
    def criterion(self) -> Criterion:
        """By which of the figures candidates are compared."""
        return self.config.decides

    @property
    def names(self) -> list[str]:
        """What is measured: ``CORPUS/CONDITION``."""
        corpora = sorted(set(self.corpora))
        return [f"{corpus}/{condition}" for condition in self.config.conditions for corpus in corpora]

    def __call__(self, encoder: nn.Module) -> dict[str, float]:
        """Measure a torch encoder; see `measure`."""
        return self.measure(torch_embed(encoder))

    def measure(self, embed: Embed) -> dict[str, float]:
        """Measure an encoder: ``embed`` takes (batch, samples) and gives (batch, dim).

        Returns
        -------
        dict of str to float
            ``eer`` of every corpus under every condition (``eer/CORPUS/CONDITION``), and their mean by the
            corpora's shares; so also ``accuracy``, where the configuration asks for episodes.
        """
        rates: dict[str, float] = {}
        accuracies: dict[str, float] = {}
        self.curves, self.trials = {}, {}
        embedded = {condition: embed_samples(embed, clips) for condition, clips in self.clips.items()}
        for condition in self.config.conditions:
            for corpus in sorted(set(self.corpora)):
                own = self.corpora == corpus
                name = f"{corpus}/{condition}"
                self.trials[name] = self._trials(embedded, condition, own)
                curve = self.trials[name].curve
                self.curves[name] = det_points(curve)
                rates[name] = eer_interpolated(curve)
                if self.config.ways and condition != _CROSSED:
                    accuracies[name] = self._accuracy(embedded[condition][own], self.speakers[own])
        return self._with_mean("eer", rates) | (self._with_mean("accuracy", accuracies) if accuracies else {})

    def _trials(
        self, embedded: Mapping[str, NDArray[np.float32]], condition: str, own: NDArray[np.bool_]
    ) -> SpeakerTrials:
        """All pairs of the clips ``own`` under a condition."""
        if condition != _CROSSED:
            return all_pairs(embedded[condition][own], self.speakers[own])
        places = np.flatnonzero(own)
        other = np.stack([embedded[_OTHER_SIDE[i % len(_OTHER_SIDE)]][i] for i in places])
        return _crossed_pairs(embedded["clean"][own], other, self.speakers[own])

    def mean(self, values: Mapping[str, T]) -> T:
        """Mean of figures by ``CORPUS/CONDITION``, numbers or arrays: corpora by share, conditions alike."""
        weights = {name: self._weights[name.partition("/")[0]] for name in values}
        total = sum(weights.values())
        summed: Any = sum(weights[name] * value for name, value in values.items())
        return cast(T, summed / total)

    def _with_mean(self, measure: str, values: Mapping[str, float]) -> dict[str, float]:
        return {
            measure: float(self.mean(values)),
            **{f"{measure}/{name}": value for name, value in values.items()},
        }

    def _accuracy(self, embeddings: NDArray[np.float32], speakers: NDArray[np.str_]) -> float:
        benchmark = Benchmark(LabelledEmbeddings(embeddings=embeddings, speakers=speakers))
        config = self.config
        return benchmark.run(n=config.shots, k=config.ways, episodes=_EPISODES, seed=0).accuracy


def _require_trials(corpus: str, clips: NDArray[np.int64]) -> None:
    """Refuse a corpus whose dev speakers, with ``clips`` clips each, make no trial of either kind."""
    if len(clips) > 1 and clips.max() > 1:
        return
    raise CorpusError(
        f"{corpus}: no dev error rate can be measured on its dev split, which has {len(clips)} speakers, "
        f"{np.count_nonzero(clips > 1)} of them with two readable clips or more; it takes 2 speakers, and "
        "one of them with 2 clips: put more speakers into the split, or "
        "take the corpus out of data.dev"
    )


def _require_episodes(corpus: str, clips: NDArray[np.int64], config: ValidationConfig) -> None:
    fit = int(np.count_nonzero(clips > config.shots))
    if fit < config.ways:
        raise CorpusError(
            f"validation.ways: {config.ways}, but only {fit} dev speakers of {corpus} have more than "
            f"{config.shots} clips; lower it"
        )


def _weights(corpora: Sequence[str], shares: Sequence[CorpusShare]) -> dict[str, float]:
    """How much each corpus counts; alike without shares."""
    if not shares:
        return dict.fromkeys(corpora, 1.0)
    weights = {one.corpus: one.share for one in shares}
    if sorted(weights) != sorted(corpora):
        raise CorpusError(
            f"validation.shares: are of {', '.join(sorted(weights))}; the dev clips are of "
            f"{', '.join(corpora)}"
        )
    return weights


def _crossed_pairs(
    first: NDArray[np.float32], second: NDArray[np.float32], speakers: NDArray[np.str_]
) -> SpeakerTrials:
    """Every clip of ``first`` (n, dim) against every other one of ``second`` (n, dim)."""
    codes = np.unique(speakers, return_inverse=True)[1].astype(np.int32)
    enroll, test = np.nonzero(~np.eye(len(codes), dtype=np.bool_))
    return SpeakerTrials(
        scores=cosine_matrix(first, second)[enroll, test], enroll=codes[enroll], test=codes[test]
    )


def torch_embed(encoder: nn.Module) -> Embed:
    """A torch encoder, on the device where it is, as a function of batches."""
    device = next(encoder.parameters()).device

    def embed(batch: Samples) -> Samples:
        with torch.inference_mode():
            return encoder(torch.from_numpy(batch).to(device)).cpu().numpy()  # type: ignore[no-any-return]

    return embed


def embed_samples(embed: Embed, clips: Sequence[Samples]) -> NDArray[np.float32]:
    """Unit-length embeddings (len(clips), dim)."""
    return normalize(run_clips(embed, clips))


def run_clips(embed: Embed, clips: Sequence[Samples]) -> NDArray[np.float32]:
    """Outputs (len(clips), dim) of an encoder as they come, clips of equal length together."""
    by_length: dict[int, list[int]] = {}
    for index, clip in enumerate(clips):
        by_length.setdefault(len(clip), []).append(index)
    rows: dict[int, NDArray[np.float32]] = {}
    for length, indices in by_length.items():
        size = max(1, _BATCH_SAMPLES // length)
        for start in range(0, len(indices), size):
            part = indices[start : start + size]
            rows.update(zip(part, embed(np.stack([clips[i] for i in part])), strict=True))
    return np.stack([rows[i] for i in range(len(clips))])


def _read(chosen: Corpus) -> tuple[list[Utterance], list[Samples], tuple[Unreadable, ...]]:
    """The clips that can be read, whose they are, and those that cannot be."""
    readable: list[Utterance] = []
    clips: list[Samples] = []
    unreadable: list[Unreadable] = []
    for utterance, clip in zip(chosen, read_utterances(chosen), strict=True):
        if isinstance(clip, Unreadable):
            unreadable.append(clip)
        else:
            readable.append(utterance)
            clips.append(clip)
    require_readable(unreadable, total=len(chosen), what="dev clips")
    return readable, clips, tuple(unreadable)


def _makers(
    clips: Sequence[Samples], speakers: NDArray[np.str_], noise: NoiseBank | None
) -> Mapping[str, Callable[[int, np.random.Generator], Samples]]:
    def with_noise(i: int, generator: np.random.Generator) -> Samples:
        if noise is None:
            raise CorpusError(
                "validation.conditions: 'noise' needs a noise corpus; name one in [data] or leave it out"
            )
        return add_background(clips[i], noise.excerpt(generator, len(clips[i])), snr_db=_SNR_DB)

    def with_babble(i: int, generator: np.random.Generator) -> Samples:
        others = generator.permutation(np.flatnonzero(speakers != speakers[i]))[:BABBLE_VOICES]
        voices = babble((clips[j] for j in others), len(clips[i]))
        return add_background(clips[i], voices, snr_db=_SNR_DB)

    return {
        "clean": lambda i, generator: clips[i],
        "0.4s": lambda i, generator: loudest(clips[i], int(0.4 * SAMPLE_RATE)),
        "1s": lambda i, generator: loudest(clips[i], SAMPLE_RATE),
        "telephone": lambda i, generator: standard_telephone(clips[i]),
        "noise": with_noise,
        "babble": with_babble,
    }


def _whole_grains(clip: Samples) -> Samples:
    if len(clip) < 4 * _GRAIN:
        return clip
    return clip[: min(len(clip) // _GRAIN * _GRAIN, _LONGEST)]
