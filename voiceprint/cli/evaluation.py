"""``voiceprint score`` and ``voiceprint evaluate``: trial lists to scores, and scores to error rates."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from voiceprint.cli.commands import examples
from voiceprint.cli.options import JobsOption, JsonOption, ModelOption
from voiceprint.cli.process import PARTLY
from voiceprint.cli.terminal import count, number, plain, print_json, print_table, progress_bar

if TYPE_CHECKING:
    from voiceprint.evaluation import EmbeddingCache, EvaluationReport, ModelScores
    from voiceprint.model import SpeakerModel
    from voiceprint.trials import TrialList, UnscoredTrial

__all__ = [
    "CacheOption",
    "CorpusOption",
    "EnrollmentsOption",
    "NoCacheOption",
    "RootOption",
    "evaluate",
    "open_cache",
    "read_trial_list",
    "score",
]

TrialsArgument = Annotated[
    Path, typer.Argument(metavar="TRIALS", help="Trial list: VoxCeleb, Kaldi or CSV style.")
]
EnrollmentsOption = Annotated[
    Path | None,
    typer.Option("--enrollments", metavar="FILE", help="Defines the trials' models: model: clip clip clip."),
]
CorpusOption = Annotated[
    Path | None,
    typer.Option("--corpus", metavar="MANIFEST", help="Where the clips are, by id, and who speaks in them."),
]
RootOption = Annotated[
    Path | None,
    typer.Option(
        "--root",
        metavar="FOLDER",
        help="What clips are relative to, without --corpus.",
        show_default="the list's folder",
    ),
]
CacheOption = Annotated[
    Path | None,
    typer.Option(
        "--cache",
        envvar="VOICEPRINT_CACHE",
        metavar="FOLDER",
        help="Where embeddings are kept for the next time.",
        show_default="your cache folder",
    ),
]
NoCacheOption = Annotated[bool, typer.Option("--no-cache", help="Keep no embeddings, and use none.")]
AveragingOption = Annotated[
    Literal["centroid", "scores"],
    typer.Option(
        "--averaging", help="Of several enrollment clips: the clips, as verify does, or their scores."
    ),
]
CohortOption = Annotated[
    Path | None,
    typer.Option("--cohort", metavar="MANIFEST", help="Normalise scores against its speakers (AS-norm)."),
]
TopKOption = Annotated[int, typer.Option("--top-k", help="Of --cohort: the nearest so many speakers.")]

_SHOWN = 10


@examples(
    "voiceprint score trials.txt -o scores.txt",
    "voiceprint score trials.txt -o scores.txt --enrollments models.txt --root clips --jobs 4",
)
def score(
    trials: TrialsArgument,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="The score file.")],
    enrollments: EnrollmentsOption = None,
    corpus: CorpusOption = None,
    root: RootOption = None,
    averaging: AveragingOption = "centroid",
    cohort: CohortOption = None,
    top_k: TopKOption = 300,
    style: Annotated[
        Literal["kaldi", "csv"], typer.Option("--style", help="Lines of enroll test score, or CSV.")
    ] = "kaldi",
    jobs: JobsOption = None,
    cache: CacheOption = None,
    no_cache: NoCacheOption = False,
    model: ModelOption = None,
    as_json: JsonOption = False,
) -> None:
    """Score a trial list by cosine.

    A trial that cannot be scored has no line; it is named on standard error, and the exit code is 3.
    """
    from voiceprint.trials import write_scores

    places = _Places(trials=trials, corpus=corpus, root=root, cohort=cohort, cache=cache)
    ran = _run(
        read_trial_list(trials, enrollments),
        places,
        model=model,
        averaging=averaging,
        top_k=top_k,
        jobs=jobs,
        caching=not no_cache,
        quiet=as_json,
    )
    write_scores(ran.scored, output, style=style)
    unscored = ran.scored.unscored
    if as_json:
        print_json(
            {"scores": output, "scored": len(ran.scored.scores), "unscored": _plain_unscored(unscored)}
        )
    else:
        typer.echo(
            f"{count(len(ran.scored.scores), 'trial')} scored, {len(unscored)} not, in {plain(output)}"
        )
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
    scores: Annotated[
        Path | None,
        typer.Option(
            "--scores", metavar="FILE", help="Measure these scores, of any system, instead of the model."
        ),
    ] = None,
    enrollments: EnrollmentsOption = None,
    corpus: CorpusOption = None,
    root: RootOption = None,
    averaging: AveragingOption = "centroid",
    cohort: CohortOption = None,
    top_k: TopKOption = 300,
    repetitions: Annotated[
        int, typer.Option("--repetitions", help="Draws of speakers behind the interval.")
    ] = 1000,
    seed: Annotated[int, typer.Option("--seed", help="Of these draws.")] = 0,
    conditions: Annotated[
        bool,
        typer.Option("--conditions", help="Also measure short and degraded clips, and groups of people."),
    ] = False,
    jobs: JobsOption = None,
    cache: CacheOption = None,
    no_cache: NoCacheOption = False,
    model: ModelOption = None,
    as_json: JsonOption = False,
) -> None:
    """Measure error rates on a trial list: EER, detection costs, thresholds for given false-accept rates.

    Trials that cannot be scored are counted, named, and in no figure. With --corpus, an interval says how far
    the EER may lie from that of other speakers.
    """
    from voiceprint.cli.conditions import measure, print_conditions
    from voiceprint.corpus import read_manifest
    from voiceprint.evaluation import evaluate_scores
    from voiceprint.trials import read_scores

    if conditions and (corpus is None or scores is not None):
        raise typer.BadParameter("--conditions needs --corpus, and a model rather than --scores")
    listed = read_trial_list(trials, enrollments)
    speakers = None if corpus is None else {u.id: u.speaker_id for u in read_manifest(corpus)}
    if scores is not None:
        scored = read_scores(scores, listed)
        report = evaluate_scores(scored, speakers=speakers, repetitions=repetitions, seed=seed)
    else:
        places = _Places(trials=trials, corpus=corpus, root=root, cohort=cohort, cache=cache)
        ran = _run(
            listed,
            places,
            model=model,
            averaging=averaging,
            top_k=top_k,
            jobs=jobs,
            caching=not no_cache,
            quiet=as_json,
        )
        report = evaluate_scores(
            ran.scored,
            llrs=ran.llrs,
            card_rates=ran.card_rates,
            speakers=speakers,
            repetitions=repetitions,
            seed=seed,
        )
    harder = None
    if conditions and corpus is not None:
        harder = measure(
            listed,
            corpus=corpus,
            model=model,
            cache=cache,
            caching=not no_cache,
            jobs=jobs,
            seed=seed,
            quiet=as_json,
        )
    if as_json:
        print_json(_as_dict(report) | ({} if harder is None else {"harder": harder}))
        return
    _print_report(report)
    if harder is not None:
        print_conditions(harder)


def read_trial_list(trials: Path, enrollments: Path | None) -> TrialList:
    """Read a trial list, with the enrollment list that defines its models, if there is one."""
    from voiceprint.trials import read_enrollments, read_trials

    return read_trials(trials, enrollments=None if enrollments is None else read_enrollments(enrollments))


@contextmanager
def open_cache(model: SpeakerModel, *, folder: Path | None, caching: bool) -> Iterator[EmbeddingCache | None]:
    """Open the embedding cache of a model, or nothing where there is to be none or none can be.

    What keeps the cache from working is said on standard error, and the work goes on without it.
    """
    from voiceprint.errors import NoHomeError
    from voiceprint.evaluation import EmbeddingCache, default_cache_path

    if not caching:
        yield None
        return
    try:
        place = folder or default_cache_path()
    except NoHomeError as error:
        typer.echo(f"no embeddings are kept: {error}", err=True)
        yield None
        return
    with EmbeddingCache(place, model_id=model.id, dim=model.dim) as cache:
        yield cache
    if cache.trouble:
        typer.echo(f"no embeddings are kept: {plain(cache.trouble)}", err=True)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Places:
    """Where a command's inputs are."""

    trials: Path
    corpus: Path | None
    root: Path | None
    cohort: Path | None
    cache: Path | None


