"""``voiceprint models``: named, versioned models, where they come from and how well they do."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from voiceprint.cli.card_tables import (
    card_rates,
    cell_rates,
    countermeasure_card,
    flat_table,
    open_card,
)
from voiceprint.cli.commands import examples, group
from voiceprint.cli.model_catalog import available, get
from voiceprint.cli.model_compare import compare
from voiceprint.cli.model_convert import convert
from voiceprint.cli.model_import import import_model
from voiceprint.cli.options import CheckpointName, CorporaOption, JsonOption, OverwriteOption, SetOption
from voiceprint.cli.terminal import plain, print_answer, print_json, print_table, progress_of
from voiceprint.percent import percent, percent_with_range

if TYPE_CHECKING:
    from voiceprint.model.card import ModelCard
    from voiceprint.model.registry import RegisteredModel

# The cell of the calibration that a list shows.
_LISTED = "EER, 1 clip, 3 s"


@examples("voiceprint models list", "voiceprint models list --json")
def list_models(as_json: JsonOption = False) -> None:
    """List the registered models and the one in use."""
    from voiceprint.model.card import read_model_card
    from voiceprint.model.registry import PACKAGED_MODEL, RegisteredModel, Registry

    registry = Registry()
    models = registry.models()
    if (PACKAGED_MODEL / "model.toml").exists():
        packaged = read_model_card(PACKAGED_MODEL)
        used = registry.used() == PACKAGED_MODEL
        models.insert(0, RegisteredModel(folder=PACKAGED_MODEL, card=packaged, used=used))
    if as_json:
        print_json([_facts(model) for model in models])
        return
    rows = [
        (
            "*" if model.used else "",
            "default" if model.folder == PACKAGED_MODEL else model.title,
            model.card.id[:12],
            model.card.dim,
            percent(card_rates(model.card).get("dev.eer")),
            percent(cell_rates(model.card).get(_LISTED)),
            model.card.description,
        )
        for model in models
    ]
    heads = ("used", "model", "id", "dim", "dev EER", _LISTED, "what it is")
    print_table(heads, rows, right=("dim", "dev EER", _LISTED))


@examples(
    "voiceprint models show mymodel@2",
    "voiceprint models show runs/mymodel --json",
    "voiceprint models show countermeasure",
)
def show(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL", help="NAME, NAME@VERSION, the folder of a model, default or countermeasure."
        ),
    ],
    as_json: JsonOption = False,
) -> None:
    """Show a model's card: what it is, what trained it, how often it errs.

    `countermeasure` is the network that --liveness asks whether somebody speaks.
    """
    countermeasure = countermeasure_card(model)
    if countermeasure is not None:
        facts = asdict(countermeasure)
        if as_json:
            print_json(facts)
        else:
            rows = [(key, _text(value)) for key, value in flat_table(facts).items() if value != ""]
            print_table(("", plain(countermeasure.title)), rows)
        return
    card = open_card(model)
    tables = {key: value for key, value in card.to_dict().items() if key != "calibration"}
    if as_json:
        print_json(tables)
        return
    rows = [
        (f"{table}.{key}", _text(value))
        for table, values in tables.items()
        if isinstance(values, dict)
        for key, value in flat_table(values).items()
        if value != ""
    ]
    print_table(("", plain(card.title)), rows)


@examples("voiceprint models use mymodel@2", "voiceprint models use default")
def use(
    model: Annotated[str, typer.Argument(metavar="NAME", help="NAME, NAME@VERSION, or default.")],
    as_json: JsonOption = False,
) -> None:
    """Use a registered model wherever --model is not given."""
    from voiceprint.model.registry import Registry

    folder = Registry().use(model)
    print_answer({"used": folder}, f"{plain(model)} is used from now on ({plain(folder)})", as_json=as_json)


@examples("voiceprint models add runs/mymodel")
def add(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A model folder.")],
    as_json: JsonOption = False,
) -> None:
    """Copy a model folder among the registered models."""
    from voiceprint.model.registry import Registry

    added = Registry().add(folder)
    said = f"{added.title} is registered; voiceprint models use {added.title} makes it the default"
    print_answer(_facts(added), said, as_json=as_json)


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderOptions:
    """Which encoder of a run is exported, and in which form."""

    checkpoint: Annotated[
        CheckpointName, typer.Option(help="Checkpoint of the lowest dev EER, or the newest.")
    ] = "best"
    wccn: Annotated[
        Path | None,
        typer.Option(
            "--wccn",
            metavar="POOL",
            help="The run's pool: centre embeddings and even them out by its speech.",
        ),
    ] = None
    int8: Annotated[
        bool, typer.Option("--int8", help="8-bit weights, all but the convolutions'; prints what it costs.")
    ] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CardOptions:
    """What the card says besides the run."""

    licences: Annotated[
        Path | None,
        typer.Option(
            "--licences",
            metavar="FILE",
            help="Licences of the corpora, for the card (TOML); see docs/how-to/training.md.",
        ),
    ] = None
    beside: Annotated[
        str | None,
        typer.Option(
            "--beside",
            metavar="MODEL",
            help="Show another model's dev error rates on the card, of the same clips.",
        ),
    ] = None


@examples(
    "voiceprint models export runs/default -o mymodel",
    "voiceprint models export runs/default -o small --int8 --set version=1-int8 --corpora speech",
    "voiceprint models export runs/default -o mymodel --licences configs/licences.toml --overwrite",
)
def export(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a training run.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FOLDER", help="The model folder.")],
    corpora: CorporaOption = Path("corpora"),
    *,
    encoder: EncoderOptions,
    card: CardOptions,
    changes: SetOption = None,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Make a model folder of a training run.

    The graph is written only if its embeddings of dev clips of 0.5 to 60 s equal torch's. It is measured on
    the run's dev suite, with 95 % intervals for other speakers.
    """
    import torch

    from voiceprint.training.export.from_run import CardSources, export_run
    from voiceprint.training.export.licences import read_licences

    torch.set_num_threads(1)
    with progress_of("embedding training speech", quiet=as_json or encoder.wccn is None) as progress:
        licences = {} if card.licences is None else read_licences(card.licences, corpora)
        made = export_run(
            run,
            output,
            corpora=corpora,
            **asdict(encoder),
            card=CardSources(licences=licences, beside=card.beside),
            overrides=changes or [],
            overwrite=overwrite,
            progress=progress,
        )
    _print_exported(made, output, int8=encoder.int8, as_json=as_json)


