"""Trials and embeddings to scores."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from voiceprint.arguments import check_choice, check_count
from voiceprint.errors import TrialError
from voiceprint.evaluation.embedding import EmbeddedClips
from voiceprint.metrics import SpeakerTrials
from voiceprint.scoring import Cohort, as_norm, average_scores, centroid, centroid_scores, cosine_matrix
from voiceprint.trials import ScoredTrials, Trial, TrialList, UnscoredTrial

Averaging = Literal["centroid", "scores"]
"""What is averaged over the clips of a model: their embeddings, or their scores."""

_AVERAGING = {"centroid": centroid_scores, "scores": average_scores}
_MISSING = -1


def score_trials(
    trials: TrialList,
    clips: EmbeddedClips,
    *,
    averaging: Averaging = "centroid",
    cohort: Cohort | None = None,
    top_k: int = 300,
) -> ScoredTrials:
    """Score trials by cosine.

    Parameters
    ----------
    averaging : {'centroid', 'scores'}
        Of several enrollment clips: their centroid, as ``verify`` has it, or the mean of their scores.
    cohort : Cohort, optional
        Normalise scores against it (AS-norm); thresholds for plain scores then no longer hold.
    top_k : int
        Of AS-norm: the nearest so many of the cohort.

    Returns
    -------
    ScoredTrials
        A trial with a clip that has no embedding is among ``unscored``, with the reason.

    Raises
    ------
    TrialError
        If no trial can be scored.
    """
    check_choice("averaging", averaging, get_args(Averaging))
    check_count("top_k", top_k, least=2)
    rows = clips.rows
    model_rows = [[rows.get(clip, _MISSING) for clip in model.clips] for model in trials.models]
    test_rows = np.array([rows.get(test, _MISSING) for test in trials.tests])
    embedded = np.array([_MISSING not in of_model for of_model in model_rows])
    good = embedded[trials.enroll] & (test_rows != _MISSING)[trials.test]
    unscored = tuple(_unscored(trials[int(index)], rows, clips) for index in np.flatnonzero(~good))
    if not good.any():
        raise TrialError(f"none of the {len(trials)} trials can be scored; the first: {unscored[0].reason}")
    scored = trials.select(good)
    scores = np.empty(len(scored))
    for model, of_model in _by_model(scored):
        tested = clips.embeddings[test_rows[scored.test[of_model]]]
        scores[of_model] = _AVERAGING[averaging](clips.embeddings[model_rows[model]], tested)
    if cohort is not None:
        scores = _normalised(scored, clips, scores, cohort, top_k)
    return ScoredTrials(trials=scored, scores=scores, unscored=unscored)


def score_apart(
    trials: TrialList, *, enrolled: EmbeddedClips, tested: EmbeddedClips
) -> tuple[ScoredTrials, EmbeddedClips]:
    """Score trials whose test clips were made shorter or worse, against clips as they were.

    Parameters
    ----------
    trials : TrialList
        The trials; a clip may be enrolled and tested.
    enrolled, tested : EmbeddedClips
        The clips of the voiceprints, and of the tests, under the names they have in `trials`.

    Returns
    -------
    scored : ScoredTrials
        As `score_trials` gives them; test clips are called ``CLIP (test)``.
    clips : EmbeddedClips
        All clips under these names, for `trial_llrs` and `measure_card`.

    Raises
    ------
    TrialError
        If no trial can be scored.
    """
    both = EmbeddedClips(
        names=(*enrolled.names, *map(as_test, tested.names)),
        embeddings=np.concatenate([enrolled.embeddings, tested.embeddings]),
        seconds=np.concatenate([enrolled.seconds, tested.seconds]),
        snr_db=None
        if enrolled.snr_db is None or tested.snr_db is None
        else np.concatenate([enrolled.snr_db, tested.snr_db]),
        failed={**enrolled.failed, **{as_test(name): reason for name, reason in tested.failed.items()}},
    )
    named = replace(trials, tests=tuple(map(as_test, trials.tests)))
    return score_trials(named, both), both


def as_test(clip: str) -> str:
    """Return what `score_apart` calls a test clip."""
    return f"{clip} (test)"


def all_pairs(embeddings: NDArray[np.float32], speakers: Sequence[str] | NDArray[np.str_]) -> SpeakerTrials:
    """Score every pair of utterances once.

    Parameters
    ----------
    embeddings : NDArray of float32 (n, dim)
        Of unit length.
    speakers : sequence of str (n,)
        Whose they are.

    Returns
    -------
    SpeakerTrials
        Of n (n - 1) / 2 trials: scores, and the speaker on either side as numbers.

    Raises
    ------
    TrialError
        If there are fewer than two utterances, or as many speakers as embeddings are not given.

    Examples
    --------
    >>> import numpy as np
    >>> pairs = all_pairs(np.eye(3, dtype=np.float32), ["ada", "ada", "bob"])
    >>> pairs.scores.tolist(), pairs.is_target.tolist()
    ([0.0, 0.0, 0.0], [True, False, False])
    """
    if len(embeddings) < 2 or len(speakers) != len(embeddings):
        raise TrialError(
            f"pairs need two or more utterances, each with its speaker; there are {len(embeddings)} "
            f"embeddings and {len(speakers)} speakers"
        )
    codes = np.unique(np.asarray(speakers), return_inverse=True)[1].astype(np.int32)
    first, second = np.triu_indices(len(codes), k=1)
    return SpeakerTrials(
        scores=cosine_matrix(embeddings, embeddings)[first, second], enroll=codes[first], test=codes[second]
    )


def _by_model(trials: TrialList) -> Iterator[tuple[int, NDArray[np.intp]]]:
    """Yield each model with the places of its trials."""
    order = np.argsort(trials.enroll, kind="stable")
    cuts = np.flatnonzero(np.diff(trials.enroll[order])) + 1
    for places in np.split(order, cuts):
        yield int(trials.enroll[places[0]]), places


def _unscored(trial: Trial, rows: Mapping[str, int], clips: EmbeddedClips) -> UnscoredTrial:
    clip = next(clip for clip in (*trial.enroll.clips, trial.test) if clip not in rows)
    why = clips.failed.get(clip, "was not embedded")
    return UnscoredTrial(trial=trial, reason=why if why.startswith(clip) else f"{clip}: {why}")


def _normalised(
    trials: TrialList, clips: EmbeddedClips, scores: NDArray[np.float64], cohort: Cohort, top_k: int
) -> NDArray[np.float64]:
    rows = clips.rows
    models, enroll = np.unique(trials.enroll, return_inverse=True)
    tests, test = np.unique(trials.test, return_inverse=True)
    voiceprints = np.stack(
        [centroid(clips.embeddings[[rows[clip] for clip in trials.models[i].clips]]) for i in models]
    )
    tested = clips.embeddings[[rows[trials.tests[i]] for i in tests]]
    return as_norm(
        scores,
        enroll=cohort.statistics(voiceprints, top_k=top_k).take(enroll),
        test=cohort.statistics(tested, top_k=top_k).take(test),
    )