def _run(
    listed: TrialList,
    places: _Places,
    *,
    model: Path | None,
    averaging: Literal["centroid", "scores"],
    top_k: int,
    jobs: int | None,
    caching: bool,
    quiet: bool,
) -> ModelScores:
    from voiceprint.corpus import read_manifest
    from voiceprint.evaluation import run_trials
    from voiceprint.model import SpeakerModel

    speaker_model = SpeakerModel.open(model)
    with (
        open_cache(speaker_model, folder=places.cache, caching=caching) as cache,
        progress_bar(quiet=quiet) as bar,
    ):
        task = bar.add_task("embedding", total=None)
        return run_trials(
            listed,
            speaker_model,
            corpus=None if places.corpus is None else read_manifest(places.corpus),
            root=places.trials.parent if places.root is None else places.root,
            averaging=averaging,
            cohort=None if places.cohort is None else read_manifest(places.cohort),
            top_k=top_k,
            cache=cache,
            jobs=jobs,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )


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
            _percent(rate.p_fa),
            _percent(1.0 - rate.tpr),
            number(rate.threshold, 3),
            "" if rate.resolved else "too few trials",
        )
        for rate in metrics.tpr
    ]
    print_table(["FAR", "FRR", "threshold", ""], rows, right=["FAR", "FRR", "threshold"])
    if report.card_rates:
        typer.echo("What the model's own thresholds do here:")
        rows = [
            (
                "at its EER" if rate.promised is None else f"{rate.promised:.1%}",
                _percent(rate.p_fa),
                _percent(rate.p_miss),
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
        ""
        if interval is None
        else f"{_percent(interval.low)} to {_percent(interval.high)} ({interval.level:.0%})"
    )
    rows = [
        (f"EER ({report.eer_method})", _percent(metrics.eer), spread),
        ("EER (interpolated)", _percent(metrics.eer_interpolated), ""),
        ("threshold at EER", number(metrics.eer_threshold, 3), ""),
        ("area under ROC", number(metrics.auc, 4), ""),
    ]
    for cost in metrics.costs:
        actual = "" if cost.actual is None else f"actual {cost.actual:.3f}"
        rows.append((f"minDCF (P_target {cost.p_target:g})", number(cost.minimum, 3), actual))
    actual = "" if metrics.cllr is None else f"actual {metrics.cllr:.3f}"
    return [*rows, ("minCllr (bits)", number(metrics.min_cllr, 3), actual)]


def _percent(rate: float) -> str:
    return f"{100 * rate:.2f} %"
