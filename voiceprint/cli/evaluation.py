"""``voiceprint score`` and ``voiceprint evaluate``: trial lists to scores, and scores to error rates."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from voiceprint.cli.commands import examples
from voiceprint.cli.options import JsonOption
from voiceprint.cli.process import PARTLY
from voiceprint.cli.scoring import ScoringOptions, open_cache, read_trial_list, run_model
from voiceprint.cli.terminal import count, number, plain, print_answer, print_json, print_table, progress_of
from voiceprint.percent import percent, percent_range

if TYPE_CHECKING:
    from voiceprint.evaluation import EvaluationReport
    from voiceprint.evaluation.results import DecisionRate, GroupRow
    from voiceprint.evaluation.trial_conditions import ConditionsReport
    from voiceprint.metrics import Interval
    from voiceprint.trials import TrialList, UnscoredTrial

TrialsArgument = Annotated[
    Path, typer.Argument(metavar="TRIALS", help="Trial list: VoxCeleb, Kaldi or CSV style.")
]
_SHOWN = 10


@examples(
    "voiceprint score trials.txt -o scores.txt",
    "voiceprint score trials.txt -o scores.txt --enrollments models.txt --root clips --jobs 4",
)
def score(
    trials: TrialsArgument,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="The score file.")],
    how: ScoringOptions,
    style: Annotated[
        Literal["kaldi", "csv"], typer.Option("--style", help="Lines of enroll, test, score; or CSV.")
    ] = "kaldi",
    as_json: JsonOption = False,
) -> None:
    """Score a trial list by cosine.

    A trial that cannot be scored has no line; it is named on standard error, and the exit code is 3.
    """
    from voiceprint.trials import write_scores

    ran = run_model(read_trial_list(trials, how.enrollments), trials, how, quiet=as_json)
    write_scores(ran.scored, output, style=style)
    unscored = ran.scored.unscored
    scored = len(ran.scored.scores)
    document = {"scores": output, "scored": scored, "unscored": _plain_unscored(unscored)}
    said = f"{count(scored, 'trial')} scored, {len(unscored)} not, in {plain(output)}"
    print_answer(document, said, as_json=as_json)
    _print_unscored(unscored)
    if unscored:
        raise typer.Exit(PARTLY)


@examples(
    "voiceprint evaluate trials.txt --corpus corpus.csv",
    "voiceprint evaluate trials.txt --scores scores.txt --json",
    "voiceprint evaluate trials.txt --corpus corpus.csv --conditions",
)
def evaluate(
    trials: TrialsArgument,
    how: ScoringOptions,
    scores: Annotated[
        Path | None,
        typer.Option(
            "--scores", metavar="FILE", help="Measure these scores, of any system, instead of the model."
        ),
    ] = None,
    repetitions: Annotated[
        int, typer.Option("--repetitions", help="Draws of speakers behind the interval.")
    ] = 1000,
    seed: Annotated[int, typer.Option("--seed", help="Seed of these draws.")] = 0,
    conditions: Annotated[
        bool,
        typer.Option("--conditions", help="Also measure short and degraded clips, and groups of people."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Measure error rates on a trial list: EER, detection costs, thresholds for given false-accept rates.

    Trials that cannot be scored are counted, named, and in no figure. With --corpus, an interval says how far
    the EER may lie from that of other speakers.
    """
    from voiceprint.corpus import read_manifest
    from voiceprint.evaluation import evaluate_scores
    from voiceprint.trials import read_scores

    if conditions and (how.corpus is None or scores is not None):
        raise typer.BadParameter("--conditions needs --corpus, and a model rather than --scores")
    listed = read_trial_list(trials, how.enrollments)
    speakers = None if how.corpus is None else {u.id: u.speaker_id for u in read_manifest(how.corpus)}
    evaluated = partial(evaluate_scores, speakers=speakers, repetitions=repetitions, seed=seed)
    if scores is not None:
        report = evaluated(read_scores(scores, listed))
    else:
        ran = run_model(listed, trials, how, quiet=as_json)
        report = evaluated(ran.scored, llrs=ran.llrs, card_rates=ran.card_rates)
    harder = None
    if conditions and how.corpus is not None:
        harder = measure_conditions(listed, how, corpus=how.corpus, seed=seed, quiet=as_json)
    if as_json:
        print_json(_as_dict(report) | ({} if harder is None else {"harder": harder}))
        return
    _print_report(report)
    if harder is not None:
        print_conditions(harder)


def _as_dict(report: EvaluationReport) -> dict[str, Any]:
    plain_report = {field.name: getattr(report, field.name) for field in dataclasses.fields(report)}
    return plain_report | {"unscored": _plain_unscored(report.unscored)}


