"""What is measured of any model folder: error rates, one of k people by n clips, milliseconds a clip."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open
from scipy.spatial.distance import pdist

from benchmarks.baselines.bench import TESTS, Bench
from benchmarks.baselines.records import Accuracy
from benchmarks.timing import spent
from voiceprint.audio import SAMPLE_RATE
from voiceprint.audio.clips import samples_to_embed
from voiceprint.corpus import Corpus
from voiceprint.evaluation import all_pairs, corpus_files, read_stretch
from voiceprint.evaluation.benchmark import Benchmark, LabelledEmbeddings, Nearness, by_cosine
from voiceprint.metrics import (
    Interval,
    SpeakerTrials,
    bias_corrected,
    eer_hull,
    eer_threshold,
    speaker_draws,
)
from voiceprint.model import SpeakerModel
from voiceprint.model.card import WEIGHTS_FILE
from voiceprint.training.classification.vectors import Embeddings, corpus_vectors
from voiceprint.training.run.task import read_corpora

WAYS = (2, 5, 10, 15, 20)
SHOTS = (1, 5)

_SPEED_SECONDS, _SPEED_RUNS = 3.0, 21


def measure_model(folder: Path, bench: Bench) -> list[Accuracy]:
    """Measure a model on test speakers; its own threshold for yes and no is chosen on dev speakers.

    EER is over all pairs of clips by cosine, as `make_trials` makes them with one enrollment clip. The share
    of right yes and no answers takes the threshold of equal error rates on the dev speakers, and weighs pairs
    of one and of two people alike.
    """
    threshold, figures = _measure(
        partial(_embed, folder), lambda clips: all_pairs(clips.embeddings, clips.speakers), by_cosine, bench
    )
    return [Accuracy(what="threshold", value=threshold, low=threshold, high=threshold), *figures]


def measure_by_distance(folder: Path, bench: Bench) -> list[Accuracy]:
    """Measure as `measure_model` does, by the Euclidean distance of the encoder's outputs as they come.

    It is what siamese and contrastive networks are trained by; their length, which cosines leave out, counts.
    """
    outputs = partial(outputs_of, model=SpeakerModel.open(folder))
    _, figures = _measure(outputs, pair_distances, _by_distance, bench, "-distance")
    return figures


def _measure(
    embed: Callable[[Corpus], LabelledEmbeddings],
    pairs: Callable[[LabelledEmbeddings], SpeakerTrials],
    nearness: Nearness,
    bench: Bench,
    way: str = "",
) -> tuple[float, list[Accuracy]]:
    """The threshold of the dev speakers, and the figures of test speakers; ``way`` ends their names."""
    dev = embed(read_corpora(bench.corpora, ["speechocean762"], split="dev"))
    threshold = eer_threshold(pairs(dev).curve)
    figures = []
    for name in TESTS:
        clips = embed(read_corpora(bench.corpora, [name], split="test"))
        trials = pairs(clips)
        figures.append(equal_error_rate(f"eer{way}/{name}", trials, bench))
        figures.append(Accuracy.of(f"yes-no{way}/{name}", _yes_no(trials, threshold)))
        figures += _shots(clips, bench, f"{way}/{name}", nearness)
    return threshold, figures


def milliseconds(folder: Path, *, seconds: float = _SPEED_SECONDS) -> float:
    """Median time of embedding a clip of noise on one thread."""
    model = SpeakerModel.open(folder)
    return median_milliseconds(lambda noise: model.embed([noise]), seconds=seconds)


def median_milliseconds(
    work: Callable[[NDArray[np.float32]], object], *, seconds: float = _SPEED_SECONDS
) -> float:
    """Median time that ``work`` takes for a clip of noise; the first is not counted."""
    noise = np.random.default_rng(0).normal(0, 0.1, round(seconds * SAMPLE_RATE)).astype(np.float32)
    work(noise)
    return 1000 * statistics.median(spent(lambda: work(noise)).seconds for _ in range(_SPEED_RUNS))


def parameters_of(folder: Path) -> int:
    """How many numbers of a model folder's weights were learned by gradient."""
    with safe_open(folder / WEIGHTS_FILE, framework="np") as weights:
        return sum(
            math.prod(weights.get_slice(name).get_shape())
            for name in weights.keys()  # noqa: SIM118  no mapping
            if not name.endswith(("running_mean", "running_var", "num_batches_tracked"))
        )


def _embed(folder: Path, corpus: Corpus) -> LabelledEmbeddings:
    return LabelledEmbeddings(
        embeddings=corpus_vectors(Embeddings(model=str(folder)), corpus),
        speakers=np.array([utterance.speaker for utterance in corpus]),
    )


def outputs_of(corpus: Corpus, model: SpeakerModel) -> LabelledEmbeddings:
    """The encoder's outputs as they come, of what `embed_clips` embeds of each clip."""
    samples = [samples_to_embed(read_stretch(file)) for file in corpus_files(corpus)]
    return LabelledEmbeddings(
        embeddings=model.encode(samples), speakers=np.array([utterance.speaker for utterance in corpus])
    )


def pair_distances(clips: LabelledEmbeddings) -> SpeakerTrials:
    """Every pair of clips; the nearer the two are, the higher the score."""
    first, second = np.triu_indices(len(clips.speakers), k=1)  # the order of pdist
    return SpeakerTrials(
        scores=-pdist(clips.embeddings), enroll=clips.speakers[first], test=clips.speakers[second]
    )


def _by_distance(known: NDArray[np.float32], asked: NDArray[np.float32]) -> NDArray[np.float32]:
    """Nearness of the mean of each person's outputs; as for `Nearness`."""
    distances: NDArray[np.float32] = np.linalg.norm(known.mean(axis=2) - asked[:, None], axis=2)
    return -distances


def equal_error_rate(what: str, trials: SpeakerTrials, bench: Bench) -> Accuracy:
    """EER over all trials, its interval, and the draws of speakers behind that (`Accuracy.drawn`)."""
    value = eer_hull(trials.curve)
    draws = speaker_draws(
        trials, [eer_hull], generator=np.random.default_rng(0), repetitions=bench.repetitions
    )[:, 0]
    return Accuracy.of(what, bias_corrected(value, draws), draws.tolist())


def _yes_no(trials: SpeakerTrials, threshold: float) -> Interval:
    """Without an interval of its own: the EER's says how far speakers differ."""
    accepted = trials.scores >= threshold
    value = float((accepted[trials.is_target].mean() + (~accepted[~trials.is_target]).mean()) / 2)
    return Interval(value=value, low=value, high=value, level=0.95)


def _shots(clips: LabelledEmbeddings, bench: Bench, ending: str, nearness: Nearness) -> list[Accuracy]:
    """Every n with every k; ``ending`` is that of the keys."""
    benchmark = Benchmark(clips, nearness=nearness)
    ways = [k for k in WAYS if k <= len(np.unique(clips.speakers))]
    return [
        Accuracy(
            what=f"{found.n}-shot {found.k}-way{ending}",
            value=found.accuracy,
            low=found.low,
            high=found.high,
        )
        for found in benchmark.grid(n=SHOTS, k=ways, episodes=bench.episodes)
    ]
