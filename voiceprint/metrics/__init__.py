"""How well scores separate the same person from different people.

A trial compares a voiceprint with a clip; a *target* trial is of one person, a *nontarget* trial of two. A
trial is accepted if ``score >= threshold``. ``p_miss`` is the fraction of targets rejected (FRR), ``p_fa``
the fraction of nontargets accepted (FAR). One sort is all that millions of trials need.

References
----------
N. Brummer and E. de Villiers, "The BOSARIS toolkit user guide", 2011: convex hull, minDCF, Cllr.
G. Doddington et al., "The NIST speaker recognition evaluation", 2000: at least 30 errors to trust a rate.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from voiceprint.front import front_page

if TYPE_CHECKING:
    from voiceprint.metrics.confusion import ConfusionMatrix
    from voiceprint.metrics.curve import DetCurve, convex_hull, det_curve, det_points
    from voiceprint.metrics.rates import (
        FAR_RATES,
        RULE_OF_THIRTY,
        AcceptRate,
        auc,
        eer_hull,
        eer_interpolated,
        eer_threshold,
        min_dcf,
        tpr_at_far,
    )
    from voiceprint.metrics.ratios import ReliabilityBin, act_dcf, cllr, min_cllr, reliability_bins
    from voiceprint.metrics.speaker_intervals import (
        FEWEST_SPEAKERS,
        LEVEL,
        Interval,
        SpeakerTrials,
        accuracy_interval,
        bias_corrected,
        draw_speakers,
        pair_rate_interval,
        rate_interval,
        speaker_bootstrap,
        speaker_draws,
    )
    from voiceprint.metrics.summary import P_TARGETS, DetectionCost, VerificationMetrics, verification_metrics
    from voiceprint.metrics.tandem import (
        SasvRates,
        TandemCosts,
        VerificationErrors,
        min_t_dcf,
        sasv_rates,
        tandem_llrs,
    )

__all__ = [
    "FAR_RATES",
    "FEWEST_SPEAKERS",
    "LEVEL",
    "P_TARGETS",
    "RULE_OF_THIRTY",
    "AcceptRate",
    "ConfusionMatrix",
    "DetCurve",
    "DetectionCost",
    "Interval",
    "ReliabilityBin",
    "SasvRates",
    "SpeakerTrials",
    "TandemCosts",
    "VerificationErrors",
    "VerificationMetrics",
    "accuracy_interval",
    "act_dcf",
    "auc",
    "bias_corrected",
    "cllr",
    "convex_hull",
    "det_curve",
    "det_points",
    "draw_speakers",
    "eer_hull",
    "eer_interpolated",
    "eer_threshold",
    "min_cllr",
    "min_dcf",
    "min_t_dcf",
    "pair_rate_interval",
    "rate_interval",
    "reliability_bins",
    "sasv_rates",
    "speaker_bootstrap",
    "speaker_draws",
    "tandem_llrs",
    "tpr_at_far",
    "verification_metrics",
]

__getattr__ = front_page(
    __name__,
    {
        "confusion": ("ConfusionMatrix",),
        "curve": ("DetCurve", "convex_hull", "det_curve", "det_points"),
        "rates": (
            "FAR_RATES",
            "RULE_OF_THIRTY",
            "AcceptRate",
            "auc",
            "eer_hull",
            "eer_interpolated",
            "eer_threshold",
            "min_dcf",
            "tpr_at_far",
        ),
        "ratios": ("ReliabilityBin", "act_dcf", "cllr", "min_cllr", "reliability_bins"),
        "speaker_intervals": (
            "FEWEST_SPEAKERS",
            "LEVEL",
            "Interval",
            "SpeakerTrials",
            "accuracy_interval",
            "bias_corrected",
            "draw_speakers",
            "pair_rate_interval",
            "rate_interval",
            "speaker_bootstrap",
            "speaker_draws",
        ),
        "summary": ("P_TARGETS", "DetectionCost", "VerificationMetrics", "verification_metrics"),
        "tandem": (
            "SasvRates",
            "TandemCosts",
            "VerificationErrors",
            "min_t_dcf",
            "sasv_rates",
            "tandem_llrs",
        ),
    },
)