def _plain_unscored(unscored: tuple[UnscoredTrial, ...]) -> list[dict[str, str]]:
    return [{"enroll": u.trial.enroll.name, "test": u.trial.test, "reason": u.reason} for u in unscored]


def _print_unscored(unscored: tuple[UnscoredTrial, ...]) -> None:
    for each in unscored[:_SHOWN]:
        trial = f"{plain(each.trial.enroll.name)} against {plain(each.trial.test)}"
        typer.echo(f"not scored: {trial}: {plain(each.reason)}", err=True)
    if len(unscored) > _SHOWN:
        typer.echo(f"not scored: {len(unscored) - _SHOWN} more (--json lists all)", err=True)


def _print_report(report: EvaluationReport) -> None:
    metrics = report.metrics
    speakers = "" if report.n_speakers is None else f" of {count(report.n_speakers, 'speaker')}"
    typer.echo(
        f"{metrics.n_target} target and {metrics.n_nontarget} nontarget trials{speakers}; "
        f"{len(report.unscored)} could not be scored"
    )
    print_table(["measure", "value", ""], _measures(report), right=["value"])
    rows = [
        (
            percent(rate.p_fa),
            percent(1.0 - rate.tpr),
            number(rate.threshold, 3),
            "" if rate.resolved else "too few trials",
        )
        for rate in metrics.tpr
    ]
    print_table(["FAR", "FRR", "threshold", ""], rows, right=["FAR", "FRR", "threshold"])
    if report.card_rates:
        typer.echo("What the model's thresholds do here:")
        rows = [
            (
                "at its EER" if rate.promised is None else percent(rate.promised),
                percent(rate.p_fa),
                percent(rate.p_miss),
                "" if rate.resolved else "extrapolated",
            )
            for rate in report.card_rates
        ]
        print_table(["promised FAR", "FAR", "FRR", ""], rows, right=["promised FAR", "FAR", "FRR"])
    for note in report.notes:
        typer.echo(plain(note))
    _print_unscored(report.unscored)


def _measures(report: EvaluationReport) -> list[tuple[str, str, str]]:
    metrics, interval = report.metrics, report.eer_interval
    spread = (
        "" if interval is None else f"{percent_range(interval.low, interval.high)} ({interval.level:.0%})"
    )
    rows = [
        (f"EER ({report.eer_method})", percent(metrics.eer), spread),
        ("EER (interpolated)", percent(metrics.eer_interpolated), ""),
        ("threshold at EER", number(metrics.eer_threshold, 3), ""),
        ("area under ROC", number(metrics.auc, 4), ""),
    ]
    for cost in metrics.costs:
        actual = "" if cost.actual is None else f"actual {cost.actual:.3f}"
        rows.append((f"minDCF (P_target {cost.p_target:g})", number(cost.minimum, 3), actual))
    actual = "" if metrics.cllr is None else f"actual {metrics.cllr:.3f}"
    return [*rows, ("minCllr (bits)", number(metrics.min_cllr, 3), actual)]


def measure_conditions(
    trials: TrialList, how: ScoringOptions, *, corpus: Path, seed: int, quiet: bool
) -> ConditionsReport:
    """Measure a trial list of a corpus under every condition."""
    from voiceprint.corpus import read_manifest
    from voiceprint.evaluation.trial_conditions import measure_trials
    from voiceprint.model import SpeakerModel

    opened = SpeakerModel.open(how.model)
    with (
        open_cache(opened, how) as cache,
        progress_of("degrading and embedding", quiet=quiet) as progress,
    ):
        return measure_trials(
            trials,
            read_manifest(corpus),
            opened,
            cache=cache,
            jobs=how.jobs,
            seed=seed,
            progress=progress,
        )


def print_conditions(found: ConditionsReport) -> None:
    """Print the tables."""
    rows = [
        ("full" if row.seconds is None else f"{row.seconds:g} s", row.n_speakers, row.eer, row.decision)
        for row in found.lengths
    ]
    _print("speech", rows)
    _print("condition", [_of_group(row) for row in found.conditions])
    if found.groups:
        _print("group", [_of_group(row) for row in found.groups])


Line = tuple[str, int, "Interval | None", "DecisionRate | None"]


def _of_group(row: GroupRow) -> Line:
    return row.name, row.n_speakers, row.eer, row.decision


def _print(what: str, lines: Sequence[Line]) -> None:
    rows = [
        (
            name,
            str(speakers),
            "too few" if eer is None else percent(eer.value),
            "" if eer is None else percent_range(eer.low, eer.high),
            "" if decision is None else percent(decision.p_fa.value),
            "" if decision is None else percent(decision.p_miss.value),
        )
        for name, speakers, eer, decision in lines
    ]
    heads = [what, "speakers", "EER", "95 %", "FAR (1 % asked)", "FRR"]
    print_table(heads, rows, right=heads[1:])
