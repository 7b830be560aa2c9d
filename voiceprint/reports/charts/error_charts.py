"""Charts of errors: DET curves, score histograms, reliability."""

from __future__ import annotations

import math
from collections.abc import Sequence

from voiceprint.evaluation.results import Protocol, SetReport
from voiceprint.metrics import ReliabilityBin
from voiceprint.percent import percent, percent_range
from voiceprint.reports.charts.canvas import DASHES, Axis, Figure, Plot, series_class

_DET_RATES = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4)


def det_figure(measured: SetReport) -> Figure:
    """Misses against false accepts of every model, with the first model's band and operating points."""
    plot = Plot(
        x=Axis.deviate("impostors accepted (FAR), %", _DET_RATES),
        y=Axis.deviate("right person rejected (FRR), %", _DET_RATES),
        title=f"Detection error trade-off on {measured.name}",
        description="Share of right people rejected against share of impostors accepted, for every model; "
        "nearer to the lower left corner is better.",
        height=400.0,
    )
    plot.line([(rate, rate) for rate in _DET_RATES], style="equal", tip="equal error rates")
    first = measured.systems[0].main
    if first.det.band_p_fa:
        plot.band(first.det.band_p_fa, first.det.band_low, first.det.band_high, style="s1")
    for place, system in reversed(list(enumerate(measured.systems))):
        plot.line(
            zip(system.main.det.p_fa, system.main.det.p_miss, strict=True),
            style=series_class(place),
            dash=DASHES[place % len(DASHES)],
            tip=f"{system.name}: EER {percent(system.main.evaluation.metrics.eer)}",
        )
    for rate in first.decisions:
        tip = (
            f"asked for {percent(rate.asked)}: {percent(rate.p_fa.value)} accepted, "
            f"{percent(rate.p_miss.value)} rejected"
        )
        plot.dot(rate.p_fa.value, rate.p_miss.value, style="point", tip=tip, radius=5.0)
        plot.text(rate.p_fa.value, rate.p_miss.value, f"asked {percent(rate.asked)}")
    return Figure(
        title="Every threshold at once",
        svg=plot.render(),
        caption="Each point of a line is a threshold: along it, accepting fewer impostors rejects more of "
        "the right people (DET curve, normal-deviate axes). The band is where the line of other speakers "
        "like these lies with 95 %. Dots are the model's thresholds. "
        f"Voiceprints of {_clips(first.n_enroll)}.",
        columns=("model", "enrolled clips", "EER", "95 % interval", "minDCF 0.01", "minDCF 0.05", "AUC"),
        rows=[
            _det_row(system.name, protocol) for system in measured.systems for protocol in system.protocols
        ],
        legend=[(system.name, place) for place, system in enumerate(measured.systems)],
    )


def _det_row(name: str, protocol: Protocol) -> tuple[str, ...]:
    metrics, interval = protocol.evaluation.metrics, protocol.evaluation.eer_interval
    return (
        name,
        str(protocol.n_enroll),
        percent(metrics.eer),
        "" if interval is None else percent_range(interval.low, interval.high),
        *(f"{cost.minimum:.3f}" for cost in metrics.costs),
        f"{metrics.auc:.4f}",
    )


def histogram_figure(measured: SetReport) -> Figure:
    """Scores of the first model, of one person and of two, with its thresholds."""
    protocol = measured.systems[0].main
    histogram = protocol.histogram
    top = 1.12 * max(*histogram.target, *histogram.nontarget)
    plot = Plot(
        x=Axis.linear("score (cosine)", histogram.edges[0], histogram.edges[-1]),
        y=Axis.linear("share of trials, %", 0.0, top, text=lambda value: f"{100 * value:g}"),
        title=f"Scores on {measured.name}",
        description="Distribution of scores of the same person and of different people; "
        "the less they overlap the better.",
    )
    plot.bars(histogram.edges, histogram.nontarget, style="other", tip="different people")
    plot.bars(histogram.edges, histogram.target, style="same", tip="the same person")
    plot.rule(protocol.evaluation.metrics.eer_threshold, label="equal errors")
    rows = [
        (f"{left:.3f} to {right:.3f}", percent(same), percent(other))
        for left, right, same, other in zip(
            histogram.edges[:-1], histogram.edges[1:], histogram.target, histogram.nontarget, strict=True
        )
    ]
    return Figure(
        title="Scores of the same person and of others",
        svg=plot.render(),
        caption="Where the two hills overlap, no threshold is right for everybody. The upright line is the "
        "threshold at which both errors are equally frequent.",
        columns=("score", "same person", "different people"),
        rows=rows,
    )


def reliability_figure(measured: SetReport) -> Figure | None:
    """What the first model's likelihood ratios say, against what the trials say; None without ratios."""
    protocol = measured.systems[0].main
    metrics = protocol.evaluation.metrics
    if not protocol.reliability or metrics.cllr is None:
        return None
    return reliability_chart(
        protocol.reliability, where=measured.name, cllr=metrics.cllr, min_cllr=metrics.min_cllr
    )


def reliability_chart(bins: Sequence[ReliabilityBin], *, where: str, cllr: float, min_cllr: float) -> Figure:
    """Log-likelihood ratios claimed against those found.

    Parameters
    ----------
    bins : sequence of Bin
        At least one.
    where : str
        The recordings, as the title says them.
    cllr, min_cllr : float
        Of the same trials, in bits.
    """
    reach = math.ceil(max(abs(value) for each in bins for value in (each.llr, each.observed)))
    plot = Plot(
        x=Axis.linear("LLR stated", -reach, reach),
        y=Axis.linear("LLR observed", -reach, reach),
        title=f"Reliability on {where}",
        description="Log-likelihood ratios that the model gives against those that the trials bear out; "
        "on the diagonal they agree.",
    )
    plot.line([(-reach, -reach), (reach, reach)], style="equal", tip="says what it means")
    plot.line([(each.llr, each.observed) for each in bins], style="s1")
    for each in bins:
        tip = f"claimed {each.llr:+.1f}, found {each.observed:+.1f}"
        plot.dot(each.llr, each.observed, style="s1", tip=tip)
    return Figure(
        title="Do the log-likelihood ratios mean what they say?",
        svg=plot.render(),
        caption="The log-likelihood ratio says how many times likelier a score is of the same person. On the "
        "dotted line it is right; below it on the right side it claims too much. "
        f"Cllr is {cllr:.3f} bits; {min_cllr:.3f} is the best that any rescaling could reach.",
        columns=("claimed", "found", "same person", "different people"),
        rows=[
            (f"{each.llr:+.2f}", f"{each.observed:+.2f}", str(each.n_target), str(each.n_nontarget))
            for each in bins
        ],
    )


def _clips(n: int) -> str:
    return f"{n} clip" if n == 1 else f"{n} clips"
