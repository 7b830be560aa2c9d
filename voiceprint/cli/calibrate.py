"""``voiceprint calibrate``: thresholds of a model, fitted to known people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from voiceprint.cli.commands import examples
from voiceprint.cli.options import JobsOption, JsonOption
from voiceprint.cli.terminal import count, number, plain, print_json, print_table, progress_of
from voiceprint.percent import percent

if TYPE_CHECKING:
    from voiceprint.calibration import Calibration, Decider, OperatingPoint
    from voiceprint.corpus import Corpus
    from voiceprint.evaluation.embedding import Progress
    from voiceprint.evaluation.recalibration import Calibrated
    from voiceprint.metrics import ReliabilityBin
    from voiceprint.model import SpeakerModel
    from voiceprint.model.card import ModelCard

_RATES = (0.05, 0.01, 0.001)


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionOptions:
    """Where the model decides unless it is asked to decide elsewhere."""

    far: Annotated[
        float | None,
        typer.Option("--far", help="Decide at this false-accept rate by default."),
    ] = None
    eer: Annotated[bool, typer.Option("--eer", help="Decide at equal error rates by default.")] = False
    p_target: Annotated[
        float | None,
        typer.Option("--p-target", help="Decide at the least cost: prior of a true claim."),
    ] = None
    c_fa: Annotated[
        float | None,
        typer.Option(
            "--c-fa",
            help="Cost of a false accept, in false rejects; with --p-target.",
            show_default="1",
        ),
    ] = None

    @property
    def point(self) -> OperatingPoint | None:
        """The operating point, None for that of the card."""
        from voiceprint.calibration import OperatingPoint

        if self.c_fa is not None and self.p_target is None:
            raise typer.BadParameter("--c-fa weighs costs; give --p-target with it")
        if sum((self.far is not None, self.eer, self.p_target is not None)) > 1:
            raise typer.BadParameter("give one of --far, --eer and --p-target")
        if self.far is not None:
            return OperatingPoint.far(self.far)
        if self.p_target is not None:
            return OperatingPoint.cost(p_target=self.p_target, c_fa=1.0 if self.c_fa is None else self.c_fa)
        return OperatingPoint.eer() if self.eer else None


@dataclass(frozen=True, slots=True, kw_only=True)
class FitOptions:
    """How scores are calibrated."""

    method: Annotated[
        Literal["logistic", "isotonic"],
        typer.Option("--method", help="How scores become log-likelihood ratios; thresholds are the same."),
    ] = "logistic"
    side_information: Annotated[
        str,
        typer.Option(
            "--side-information",
            help="What counts beside the score: duration, or duration,snr for noise too.",
        ),
    ] = "duration"
    seed: Annotated[int, typer.Option("--seed", help="Seed for the choice of clips.")] = 0
    cohort: Annotated[
        list[Path] | None,
        typer.Option(
            "--cohort",
            metavar="MANIFEST",
            help="Training speakers (split train), of whom voices are made that are rivals in every search; "
            "may be given several times.",
            show_default="the voices that MODEL has",
        ),
    ] = None

    def __post_init__(self) -> None:
        self.snr  # noqa: B018  refuses what it does not know, before anything is embedded

    @property
    def snr(self) -> bool:
        """Whether noise counts beside the score."""
        known = {"duration": False, "duration,snr": True, "snr,duration": True}
        if self.side_information not in known:
            raise typer.BadParameter(
                f"--side-information {self.side_information!r} is neither duration nor duration,snr"
            )
        return known[self.side_information]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceOptions:
    """Which folder is written."""

    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FOLDER", help="The new model folder.")
    ] = None
    in_place: Annotated[bool, typer.Option("--in-place", help="Change MODEL itself.")] = False
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the model folder that --output names.")
    ] = False


@examples(
    "voiceprint calibrate default --corpus speech/manifest.csv --far 0.001 -o mymodel-strict",
    "voiceprint calibrate mymodel --corpus a/manifest.csv --corpus b/manifest.csv --split dev --in-place",
    "voiceprint calibrate mymodel trials.txt --corpus speech/manifest.csv --p-target 0.01 --c-fa 10 -o tuned",
    "voiceprint calibrate mymodel --corpus speech/manifest.csv --figure reliability.html -o calibrated",
)
def calibrate(
    model: Annotated[
        Path, typer.Argument(metavar="MODEL", help="Model folder, or default: the packaged one.")
    ],
    trials: Annotated[
        Path | None,
        typer.Argument(
            metavar="TRIALS", help="Trial list on the corpus.", show_default="trials of all shapes"
        ),
    ] = None,
    corpus: Annotated[
        list[Path] | None,
        typer.Option("--corpus", metavar="MANIFEST", help="Manifest of known people; may be repeated."),
    ] = None,
    split: Annotated[str, typer.Option("--split", help="The split of the corpora to use, or all.")] = "dev",
    *,
    decision: DecisionOptions,
    fit: FitOptions,
    place: PlaceOptions,
    figure: Annotated[
        Path | None,
        typer.Option("--figure", metavar="FILE", help="Also draw the reliability diagram (an HTML page)."),
    ] = None,
    jobs: JobsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Fit a model's thresholds to development speakers, for every clip length and number of clips.

    Take people on whom the model was not trained, and none whose error rates will be reported. The encoder
    stays the same, so people who are enrolled stay enrolled.
    """
    from voiceprint.corpus import read_manifests
    from voiceprint.evaluation.recalibration import write_calibrated
    from voiceprint.metrics import reliability_bins
    from voiceprint.model import SpeakerModel  # numpy and the audio libraries

    if place.in_place == (place.output is not None):
        raise typer.BadParameter("give either --output FOLDER or --in-place")
    point = decision.point
    if not corpus:
        raise typer.BadParameter("give one or more --corpus MANIFEST")
    known = read_manifests(corpus, split=split)
    opened = SpeakerModel.open(model)
    with progress_of("embedding", quiet=as_json) as progress:
        fitted = _fit(known, opened, trials, fit, jobs=jobs, progress=progress)
    folder = opened.folder if place.output is None else place.output
    overwrite = place.in_place or place.overwrite
    card = write_calibrated(opened, fitted, folder, decision=point, overwrite=overwrite)
    bins = reliability_bins(fitted.target_llrs, fitted.nontarget_llrs)
    _print(folder, fitted, bins, card.decision, as_json=as_json)
    _print_open_set(card)
    if figure is not None:
        _draw(figure, card.title, fitted, bins)


