"""Measure what error rates cost on many trials: seconds and peak memory, with scikit-learn beside us.

    scripts/benchmark_metrics
    scripts/benchmark_metrics --trials 1000000 --json

Scores are drawn from two normal distributions, one trial in a hundred of the same person. Each line runs in
a process of its own, on one thread: ours computes everything that `voiceprint evaluate` prints but for the
interval (EER, minDCF, actDCF, Cllr, minCllr, AUC, rates), scikit-learn its `det_curve` alone. Memory is the
most that the process ever held, Python, libraries and scores included.
"""

# ruff: noqa: PLC0415 (each process loads the one system whose memory it measures)
from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from benchmarks.program import ONE_THREAD, command_of, make_parser, output_of
from benchmarks.timing import peak_bytes, spent

Figures = dict[str, float]

TITLES = {"voiceprint": "voiceprint, every measure", "scikit-learn": "scikit-learn, det_curve alone"}


def main() -> None:
    """Measure each system in a process of its own, and print a line for each."""
    parser = make_parser(__doc__)
    parser.add_argument("--trials", type=int, default=10_000_000, help="(10 million)")
    parser.add_argument("--only", choices=TITLES, help="measure this one in this very process, as JSON")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    options = parser.parse_args()
    if options.only:
        print(json.dumps(_measure(options.only, options.trials)))
        return
    found = {system: _measure_apart(system, options.trials) for system in TITLES}
    if options.json:
        print(json.dumps({"trials": options.trials, "systems": found}, indent=1))
        return
    print(f"{options.trials:,} trials{'':<22}{'seconds':>9}{'processor s':>13}{'peak MB':>9}{'EER %':>8}")
    for system, title in TITLES.items():
        one = found[system]
        print(
            f"{title:<36}{one['seconds']:>9.2f}{one['processor_seconds']:>13.2f}{one['peak_mb']:>9.0f}"
            f"{100 * one['eer']:>8.3f}"
        )


def _measure_apart(system: str, trials: int) -> Figures:
    """Measure in a fresh process, so that memory is of nothing else."""
    command = [*command_of(__name__), "--only", system, "--trials", str(trials)]
    found: Figures = json.loads(output_of(command, **ONE_THREAD))
    return found


def _measure(system: str, trials: int) -> Figures:
    compute = {"voiceprint": _prepare_ours, "scikit-learn": _prepare_scikit_learn}[system](trials)
    eers: list[float] = []
    took = spent(lambda: eers.append(compute()))
    return {
        "seconds": took.seconds,
        "processor_seconds": took.processor,
        "peak_mb": peak_bytes() / 1e6,
        "eer": eers[0],
    }


def _prepare_ours(trials: int) -> Callable[[], float]:
    """Return what is timed: from scores, which are ratios as well, to every measure."""
    import numpy as np

    from voiceprint.metrics import verification_metrics

    rng = np.random.default_rng(0)
    targets, nontargets = rng.normal(2.0, 2.0, trials // 100), rng.normal(-2.0, 2.0, trials - trials // 100)

    def compute() -> float:
        return verification_metrics(
            targets, nontargets, target_llrs=targets, nontarget_llrs=nontargets
        ).eer_interpolated

    return compute


def _prepare_scikit_learn(trials: int) -> Callable[[], float]:
    """Return what is timed: from the same scores and their labels to a DET curve."""
    import numpy as np
    from sklearn.metrics import det_curve

    rng = np.random.default_rng(0)
    scores, labels = np.empty(trials), np.zeros(trials, dtype=np.int8)
    scores[: trials // 100] = rng.normal(2.0, 2.0, trials // 100)
    scores[trials // 100 :] = rng.normal(-2.0, 2.0, trials - trials // 100)
    labels[: trials // 100] = 1

    def compute() -> float:
        p_fa, p_miss, _ = det_curve(labels, scores)
        place: Any = np.argmin(np.abs(p_fa - p_miss))
        return float((p_fa[place] + p_miss[place]) / 2.0)

    return compute
