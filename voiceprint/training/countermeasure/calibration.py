"""Where a countermeasure decides: thresholds and likelihood ratios, fitted on dev people and dev machines.

The promise is a share of people rejected, whoever they are. So a threshold is the lowest that any dev
corpus asks for, over clips as they are and degraded, and is fitted for several lengths of speech.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from voiceprint.audio import SAMPLE_RATE
from voiceprint.audio.conditions import standard_telephone
from voiceprint.audio.degrade import add_background, decaying_echo, gsm, opus, pink_noise, reverberate
from voiceprint.calibration import fit_logistic
from voiceprint.training.countermeasure.bank import ClipBank
from voiceprint.training.countermeasure.batches import SpoofBanks
from voiceprint.training.countermeasure.devices import dev_replay

Samples = NDArray[np.float32]
Score = Callable[[Samples], float]
"""Speech (n,) at 16 kHz -> score."""
Line = Callable[[Samples, Generator], Samples]

LENGTHS = (0.7, 1.0, 2.0, 4.0)
"""Seconds of speech for which thresholds are fitted."""

RATES = (0.003, 0.01, 0.03, 0.1)
"""Shares of people rejected."""

_FEWEST = 80  # scores of a corpus at a length, below which it has no say in its thresholds
_TOLERANCE = 0.6  # a clip this much shorter than a length still counts for it


@dataclass(frozen=True, slots=True, kw_only=True)
class CountermeasureFit:
    """What goes onto the card; see `CountermeasureCard`.

    Parameters
    ----------
    turned_away : Mapping of str to float
        For each dev corpus how many of its scores lie below the thresholds at 1 % asked.
    """

    slope: float
    offset: float
    per_log_second: float
    thresholds: tuple[tuple[float, ...], ...]
    turned_away: Mapping[str, float]


def fit_countermeasure(score: Score, speech: SpoofBanks, *, most: int = 150) -> CountermeasureFit:
    """Fit thresholds and likelihood ratios on a split's banks.

    Parameters
    ----------
    score : callable
        Speech (n,) -> score.
    most : int
        Clips of each bank.
    """
    generator = np.random.default_rng(1)
    people = {bank.name: _scores(score, bank, most, generator, _LINES) for bank in speech.live}
    spoofs = [_scores(score, bank, most, generator, _LINES[:2]) for bank in speech.machines]
    spoofs += [_scores(score, bank, most // 4, generator, (dev_replay,)) for bank in speech.live]
    live, made = np.concatenate([*people.values()]), np.concatenate(spoofs)
    calibration = fit_logistic(
        live[:, 1], made[:, 1], target_side=np.log(live[:, :1]), nontarget_side=np.log(made[:, :1])
    )
    thresholds = tuple(
        tuple(_lowest(list(people.values()), length, rate) for rate in RATES) for length in LENGTHS
    )
    return CountermeasureFit(
        slope=calibration.slope,
        offset=calibration.offset,
        per_log_second=calibration.side_weights[0],
        thresholds=thresholds,
        turned_away={name: _turned_away(scores, thresholds) for name, scores in people.items()},
    )


def _scores(
    score: Score, bank: ClipBank, most: int, generator: Generator, lines: Sequence[Line]
) -> NDArray[np.float64]:
    """Seconds and score of clips of a bank, cut to a drawn length and sent by a drawn line, (n, 2)."""
    rows = []
    for place in generator.permutation(len(bank))[:most].tolist():
        clip = bank.clip(place)
        for line in lines:
            length = float(LENGTHS[int(generator.integers(len(LENGTHS)))]) * SAMPLE_RATE
            start = int(generator.integers(max(1, clip.size - int(length) + 1)))
            cut = line(clip[start : start + int(length)], generator)
            rows.append((cut.size / SAMPLE_RATE, score(cut)))
    return np.array(rows, dtype=np.float64)


def _lowest(people: Sequence[NDArray[np.float64]], length: float, rate: float) -> float:
    """The lowest threshold that any corpus asks for at a length; those with few such clips have no say."""
    everybody = np.concatenate(people)
    near = [_near(scores, length) for scores in people]
    asked = [scores for scores in near if scores.size >= _FEWEST]
    asked.append(np.concatenate(near) if any(scores.size for scores in near) else everybody[:, 1])
    return min(float(np.quantile(scores, rate)) for scores in asked)


def _near(scores: NDArray[np.float64], length: float) -> NDArray[np.float64]:
    """Scores of clips about as long."""
    near: NDArray[np.float64] = scores[np.abs(np.log(scores[:, 0] / length)) < 0.5 * _TOLERANCE, 1]
    return near


def _turned_away(scores: NDArray[np.float64], thresholds: Sequence[Sequence[float]]) -> float:
    asked = [row[RATES.index(0.01)] for row in thresholds]
    at = np.interp(np.log(scores[:, 0]), np.log(LENGTHS), asked)
    return float(np.mean(scores[:, 1] < at))


def _clean(clip: Samples, generator: Generator) -> Samples:
    return clip


def _message(clip: Samples, generator: Generator) -> Samples:
    return opus(clip, kbps=float(generator.uniform(8.0, 32.0)))


def _call(clip: Samples, generator: Generator) -> Samples:
    return standard_telephone(clip) if generator.random() < 0.7 else gsm(clip)


def _noisy(clip: Samples, generator: Generator) -> Samples:
    noise = pink_noise(clip.size, generator)
    return add_background(clip, noise, snr_db=float(generator.uniform(5.0, 25.0)))


def _roomy(clip: Samples, generator: Generator) -> Samples:
    return reverberate(clip, decaying_echo(float(generator.uniform(0.2, 0.7)), generator))


_LINES: tuple[Line, ...] = (_clean, _message, _call, _noisy, _roomy)
