"""The first screen, which answers how often it accepts the wrong person."""

from __future__ import annotations

from html import escape

from voiceprint.evaluation.results import DecisionRate, OutOfSetRate, Report, SetReport
from voiceprint.html import Raw
from voiceprint.percent import percent, percent_range, percent_with_range
from voiceprint.reports.html import one_in, spread, table

ASKED = 0.01
"""The false-accept rate that the first screen is about."""

_CROWD = 1000
_A_ROW = 50


def headline(report: Report) -> Raw:
    """Answer the question that readers come with, in words, for the first set of clips."""
    first = report.sets[0]
    decision = decision_at(first, ASKED)
    answer = _uncalibrated(first) if decision is None else _answer(report, decision)
    return Raw(
        f'<section id="answer"><h1>How often will it accept the wrong person?</h1>'
        f'<p class="lede">{escape(_what(report))}</p>{answer}{_overview(report)}</section>'
    )


def decision_at(measured: SetReport, asked: float) -> DecisionRate | None:
    """What the first model decides where a rate was asked for; None without calibration."""
    return next((rate for rate in measured.systems[0].main.decisions if rate.asked == asked), None)


def _what(report: Report) -> str:
    first = report.sets[0]
    n = first.systems[0].main.n_enroll
    return (
        f"{first.systems[0].name}, set to accept 1 impostor in {1 / ASKED:g}, tried on {first.n_speakers} "
        f"people of {first.name} ({first.split}), each enrolled with {n} {'clip' if n == 1 else 'clips'}. "
        f"{first.note}"
    ).strip()


def _answer(report: Report, decision: DecisionRate) -> str:
    first = report.sets[0]
    wrong, missed = decision.p_fa, decision.p_miss
    between = (
        f"For other people like these, expect {_range(wrong.low, wrong.high)}."
        if wrong.high > wrong.low
        else ""
    )
    counted = (
        f"{decision.false_accepts:,} of {decision.n_nontarget:,} wrong claims were accepted "
        f"({percent(wrong.value)})."
    )
    out_of_set = next((s for s in first.systems[0].out_of_set if s.asked == ASKED), None)
    return (
        '<div class="answer">'
        f'<p class="big">{_capital(one_in(wrong.value))}'
        f"<small>{escape(counted)} {escape(between)} {escape(_elsewhere(report))}</small></p>"
        f"{_crowd(wrong.value)}</div>"
        '<dl class="facts">'
        + _fact(
            "How often it rejects the right person",
            one_in(missed.value),
            f"{percent(missed.value)} of {decision.n_target:,} right claims "
            f"({percent_range(missed.low, missed.high)})",
        )
        + (_out_of_set(out_of_set) if out_of_set else "")
        + _fact(
            "Equal error rate: both mistakes as frequent",
            percent(first.systems[0].main.evaluation.metrics.eer),
            _eer_interval(first),
        )
        + "</dl>"
    )


def _elsewhere(report: Report) -> str:
    """How often on the other sets of clips, for one set is not the world."""
    found = [(measured.name, decision_at(measured, ASKED)) for measured in report.sets[1:]]
    rates = sorted((decision.p_fa.value, name) for name, decision in found if decision is not None)
    if not rates:
        return ""
    (_, best), (_, worst) = rates[0], rates[-1]
    low, high = (one_in(rate) for rate in (rates[0][0], rates[-1][0]))
    if len(rates) == 1:
        return f"On the recordings of {worst}: {high}."
    return f"On the {len(rates)} other sets of recordings below: from {low} ({best}) to {high} ({worst})."


def _uncalibrated(first: SetReport) -> str:
    metrics = first.systems[0].main.evaluation.metrics
    return (
        '<dl class="facts">'
        + _fact("Equal error rate: both mistakes as frequent", percent(metrics.eer), _eer_interval(first))
        + _fact("Thresholds", "none", "the model has no calibration: run voiceprint calibrate")
        + "</dl>"
    )


def _out_of_set(rate: OutOfSetRate) -> str:
    return _fact(
        f"How often an out-of-set speaker is given a name ({rate.enrolled} enrolled)",
        one_in(rate.named.value),
        f"{percent_with_range(rate.named.value, rate.named.low, rate.named.high)}; "
        f"enrolled people are named rightly in {percent(rate.found)}",
    )


def _eer_interval(measured: SetReport) -> str:
    interval = measured.systems[0].main.evaluation.eer_interval
    if interval is None:
        return "too few speakers for an interval"
    return f"{percent_range(interval.low, interval.high)} for other people like these"


def _fact(name: str, value: str, note: str) -> str:
    return (
        f"<div><dt>{escape(name)}</dt><dd>{escape(_capital(value))}<small>{escape(note)}</small></dd></div>"
    )


def _crowd(rate: float) -> str:
    """A thousand impostors, the accepted ones in red, spread evenly."""
    count = round(_CROWD * rate)
    inside = {round((i + 0.5) * _CROWD / count) for i in range(count)} if count else set()
    dots = "".join(
        f'<circle{" class=in" if place in inside else ""} cx="{10 * (place % _A_ROW) + 5}" '
        f'cy="{10 * (place // _A_ROW) + 5}" r="{3.9 if place in inside else 2.6}"/>'
        for place in range(_CROWD)
    )
    words = f"Of {_CROWD:,} impostors, {count} are accepted"
    return (
        f'<figure class="crowd"><svg viewBox="0 0 {10 * _A_ROW} {10 * _CROWD // _A_ROW}" role="img" '
        f'aria-label="{words}">{dots}</svg><figcaption>{words} (red).</figcaption></figure>'
    )


def _overview(report: Report) -> str:
    rows = []
    for measured in report.sets:
        system = measured.systems[0]
        interval = system.main.evaluation.eer_interval
        name = Raw(
            f'<a href="#{escape(measured.name)}">{escape(measured.name)}</a> '
            f"<small>{escape(measured.split)}</small>"
        )
        rows.append(
            (
                name,
                str(measured.n_speakers),
                str(system.main.n_enroll),
                percent(system.main.evaluation.metrics.eer) if interval is None else spread(interval),
                *(_found(measured, asked) for asked in (0.05, ASKED)),
                _missed(measured),
            )
        )
    columns = (
        "recordings", "speakers", "enrolled clips", "equal error rate",
        *(f"impostors accepted, {percent(rate)} asked" for rate in (0.05, ASKED)), "right person rejected",
    )  # fmt: skip
    return f'<div class="panel">{table(columns, rows, caption="On every set of recordings")}</div>'


def _found(measured: SetReport, asked: float) -> str:
    rate = decision_at(measured, asked)
    return "-" if rate is None else spread(rate.p_fa)


def _missed(measured: SetReport) -> str:
    rate = decision_at(measured, ASKED)
    return "-" if rate is None else percent(rate.p_miss.value)


def _range(low: float, high: float) -> str:
    return f"between {one_in(high)} and {one_in(low)}" if low > 0 else f"at most {one_in(high)}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
