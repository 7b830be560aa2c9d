"""``voiceprint calibrate`` and ``tune``: thresholds of a model, and of a store, fitted to known people."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from voiceprint.cli.commands import examples
from voiceprint.cli.options import JobsOption, JsonOption, ModelOption, StoreOption
from voiceprint.cli.terminal import count, number, plain, print_json, print_table, progress_bar

if TYPE_CHECKING:
    from voiceprint.calibration import Calibration
    from voiceprint.corpus import Corpus
    from voiceprint.decision_rule import DecisionRule
    from voiceprint.evaluation.embedding import Progress
    from voiceprint.model import SpeakerModel
    from voiceprint.recalibration import Calibrated
    from voiceprint.tuning import StoreTuning

__all__ = ["calibrate", "tune"]

_RATES = (0.05, 0.01, 0.001)


@examples(
    "voiceprint calibrate mymodel --corpus speech/manifest.csv --far 0.001 -o mymodel-strict",
    "voiceprint calibrate mymodel --corpus a/manifest.csv --corpus b/manifest.csv --split dev --in-place",
    "voiceprint calibrate mymodel trials.txt --corpus speech/manifest.csv --p-target 0.01 --c-fa 10 -o tuned",
)
def calibrate(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="Model folder.")],
    trials: Annotated[
        Path | None,
        typer.Argument(
            metavar="TRIALS", help="Trial list on the corpus.", show_default="trials of all shapes"
        ),
    ] = None,
    corpus: Annotated[
        list[Path] | None,
        typer.Option("--corpus", metavar="MANIFEST", help="Known people; may be given several times."),
    ] = None,
    split: Annotated[str, typer.Option("--split", help="The split of the corpora to use, or all.")] = "dev",
    far: Annotated[
        float | None,
        typer.Option("--far", min=1e-9, max=0.5, help="Decide at this false-accept rate by default."),
    ] = None,
    eer: Annotated[bool, typer.Option("--eer", help="Decide at equal error rates by default.")] = False,
    p_target: Annotated[
        float | None,
        typer.Option(
            "--p-target", min=1e-9, max=1 - 1e-9, help="Decide at the least cost: prior of a true claim."
        ),
    ] = None,
    c_fa: Annotated[
        float,
        typer.Option("--c-fa", min=1e-9, help="Of --p-target: cost of a false accept, in false rejects."),
    ] = 1.0,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FOLDER", help="The new model folder.")
    ] = None,
    in_place: Annotated[bool, typer.Option("--in-place", help="Change MODEL itself.")] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the model folder that --output names.")
    ] = False,
    seed: Annotated[int, typer.Option("--seed", help="Of the choice of clips.")] = 0,
    jobs: JobsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Fit a model's thresholds to development speakers, for every clip length and number of clips.

    Take people on whom the model was not trained, and none whose error rates will be reported. The encoder
    stays the same, so people who are enrolled stay enrolled.
    """
    from voiceprint.model import SpeakerModel  # numpy and the audio libraries
    from voiceprint.recalibration import write_calibrated

    if in_place == (output is not None):
        raise typer.BadParameter("give either --output FOLDER or --in-place")
    rule = _rule(far=far, eer=eer, p_target=p_target, c_fa=c_fa)
    known = _read(corpus or [], split)
    opened = SpeakerModel.open(model)
    with progress_bar(quiet=as_json) as bar:
        task = bar.add_task("embedding", total=None)

        def progress(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        fitted = _fit(known, opened, trials, seed=seed, jobs=jobs, progress=progress)
    folder = model if output is None else output
    card = write_calibrated(opened, fitted, folder, decision=rule, overwrite=in_place or overwrite)
    _print(folder, fitted, card.decision, as_json=as_json)


@examples("voiceprint tune", "voiceprint tune --store enrollments --dry-run", "voiceprint tune --reset")
def tune(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would change.")] = False,
    reset: Annotated[bool, typer.Option("--reset", help="Go back to the model's own thresholds.")] = False,
    store: StoreOption = None,
    model: ModelOption = None,
    as_json: JsonOption = False,
) -> None:
    """Fit thresholds to the people who are enrolled: their voices, language and microphone.

    Each clip is scored against the other clips of its person, and against everybody else. At least five
    people with three clips each are needed, and thresholds move only as far as is sure. Tune again when
    people come or go.
    """
    from voiceprint.store import default_store_path
    from voiceprint.tuning import remove_tuning

    folder = store or default_store_path()
    if not reset:
        _tune(folder, model, dry_run=dry_run, as_json=as_json)
        return
    removed = remove_tuning(folder)
    if as_json:
        print_json({"store": folder, "removed": removed})
    else:
        typer.echo(
            "The model's own thresholds are in force" + (" again." if removed else "; there were no others.")
        )


def _tune(folder: Path, model: Path | None, *, dry_run: bool, as_json: bool) -> None:
    from voiceprint.errors import CalibrationError
    from voiceprint.model import SpeakerModel
    from voiceprint.store import EnrollmentStore
    from voiceprint.tuning import fit_tuning, write_tuning

    opened = SpeakerModel.open(model)
    if opened.card.calibration is None:
        raise CalibrationError(f"{opened.folder}: has no thresholds to tune; run `voiceprint calibrate`")
    with EnrollmentStore.open(folder, model_id=opened.id, dim=opened.dim, read_only=True) as people:
        tuning = fit_tuning(people, opened.card.calibration, model_id=opened.id)
    kept = tuning.is_sure and not dry_run
    if kept:
        write_tuning(folder, tuning)
    if as_json:
        print_json({"store": folder, "kept": kept, "tuning": tuning})
    else:
        _print_tuning(tuning, dry_run=dry_run)


def _print_tuning(tuning: StoreTuning, *, dry_run: bool) -> None:
    typer.echo(
        f"{count(tuning.n_people, 'person', 'people')}, {count(tuning.n_clips, 'clip')}: where the model's "
        f"thresholds promise {100 * tuning.rate:g} % false accepts, {100 * tuning.found:.1f} % were found"
    )
    typer.echo(
        f"that asks for a shift of {tuning.estimate:+.3f}; with other people like these it would be "
        f"{tuning.low:+.3f} to {tuning.high:+.3f} (95 %)"
    )
    if not tuning.is_sure:
        typer.echo("So it may be chance, and nothing changes. Enroll more people to be surer.")
        return
    typer.echo(
        f"sure is a shift of {tuning.shift:+.3f}: at 1 % false accepts {100 * tuning.misses_tuned:.1f} % of "
        f"the right people are turned away instead of {100 * tuning.misses:.1f} %"
    )
    typer.echo("Nothing was kept (--dry-run)." if dry_run else "In force from now on; --reset undoes it.")


def _rule(*, far: float | None, eer: bool, p_target: float | None, c_fa: float) -> DecisionRule | None:
    from voiceprint.decision_rule import DecisionRule

    if sum((far is not None, eer, p_target is not None)) > 1:
        raise typer.BadParameter("give one of --far, --eer and --p-target")
    if far is not None:
        return DecisionRule(kind="far", p_fa=far)
    if p_target is not None:
        return DecisionRule(kind="cost", p_target=p_target, c_fa=c_fa)
    return DecisionRule(kind="eer") if eer else None


def _read(manifests: list[Path], split: str) -> Corpus:
    from voiceprint.corpus import Corpus, read_manifest

    if not manifests:
        raise typer.BadParameter("give one or more --corpus MANIFEST")
    found = [read_manifest(path) for path in manifests]
    return Corpus(
        utterance
        for corpus in found
        for utterance in (corpus if split == "all" else corpus.filter(split=split))
    )


def _fit(
    corpus: Corpus,
    model: SpeakerModel,
    trials: Path | None,
    *,
    seed: int,
    jobs: int | None,
    progress: Progress,
) -> Calibrated:
    from voiceprint import recalibration
    from voiceprint.trials import read_trials

    if trials is None:
        return recalibration.calibrate(corpus, model, seed=seed, jobs=jobs, progress=progress)
    return recalibration.calibrate_on_trials(read_trials(trials), corpus, model, jobs=jobs, progress=progress)


def _print(folder: Path, fitted: Calibrated, decision: DecisionRule, *, as_json: bool) -> None:
    calibration = fitted.calibration
    if as_json:
        print_json(
            {
                "model": folder,
                "decision": decision.to_dict(),
                "calibrated_on": fitted.source,
                "calibration": calibration.to_dict(),
            }
        )
        return
    rows = [_row(calibration, decision, cell.n_enroll, cell.seconds) for cell in calibration.cells]
    heads = ["clips", "speech s", "EER", "default", *(f"{100 * rate:g} %" for rate in _RATES)]
    print_table(heads, rows, right=heads)
    source = fitted.source
    typer.echo(
        f"{plain(folder)}: calibrated on {count(source['speakers'], 'speaker')} of "
        f"{plain(', '.join(source['corpora']))}; decides at {decision}"
    )


def _row(calibration: Calibration, decision: DecisionRule, n_enroll: int, seconds: float) -> tuple[str, ...]:
    eer = calibration.cell(n_enroll=n_enroll, seconds=seconds).eer
    default = decision.threshold(calibration, n_enroll=n_enroll, seconds=seconds)
    rates = [calibration.threshold(p_fa=rate, n_enroll=n_enroll, seconds=seconds) for rate in _RATES]
    thresholds = [number(threshold, 3) for threshold in (default, *rates)]
    return (str(n_enroll), f"{seconds:g}", number(100 * eer, 1, " %"), *thresholds)