def _fit(
    corpus: Corpus,
    model: SpeakerModel,
    trials: Path | None,
    fit: FitOptions,
    *,
    jobs: int | None,
    progress: Progress,
) -> Calibrated:
    from voiceprint.corpus import read_manifests
    from voiceprint.evaluation import recalibration
    from voiceprint.trials import read_trials

    if trials is None:
        return recalibration.calibrate(
            corpus,
            model,
            method=fit.method,
            snr=fit.snr,
            cohort=read_manifests(fit.cohort, split="train") if fit.cohort else None,
            seed=fit.seed,
            jobs=jobs,
            progress=progress,
        )
    if fit.cohort:
        raise typer.BadParameter("--cohort does not go with TRIALS; leave one out")
    return recalibration.calibrate_on_trials(
        read_trials(trials), corpus, model, method=fit.method, snr=fit.snr, jobs=jobs, progress=progress
    )


def _print(
    folder: Path,
    fitted: Calibrated,
    bins: Sequence[ReliabilityBin],
    decision: OperatingPoint,
    *,
    as_json: bool,
) -> None:
    calibration = fitted.calibration
    if as_json:
        print_json(
            {
                "model": folder,
                "decision": decision.to_dict(),
                "calibrated_on": fitted.source,
                "calibration": calibration.to_dict(),
                "reliability": bins,
            }
        )
        return
    from voiceprint.calibration import Decider

    decider = Decider(calibration=calibration, default=decision)
    rows = [_row(calibration, decider, cell.n_enroll, cell.seconds) for cell in calibration.cells]
    heads = ["clips", "speech s", "EER", "default", *(f"{100 * rate:g} %" for rate in _RATES)]
    print_table(heads, rows, right=heads)
    print_table(
        ["LLR stated", "observed", "target", "nontarget"],
        [
            (f"{each.llr:+.2f}", f"{each.observed:+.2f}", str(each.n_target), str(each.n_nontarget))
            for each in bins
        ],
        right=["LLR stated", "observed", "target", "nontarget"],
    )
    if calibration.snr is not None:
        typer.echo(
            f"goes by noise: {calibration.snr.gain:+.4f} to a score for each dB above "
            f"{calibration.snr.reference_db:.0f} dB of signal-to-noise ratio"
        )
    _print_doubts(calibration, decider)
    source = fitted.source
    typer.echo(
        f"{plain(folder)}: calibrated on {count(source['speakers'], 'speaker')} of "
        f"{plain(', '.join(source['corpora']))}; decides at {decision}"
    )