def _print_exported(card: ModelCard, folder: Path, *, int8: bool, as_json: bool) -> None:
    step = card.training["steps"]
    if as_json:
        print_json(
            {"folder": folder, "model": card.title, "id": card.id, "step": step, "measured": card.measured}
        )
        return
    if int8:
        rates = card_rates(card)
        typer.echo(
            f"dev EER {percent(rates['dev_float32.eer'])} in float32, {percent(rates['dev.eer'])} in 8 bits"
        )
    typer.echo(
        f"{plain(card.title)} is in {plain(folder)}: id {card.id[:12]}, step {step:,}, "
        f"dev EER {_dev_figure(card)}"
    )


def _facts(model: RegisteredModel) -> dict[str, Any]:
    card = model.card
    return {
        "name": card.name,
        "version": card.version,
        "id": card.id,
        "folder": model.folder,
        "used": model.used,
        "measured": card.measured,
        "training": card.training,
    }


def _dev_figure(card: ModelCard) -> str:
    """The mean EER of the dev suite, with its interval where there is one."""
    eer, interval = card.measured["dev"]["eer"], card.measured["dev_intervals"].get("eer")
    if interval is None:
        return percent(eer)
    return percent_with_range(eer, *interval)


def _text(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(_text, value))
    return f"{value:.4g}" if isinstance(value, float) else str(value)


app = group(
    "Models: get a published one, list, show, compare, use, add; export a training run, convert, import.",
    available=available,
    get=get,
    list=list_models,
    show=show,
    compare=compare,
    use=use,
    add=add,
    export=export,
    convert=convert,
    **{"import": import_model},
)
