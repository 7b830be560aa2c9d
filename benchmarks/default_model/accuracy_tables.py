"""The few figures of a report that docs/explanation/accuracy.md quotes, and the tables made of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.tables import markdown_table
from voiceprint.evaluation.results import DecisionRate, Protocol, Report, SetReport, SystemReport
from voiceprint.metrics import Interval
from voiceprint.percent import percent, percent_with_range

ASKED = 0.01


def summarize(report: Report) -> dict[str, Any]:
    """Return the figures that are quoted elsewhere, as JSON knows them.

    Returns
    -------
    dict
        ``model``, ``environment``, and ``sets``: for each the people and clips, and for each system EER with
        its interval for every number of enrolled clips, and what its thresholds do; and ``classifiers``.
    """
    first = next(iter(report.models))
    return {
        "model": {"name": first, **report.models[first]},
        "environment": dict(report.environment),
        "sets": [_summarize_set(measured) for measured in report.sets],
        "classifiers": [
            {"title": each.title, "accuracy": round(each.matrix.accuracy, 6), **each.matrix.to_dict()}
            for each in report.confusions
        ],
    }


def accuracy_table(summary: Mapping[str, Any]) -> str:
    """Make a Markdown table of error rates: the model with its thresholds, the others with their EER."""
    sets = summary["sets"]
    ours = summary["model"]["name"]
    peers = list(dict.fromkeys(s["name"] for each in sets for s in each["systems"] if s["name"] != ours))
    heads = (
        "recordings", "speakers", "EER, clip against clip", "EER, several clips enrolled",
        "FAR (1 % asked)", "FRR",
        *(f"{name}, clip against clip" for name in peers),
    )  # fmt: skip
    rows = []
    for each in sets:
        systems = {system["name"]: system for system in each["systems"]}
        protocols = systems[ours]["protocols"]
        main, decision = protocols[-1], protocols[-1]["decisions"].get(f"{ASKED:g}")
        rows.append(
            (
                f"{each['name']} {each['split']}",
                str(each["speakers"]),
                _rate(protocols[0]["eer"]),
                f"{_rate(main['eer'])}, {main['n_enroll']} clips" if len(protocols) > 1 else "-",
                "-" if decision is None else _rate(decision["p_fa"]),
                "-" if decision is None else percent(decision["p_miss"]["value"]),
                *(_rate(systems[name]["protocols"][0]["eer"]) if name in systems else "-" for name in peers),
            )
        )
    return markdown_table(heads, rows, numbers=True)


def out_of_set_table(summary: Mapping[str, Any]) -> str:
    """Make a Markdown table of how often out-of-set speakers were named, of the first model."""
    heads = ("recordings", "enrolled", "asked", "out-of-set clips named", "enrolled people named rightly")
    rows = [
        (
            f"{each['name']} {each['split']}",
            str(rate["enrolled"]),
            percent(rate["asked"]),
            _rate(rate["named"]),
            percent(rate["found"]),
        )
        for each in summary["sets"]
        for rate in each["systems"][0]["out_of_set"]
    ]
    return markdown_table(heads, rows, numbers=True)


def _summarize_set(measured: SetReport) -> dict[str, Any]:
    return {
        "name": measured.name,
        "split": measured.split,
        "speakers": measured.n_speakers,
        "utterances": measured.n_utterances,
        "fingerprint": measured.fingerprint,
        "note": measured.note,
        "systems": [_summarize_system(system) for system in measured.systems],
    }


def _summarize_system(system: SystemReport) -> dict[str, Any]:
    return {
        "name": system.name,
        "protocols": [_summarize_protocol(protocol) for protocol in system.protocols],
        "out_of_set": [
            {
                "asked": rate.asked,
                "enrolled": rate.enrolled,
                "named": _interval(rate.named),
                "found": round(rate.found, 6),
            }
            for rate in system.out_of_set
        ],
        "unscored": len(system.failed),
    }


def _summarize_protocol(protocol: Protocol) -> dict[str, Any]:
    metrics, interval = protocol.evaluation.metrics, protocol.evaluation.eer_interval
    return {
        "n_enroll": protocol.n_enroll,
        "n_target": metrics.n_target,
        "n_nontarget": metrics.n_nontarget,
        "eer": {"value": round(metrics.eer, 6)} if interval is None else _interval(interval),
        "min_dcf": {f"{cost.p_target:g}": round(cost.minimum, 6) for cost in metrics.costs},
        "cllr": None if metrics.cllr is None else round(metrics.cllr, 6),
        "min_cllr": round(metrics.min_cllr, 6),
        "decisions": {f"{rate.asked:g}": _decision(rate) for rate in protocol.decisions},
    }


def _decision(rate: DecisionRate) -> dict[str, Any]:
    return {
        "p_fa": _interval(rate.p_fa),
        "p_miss": _interval(rate.p_miss),
        "false_accepts": rate.false_accepts,
        "misses": rate.misses,
        "resolved": rate.resolved,
    }


def _interval(interval: Interval) -> dict[str, float]:
    return {name: round(getattr(interval, name), 6) for name in ("value", "low", "high")}


def _rate(interval: Mapping[str, float]) -> str:
    return percent_with_range(**interval) if "low" in interval else percent(interval["value"])
