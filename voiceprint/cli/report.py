"""``voiceprint report``: everything about models on sets of clips, as one HTML page and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from voiceprint.cli.commands import examples
from voiceprint.cli.options import JsonOption
from voiceprint.cli.scoring import EmbeddingOptions, open_cache
from voiceprint.cli.terminal import plain, print_json, print_table, progress_of
from voiceprint.percent import percent, percent_range

if TYPE_CHECKING:
    from voiceprint.corpus import Corpus
    from voiceprint.evaluation import EmbeddedCorpus, MeasureSettings, Report
    from voiceprint.model import SpeakerModel

_ASKED = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureOptions:
    """What is measured of which clips."""

    split: Annotated[str, typer.Option("--split", help="The split of the corpora to use, or all.")] = "test"
    n_enroll: Annotated[int, typer.Option("--n-enroll", help="Clips that people enroll with.")] = 5
    conditions: Annotated[
        bool, typer.Option("--conditions/--no-conditions", help="Also measure degraded clips.")
    ] = True
    limit: Annotated[int, typer.Option("--limit", help="Use at most so many clips of every speaker.")] = 40
    repetitions: Annotated[
        int, typer.Option("--repetitions", help="Draws of speakers behind the intervals.")
    ] = 1000
    seed: Annotated[int, typer.Option("--seed", help="Seed of every draw.")] = 0

    @property
    def settings(self) -> MeasureSettings:
        """What `measure_set` goes by."""
        from voiceprint.evaluation import MeasureSettings

        settings = MeasureSettings(n_enroll=self.n_enroll, repetitions=self.repetitions, seed=self.seed)
        return settings if self.conditions else replace(settings, conditions=())


@examples(
    "voiceprint report default --corpus speech/manifest.csv -o report.html",
    "voiceprint report mymodel default --corpus a/manifest.csv --corpus b/manifest.csv -o report.html",
    "voiceprint report mymodel --corpus speech/manifest.csv --no-conditions --limit 10 -o quick.html",
)
def report(
    models: Annotated[
        list[str],
        typer.Argument(metavar="MODEL...", help="Model folders, or default; the first is reported on."),
    ],
    corpus: Annotated[
        list[Path], typer.Option("--corpus", metavar="MANIFEST", help="Clips; may be given several times.")
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="The page; the JSON goes beside it.")
    ] = Path("report.html"),
    *,
    measure: MeasureOptions,
    confusion: Annotated[
        list[Path] | None,
        typer.Option("--confusion", metavar="FILE", help="Also show a classifier's confusion matrix (JSON)."),
    ] = None,
    embedding: EmbeddingOptions,
    as_json: JsonOption = False,
) -> None:
    """Measure models and write a page that says how often they accept the wrong person.

    The page needs nothing else: no network, no scripts. Clips are embedded as verify embeds them.
    """
    from voiceprint.evaluation import read_confusion

    confusions = tuple(map(read_confusion, confusion or ()))  # before hours of work
    sets = [_read(path, measure) for path in corpus]
    made = measure_models(models, sets, measure.settings, embedding, quiet=as_json)
    finish_report(replace(made, confusions=confusions), output, as_json=as_json)


def _read(path: Path, measure: MeasureOptions) -> Corpus:
    from voiceprint.corpus import read_manifests
    from voiceprint.evaluation import limit_clips

    return limit_clips(read_manifests([path], split=measure.split), measure.limit, seed=measure.seed)


def measure_models(
    names: Sequence[str],
    sets: Sequence[Corpus],
    settings: MeasureSettings,
    how: EmbeddingOptions,
    *,
    quiet: bool,
) -> Report:
    """Measure models on sets of clips, the same trials for all; the first model is the one reported on."""
    from voiceprint.evaluation import (
        Report,
        describe_environment,
        describe_model,
        embed_corpus,
        fitted_note,
        measure_set,
    )
    from voiceprint.model import SpeakerModel

    models = [SpeakerModel.open(name) for name in names]
    titles = model_titles(models)
    embedded: list[list[EmbeddedCorpus]] = [[] for _ in sets]
    for title, model in zip(titles, models, strict=True):
        with open_cache(model, how) as cache:
            for corpus, systems in zip(sets, embedded, strict=True):
                with progress_of(f"{title} on {corpus[0].corpus}", quiet=quiet) as progress:
                    systems.append(
                        embed_corpus(
                            corpus,
                            model,
                            settings,
                            name=title,
                            cache=cache,
                            jobs=how.jobs,
                            progress=progress,
                        )
                    )
    return Report(
        title=titles[0],
        models={title: describe_model(model) for title, model in zip(titles, models, strict=True)},
        sets=tuple(
            measure_set(corpus, systems, settings, note=fitted_note(models[0], corpus))
            for corpus, systems in zip(sets, embedded, strict=True)
        ),
        environment=describe_environment(),
        seeds={"all draws": settings.seed},
    )


def model_titles(models: Sequence[SpeakerModel]) -> list[str]:
    """Name the models, by their folders too where two cards have the same name."""
    titles = [model.card.title for model in models]
    return [
        title if titles.count(title) == 1 else f"{title} ({model.folder.name})"
        for title, model in zip(titles, models, strict=True)
    ]


def finish_report(made: Report, output: Path, *, as_json: bool) -> None:
    """Write a report, and print what it says in short."""
    from voiceprint.reports import report_dict, write_report

    page, data = write_report(made, output)
    if as_json:
        print_json(report_dict(made))
    else:
        _print_report(made)
        typer.echo(f"{plain(page)} and {plain(data)} were written")


def _print_report(made: Report) -> None:
    """Print a row for each set of clips and model."""
    rows = []
    for measured in made.sets:
        for system in measured.systems:
            main, interval = system.main, system.main.evaluation.eer_interval
            decision = next((rate for rate in main.decisions if rate.asked == _ASKED), None)
            rows.append(
                (
                    f"{measured.name} {measured.split}",
                    system.name,
                    str(main.n_enroll),
                    percent(main.evaluation.metrics.eer),
                    "-" if interval is None else percent_range(interval.low, interval.high),
                    "-" if decision is None else percent(decision.p_fa.value),
                    "-" if decision is None else percent(decision.p_miss.value),
                )
            )
    columns = ["recordings", "model", "clips", "EER", "95 %", "FAR (1 % asked)", "FRR"]
    print_table(columns, rows, right=columns[2:])
