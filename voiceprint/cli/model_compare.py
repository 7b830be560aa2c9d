"""``voiceprint models compare``: several models by their cards, or on a folder of clips."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from voiceprint.cli.card_tables import card_rates, cell_rates, open_card
from voiceprint.cli.commands import examples
from voiceprint.cli.options import JobsOption, JsonOption
from voiceprint.cli.report import finish_report, measure_models
from voiceprint.cli.scoring import EmbeddingOptions
from voiceprint.cli.terminal import plain, print_json, print_table, progress_of
from voiceprint.percent import percent

if TYPE_CHECKING:
    from voiceprint.corpus import Corpus
    from voiceprint.model.card import ModelCard


@examples(
    "voiceprint models compare default mymodel@2",
    "voiceprint models compare default campplus --clips people -o compare.html",
)
def compare(
    models: Annotated[list[str], typer.Argument(metavar="MODELS...", help="Names or folders of models.")],
    clips: Annotated[
        Path | None,
        typer.Option("--clips", metavar="FOLDER", help="A folder of clips for each person: measure on them."),
    ] = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="Of --clips: the page with the curves.")
    ] = Path("compare.html"),
    jobs: JobsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the error rates of several models side by side: those of their cards, or on your own clips.

    Cards have rates on dev suites, and an equal error rate for each number of clips enrolled and length of
    speech. With --clips all models get the same trials, and a page shows their curves. Nobody has to be
    enrolled.
    """
    if clips is None:
        _compare_cards([open_card(model) for model in models], as_json=as_json)
    else:
        _compare_on(clips, models, output, jobs=jobs, as_json=as_json)


def _compare_cards(cards: list[ModelCard], *, as_json: bool) -> None:
    measured = [card_rates(card) | cell_rates(card) for card in cards]
    keys = list(dict.fromkeys(key for rates in measured for key in rates))
    if as_json:
        print_json(
            [
                {"model": card.title, "id": card.id, "measured": rates}
                for card, rates in zip(cards, measured, strict=True)
            ]
        )
        return
    titles = [plain(card.title) for card in cards]
    rows = [(key, *(percent(rates.get(key)) for rates in measured)) for key in keys]
    print_table(("measured", *titles), rows, right=titles)
    if len({_calibrated_on(card) for card in cards} - {""}) > 1:
        typer.echo("calibrated on other clips or with another seed: these rates are not of the same trials")


def _calibrated_on(card: ModelCard) -> str:
    """Which clips, drawn how; empty where that is not known."""
    source = card.extra.get("calibrated_on", {})
    return f"{source['fingerprint']} {source.get('seed')}" if "fingerprint" in source else ""


def _compare_on(folder: Path, models: list[str], page: Path, *, jobs: int | None, as_json: bool) -> None:
    from voiceprint.evaluation import MeasureSettings

    people = _read(folder, quiet=as_json)
    settings = MeasureSettings(conditions=())
    made = measure_models(models, [people], settings, EmbeddingOptions(jobs=jobs), quiet=as_json)
    finish_report(made, page, as_json=as_json)


def _read(folder: Path, *, quiet: bool) -> Corpus:
    from voiceprint.corpus import scan_corpus

    with progress_of("reading", quiet=quiet) as progress:
        found = scan_corpus(
            folder,
            layout="folders",
            max_unreadable=1.0,
            progress=progress,
        )
    for reason in found.left_out:
        typer.echo(f"left out: {plain(reason)}", err=True)
    return found.corpus
