"""What a model's card says of the dev suite: error rates, their intervals for other speakers, which clips."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voiceprint.errors import TrialError
from voiceprint.metrics import LEVEL, Interval, SpeakerTrials, bias_corrected, eer_interpolated, speaker_draws
from voiceprint.training.run.validation import LONGEST_SECONDS, DevSuite, Embed

DRAWS = 1000
"""Draws of the speakers behind an interval."""
_SEED = 0


def measure_dev(suite: DevSuite, embed: Embed) -> dict[str, Any]:
    """Measure an encoder for its card: tables of ``[measured]``.

    Parameters
    ----------
    embed : callable
        Waveforms (batch, samples) -> embeddings (batch, dim).

    Returns
    -------
    dict
        ``dev``, as `DevSuite.measure` gives it; ``dev_intervals``, by the same names (low, high), see
        `eer_intervals`; and ``dev_suite``, of which clips they are.
    """
    rates = suite.measure(embed)
    intervals = eer_intervals(suite.trials, rates, mean=suite.mean)
    return {
        "dev": rates,
        "dev_intervals": {name: [found.low, found.high] for name, found in intervals.items()},
        "dev_suite": describe_suite(suite),
    }


def eer_intervals(
    trials: Mapping[str, SpeakerTrials],
    rates: Mapping[str, float],
    *,
    mean: Callable[[Mapping[str, NDArray[np.float64]]], NDArray[np.float64]],
    draws: int = DRAWS,
) -> dict[str, Interval]:
    """Where the dev EERs lie for other speakers: 95 % intervals by drawing the speakers anew.

    Parameters
    ----------
    trials : mapping of str to SpeakerTrials
        By ``CORPUS/CONDITION``. The speakers of a corpus are drawn alike under all its conditions, and those
        of different corpora independently.
    rates : mapping of str to float
        Their EER, as ``eer/CORPUS/CONDITION``, and its mean, ``eer``.
    mean : callable
        How that mean is taken of figures by the names of ``trials`` (`DevSuite.mean`).
    draws : int
        How often the speakers are drawn.

    Returns
    -------
    dict of str to Interval
        By the names of ``rates``. A corpus of too few speakers has none, and then the mean has none.
    """
    drawn = {name: of for name, cell in trials.items() if (of := _draw(name, cell, draws)) is not None}
    found = {}
    if drawn and len(drawn) == len(trials):
        found["eer"] = bias_corrected(
            rates["eer"], mean(drawn), speakers=max(map(_speakers, trials.values())), level=LEVEL
        )
    for name, of in drawn.items():
        found[f"eer/{name}"] = bias_corrected(
            rates[f"eer/{name}"], of, speakers=_speakers(trials[name]), level=LEVEL
        )
    return found


def _speakers(trials: SpeakerTrials) -> int:
    return len(np.union1d(trials.enroll, trials.test))


def _draw(name: str, trials: SpeakerTrials, draws: int) -> NDArray[np.float64] | None:
    """EERs (draws,) of speakers drawn anew; None for too few."""
    corpus = name.partition("/")[0]
    generator = np.random.default_rng([_SEED, *corpus.encode()])
    try:
        return speaker_draws(trials, [eer_interpolated], generator=generator, repetitions=draws)[:, 0]
    except TrialError:
        return None


def describe_suite(suite: DevSuite) -> dict[str, Any]:
    """Of which clips the figures are: the table ``[measured.dev_suite]`` of a card."""
    return {
        "clips_per_speaker": suite.config.clips_per_speaker,
        "longest_seconds": LONGEST_SECONDS,
        "interval": f"{LEVEL:.0%}, {DRAWS} draws of the speakers, seed {_SEED}",
        "speech": {
            str(corpus): {
                "speakers": len(np.unique(suite.speakers[suite.corpora == corpus])),
                "utterances": int(np.count_nonzero(suite.corpora == corpus)),
            }
            for corpus in np.unique(suite.corpora)
        },
    }
