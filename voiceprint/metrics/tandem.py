"""How well verification and a countermeasure work together, where some trials are spoofs.

A trial is of the target, of another person, or a spoof of the target: a machine's or a replayed voice.

References
----------
T. Kinnunen et al., "Tandem assessment of spoofing countermeasures and automatic speaker verification:
fundamentals", IEEE/ACM TASLP 28, 2020: the ASV-constrained t-DCF, eqs. 8-11.
J. Jung et al., "SASV 2022: the first spoofing-aware speaker verification challenge", Interspeech 2022.
X. Wang et al., "Revisiting and improving scoring fusion for spoofing-aware speaker verification using
compositional data analysis", Interspeech 2024: the ratio of both alternatives together.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from voiceprint.errors import TrialError
from voiceprint.metrics.checks import checked_scores
from voiceprint.metrics.curve import DetCurve, det_curve
from voiceprint.metrics.rates import eer_interpolated


@dataclass(frozen=True, slots=True, kw_only=True)
class TandemCosts:
    """Priors of the three kinds of trial, and what each error costs; by default those of ASVspoof 2019.

    Parameters
    ----------
    p_spoof : float
        Share of trials that are spoofs.
    p_target : float
        Share of the other trials that are targets.
    c_miss, c_fa, c_fa_spoof : float
        Costs of turning a target away, and of accepting another person or a spoof.

    Examples
    --------
    >>> from voiceprint.metrics import TandemCosts
    >>> TandemCosts().p_spoof  # as in ASVspoof
    0.05
    """

    p_spoof: float = 0.05
    p_target: float = 0.99
    c_miss: float = 1.0
    c_fa: float = 10.0
    c_fa_spoof: float = 10.0

    def __post_init__(self) -> None:
        for name, value in (("p_spoof", self.p_spoof), ("p_target", self.p_target)):
            if not 0.0 < value < 1.0:
                raise TrialError(f"{name} is {value}; it must be above 0 and below 1")
        if not all(0.0 < cost < math.inf for cost in (self.c_miss, self.c_fa, self.c_fa_spoof)):
            raise TrialError("costs must be above 0 and finite")


@dataclass(frozen=True, slots=True, kw_only=True)
class VerificationErrors:
    """Rates of verification alone at its threshold: targets missed, others and spoofs accepted.

    Examples
    --------
    >>> from voiceprint.metrics import VerificationErrors
    >>> errors = VerificationErrors(p_miss=0.02, p_fa=0.01, p_fa_spoof=0.5)
    >>> errors.p_fa_spoof  # half of the spoofs pass without a countermeasure
    0.5
    """

    p_miss: float
    p_fa: float
    p_fa_spoof: float


def min_t_dcf(
    countermeasure: DetCurve, verification: VerificationErrors, costs: TandemCosts | None = None
) -> float:
    """Lowest tandem detection cost of any threshold of the countermeasure, verification being fixed.

    Parameters
    ----------
    countermeasure : DetCurve
        Its curve, live speech as targets and spoofs as nontargets.
    costs : TandemCosts, optional

    Returns
    -------
    float
        Over the cost of a countermeasure that accepts everything or nothing, whichever is less: 1 is useless.

    Raises
    ------
    TrialError
        If verification accepts no spoof: nothing is left for a countermeasure to do.

    Examples
    --------
    >>> from voiceprint.metrics import det_curve
    >>> perfect = det_curve([1.0, 2.0], [-1.0, -2.0])
    >>> min_t_dcf(perfect, VerificationErrors(p_miss=0.0, p_fa=0.0, p_fa_spoof=1.0))
    0.0
    """
    costs = costs or TandemCosts()
    target = (1.0 - costs.p_spoof) * costs.p_target * costs.c_miss
    other = (1.0 - costs.p_spoof) * (1.0 - costs.p_target) * costs.c_fa
    certain = target * verification.p_miss + other * verification.p_fa
    missed = target - certain
    spoofed = costs.p_spoof * costs.c_fa_spoof * verification.p_fa_spoof
    if not (missed > 0.0 and spoofed > 0.0):
        raise TrialError(
            f"no tandem cost is defined: verification accepts {verification.p_fa_spoof:g} of the spoofs and "
            f"misses {verification.p_miss:g} of the targets; take trials in which it accepts some of both"
        )
    cost = certain + missed * countermeasure.p_miss + spoofed * countermeasure.p_fa
    return float(cost.min() / (certain + min(missed, spoofed)))


@dataclass(frozen=True, slots=True, kw_only=True)
class SasvRates:
    """Equal error rates of one score for targets against others, against spoofs, and against both.

    Examples
    --------
    >>> from voiceprint.metrics import sasv_rates
    >>> rates = sasv_rates([2.0, 3.0], [0.0, 1.0], [2.5, 1.0])
    >>> rates.verification, rates.spoof, rates.together
    (0.0, 0.5, 0.25)
    """

    verification: float
    spoof: float
    together: float


def sasv_rates(targets: ArrayLike, nontargets: ArrayLike, spoofs: ArrayLike) -> SasvRates:
    """Equal error rates where spoofs are among the trials: SV-EER, SPF-EER and SASV-EER.

    Parameters
    ----------
    targets, nontargets, spoofs : array_like of shape (n,)
        Scores; -inf for a trial that is refused whatever the voice.

    Raises
    ------
    TrialError
        If a kind has no trial, or a score is NaN.

    Examples
    --------
    >>> sasv_rates([2.0, 3.0], [0.0, 1.0], [2.5, 1.0]).together
    0.25
    """
    target, other, spoof = (
        _ranked(values, kind)
        for values, kind in ((targets, "target"), (nontargets, "nontarget"), (spoofs, "spoof"))
    )
    both = np.concatenate([other, spoof])
    eers = (eer_interpolated(det_curve(target, wrong)) for wrong in (other, spoof, both))
    verification, spoofed, together = eers
    return SasvRates(verification=verification, spoof=spoofed, together=together)


def tandem_llrs(
    verification_llrs: ArrayLike, countermeasure_llrs: ArrayLike, *, spoof_share: float = 0.5
) -> NDArray[np.float64]:
    """Join both likelihood ratios to that, (n,), of the target who speaks, against all that is wrong.

    Parameters
    ----------
    verification_llrs, countermeasure_llrs : array_like of shape (n,)
        Of the target against others, and of live speech against spoofs.
    spoof_share : float
        Share of spoofs among the trials that are wrong.

    Raises
    ------
    TrialError
        If the share is not above 0 and below 1.

    Examples
    --------
    >>> tandem_llrs([20.0, -3.0], [-3.0, 20.0]).round(2).tolist()
    [-2.31, -2.31]
    """
    if not 0.0 < spoof_share < 1.0:
        raise TrialError(f"spoof_share is {spoof_share}; it must be above 0 and below 1")
    other = math.log(1.0 - spoof_share) - np.asarray(verification_llrs, dtype=np.float64)
    spoof = math.log(spoof_share) - np.asarray(countermeasure_llrs, dtype=np.float64)
    return np.asarray(-np.logaddexp(other, spoof))


def _ranked(values: ArrayLike, kind: str) -> NDArray[np.float64]:
    """Scores with a finite stand-in, below all others, for -inf."""
    scores = checked_scores(values, kind).astype(np.float64)
    return np.maximum(scores, np.finfo(np.float64).min)
