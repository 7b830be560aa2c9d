"""A model's scores for a trial list, from audio to calibrated ratios."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from voiceprint.arguments import check_choice, check_count
from voiceprint.calibration import Decider
from voiceprint.corpus import Corpus
from voiceprint.errors import TrialError
from voiceprint.evaluation.cache import EmbeddingCache
from voiceprint.evaluation.calibrated import CardRate, measure_card, trial_llrs
from voiceprint.evaluation.embedding import EmbeddedClips, Progress, corpus_files, embed_clips, find_files
from voiceprint.evaluation.scores import Averaging, score_trials
from voiceprint.model import SpeakerModel
from voiceprint.scoring import Cohort, centroid
from voiceprint.trials import ScoredTrials, TrialList


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ModelScores:
    """What a model says about a trial list.

    Parameters
    ----------
    llrs : NDArray of float64 (n,) or None
        Log-likelihood ratios; None where the model has no calibration, or scores are not plain.
    card_rates : tuple of CardRate
        What the card's thresholds do; empty where `llrs` is None, or trials of one kind are missing.
    """

    scored: ScoredTrials
    clips: EmbeddedClips
    llrs: NDArray[np.float64] | None
    card_rates: tuple[CardRate, ...]


def run_trials(
    trials: TrialList,
    model: SpeakerModel,
    *,
    corpus: Corpus | None = None,
    root: str | os.PathLike[str] | None = None,
    averaging: Averaging = "centroid",
    cohort: Corpus | None = None,
    top_k: int = 300,
    cache: EmbeddingCache | None = None,
    jobs: int | None = None,
    progress: Progress | None = None,
) -> ModelScores:
    """Embed the clips of a trial list and score it.

    Parameters
    ----------
    corpus : Corpus, optional
        Where the trials' clips are found by their id.
    root : path, optional
        Else: the folder that their names are relative to.
    averaging : {'centroid', 'scores'}
        As for `score_trials`.
    cohort : Corpus, optional
        Speakers against whom scores are normalised (AS-norm); needs `corpus`, to check that they are others.
    top_k : int
        As many nearest speakers of the cohort; all, where there are fewer.
    cache, jobs, progress
        As for `embed_clips`.

    Raises
    ------
    ArgumentError, TrialError
        If an argument is out of range, clips are not in the corpus, or nothing can be scored.
    ScoringError
        If speakers of the trials are in the cohort.

    Examples
    --------
    >>> from voiceprint.trials import make_trials
    >>> ran = run_trials(make_trials(corpus), model, corpus=corpus, jobs=1)
    >>> len(ran.scored.scores)
    300
    """
    check_choice("averaging", averaging, get_args(Averaging))
    check_count("top_k", top_k, least=2)
    files = find_files(trials.clips, root=root, corpus=corpus)
    clips = embed_clips(files, model, cache=cache, jobs=jobs, progress=progress)
    people = None
    if cohort is not None:
        if corpus is None:
            raise TrialError("a cohort needs the corpus of the trials, to check that they share no speaker")
        people = make_cohort(cohort, model, cache=cache, jobs=jobs, progress=progress)
        people.check_disjoint(corpus.speakers)
        top_k = min(top_k, len(people.speakers))
    scored = score_trials(trials, clips, averaging=averaging, cohort=people, top_k=top_k)
    if model.card.calibration is None or people is not None or averaging != "centroid":
        return ModelScores(scored=scored, clips=clips, llrs=None, card_rates=())
    return _with_llrs(scored, clips, model.decider())


def _with_llrs(scored: ScoredTrials, clips: EmbeddedClips, decider: Decider) -> ModelScores:
    both = 0 < np.count_nonzero(scored.trials.target) < len(scored.trials)
    card_rates = measure_card(scored, clips, decider) if both else ()
    llrs = trial_llrs(scored, clips, decider)
    return ModelScores(scored=scored, clips=clips, llrs=llrs, card_rates=card_rates)


def make_cohort(
    corpus: Corpus,
    model: SpeakerModel,
    *,
    cache: EmbeddingCache | None = None,
    jobs: int | None = None,
    progress: Progress | None = None,
) -> Cohort:
    """Embed a corpus and make a cohort of the centroids of its speakers.

    Parameters
    ----------
    corpus : Corpus
        One corpus; clips that cannot be embedded are left out.
    model, cache, jobs, progress
        As for `embed_clips`.
    """
    clips = embed_clips(corpus_files(corpus), model, cache=cache, jobs=jobs, progress=progress)
    rows = clips.rows
    of_speaker = {
        speaker: [rows[corpus[i].id] for i in indices if corpus[i].id in rows]
        for speaker, indices in corpus.by_speaker.items()
    }
    embedded = {speaker: found for speaker, found in of_speaker.items() if found}
    return Cohort(
        embeddings=np.stack([centroid(clips.embeddings[found]) for found in embedded.values()]),
        speakers=tuple(embedded),
    )
