"""The five named speakers of one corpus: trained on one split, asked about another."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.baselines.records import Accuracy, Confusion, Costs, Measured
from voiceprint.corpus import Corpus
from voiceprint.metrics import ConfusionMatrix, Interval, rate_interval
from voiceprint.scoring import centroid, cosine_matrix
from voiceprint.training.classification.frames import frames_of
from voiceprint.training.classification.gmm import GMM
from voiceprint.training.classification.recipes import GMMRecipe, SVMRecipe
from voiceprint.training.classification.speaker_gmms import fit_speaker_gmms
from voiceprint.training.classification.speech import map_speech
from voiceprint.training.classification.svm import SVMConfig, fit_pipeline
from voiceprint.training.classification.vectors import corpus_vectors

Names = NDArray[np.str_]
Vectors = NDArray[np.float32]

Answer = Callable[[Vectors], Names]
"""Vectors (m, dim) -> who speaks (m,)."""
Fit = Callable[[Vectors, Names], Answer]
"""(vectors (n, dim), whose they are (n,)) -> a classifier."""


def name_by_gmms(
    recipe: GMMRecipe,
    train: Corpus,
    test: Corpus,
    *,
    kind: str,
    corpora: Path,
    background: GMM | None = None,
) -> Measured:
    """Fit a GMM to each speaker of ``train``, and name those of ``test``.

    Parameters
    ----------
    kind : str
        Of the split, for the names of figures.
    corpora, background
        As for `fit_speaker_gmms`; times are without a background that is given.
    """
    start = time.perf_counter()
    speakers = fit_speaker_gmms(recipe, train, corpora=corpora, background=background)
    trained = time.perf_counter()
    asked = map_speech(partial(frames_of, recipe.features), test)
    answered = [speakers.most_likely(frames) for _, frames in asked]
    done = time.perf_counter()
    parameters = sum(gmm.parameters for gmm in speakers.gmms.values())
    return _result(kind, test, answered, parameters=parameters, seconds=(trained - start, done - trained))


def name_by_svm(
    recipe: SVMRecipe, train: Corpus, test: Corpus, *, kind: str, cache: Path | None = None
) -> Measured:
    """Fit an SVM to the speakers of ``train``, and name those of ``test``.

    Parameters
    ----------
    kind
        As for `name_by_gmms`.
    cache : Path, optional
        As for `corpus_vectors`; times are of what was not kept there.
    """
    start = time.perf_counter()
    known = corpus_vectors(recipe.vectors, train, cache=cache)
    answer = fit_named_svm(known, np.array([u.speaker for u in train]), recipe.svm)
    trained = time.perf_counter()
    answered = answer(corpus_vectors(recipe.vectors, test, cache=cache)).tolist()
    done = time.perf_counter()
    return _result(kind, test, answered, parameters=None, seconds=(trained - start, done - trained))


def fit_named_svm(known: Vectors, speakers: Names, config: SVMConfig) -> Answer:
    """Fit an SVM that names the speakers of vectors."""
    pipeline = fit_pipeline(known, speakers, config)
    return lambda asked: np.asarray(pipeline.predict(asked), dtype=np.str_)


def fit_centroids(known: Vectors, speakers: Names) -> Answer:
    """Average the vectors of each speaker, as enrolling does; the nearest average is the answer.

    Parameters
    ----------
    known : ndarray, shape (n, dim)
        Rows of unit length.
    speakers : ndarray of str, shape (n,)
        Whose they are.

    Returns
    -------
    callable
        Vectors (m, dim) of unit length -> speakers (m,).
    """
    names = np.unique(speakers)
    centroids = np.stack([centroid(known[speakers == name]) for name in names])
    return lambda asked: np.asarray(names[cosine_matrix(asked, centroids).argmax(axis=1)])


def confusion_interval(confusion: ConfusionMatrix, *, generator: np.random.Generator) -> Interval:
    """The interval of `accuracy_interval` for the answers that a confusion matrix counts."""
    counts = np.array(confusion.counts)
    return rate_interval(counts.diagonal(), counts.sum(axis=1), generator=generator)


def of_split(kind: str, confusion: ConfusionMatrix, costs: Costs) -> Measured:
    """What naming the speakers of one split gives."""
    interval = confusion_interval(confusion, generator=np.random.default_rng(0))
    return Measured(
        **asdict(costs),
        figures=(Accuracy.of(f"accuracy/{kind}", interval),),
        confusions=(Confusion(title=kind, names=confusion.names, counts=confusion.counts),),
    )


def _result(
    kind: str, test: Corpus, answered: Sequence[str], *, parameters: int | None, seconds: tuple[float, float]
) -> Measured:
    """Put answers and seconds of learning and answering together."""
    costs = Costs(
        parameters=parameters,
        clips_seen=None,
        training_minutes=seconds[0] / 60,
        ms_per_clip=1000 * seconds[1] / len(test),
    )
    return of_split(kind, ConfusionMatrix.count([u.speaker for u in test], answered), costs)


def together(runs: Sequence[Measured]) -> Measured:
    """What the runs of a row took together and gave; each of their commits once, in order."""
    seen = [run.clips_seen for run in runs if run.clips_seen is not None]
    return replace(
        runs[0],
        clips_seen=sum(seen) if seen else None,
        training_minutes=sum(run.training_minutes or 0.0 for run in runs),
        converged=all(run.converged for run in runs),
        figures=tuple(figure for run in runs for figure in run.figures),
        confusions=tuple(matrix for run in runs for matrix in run.confusions),
        commits=tuple(dict.fromkeys(commit for run in runs for commit in run.commits)),
    )