def _row(calibration: Calibration, decider: Decider, n_enroll: int, seconds: float) -> tuple[str, ...]:
    from voiceprint.calibration import TrialShape

    eer = calibration.cell(n_enroll=n_enroll, seconds=seconds).eer
    default = float(decider.thresholds(TrialShape(n_enroll=n_enroll, seconds=seconds)))
    rates = [
        number(calibration.threshold(p_fa=rate, n_enroll=n_enroll, seconds=seconds), 3)
        + (" " if calibration.resolves(rate, n_enroll=n_enroll, seconds=seconds) else "*")
        for rate in _RATES
    ]
    return (str(n_enroll), f"{seconds:g}", percent(eer), number(default, 3), *rates)


def _print_doubts(calibration: Calibration, decider: Decider) -> None:
    """Say which thresholds were not measured, and where nobody would be accepted."""
    from voiceprint.calibration import TrialShape

    cells = calibration.cells
    if not all(cell.resolves(rate) for cell in cells for rate in _RATES):
        typer.echo("* extrapolated conservatively: too few people or trials to measure it")
    shape = TrialShape(n_enroll=[c.n_enroll for c in cells], seconds=[c.seconds for c in cells])
    closed = int((decider.thresholds(shape) >= 1.0).sum())
    if closed:
        typer.secho(
            f"in {closed} of {len(cells)} rows the default is beyond every score, and nobody will be "
            "accepted: the trials are too few for so low a rate; give more, or ask for a higher one",
            fg=typer.colors.YELLOW,
            err=True,
        )


def _print_open_set(card: ModelCard) -> None:
    """Say where a cohort is of no use, because a search has no thresholds over rivals."""
    from voiceprint.model.card import COHORT_FILE

    if COHORT_FILE in card.files and card.open_set is None:
        typer.secho(
            "searches have no thresholds over rivals, which take more people and no trial list: identify "
            "decides on each of N people at the Nth part of the rate",
            fg=typer.colors.YELLOW,
            err=True,
        )


def _draw(page: Path, title: str, fitted: Calibrated, bins: Sequence[ReliabilityBin]) -> None:
    from voiceprint.metrics import cllr, det_curve, min_cllr
    from voiceprint.reports import write_figures
    from voiceprint.reports.charts import reliability_chart

    sides = fitted.target_llrs, fitted.nontarget_llrs
    where = ", ".join(fitted.source["corpora"])
    chart = reliability_chart(bins, where=where, cllr=cllr(*sides), min_cllr=min_cllr(det_curve(*sides)))
    note = (
        f"{title}, calibrated on {fitted.source['speakers']} speakers of {where}, and measured on the very "
        "trials it was fitted to: other people's will lie farther off."
    )
    write_figures("Reliability of the calibration", note, [chart], page)
    typer.echo(f"{plain(page)} was written", err=True)
