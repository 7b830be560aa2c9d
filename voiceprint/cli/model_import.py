"""``voiceprint models import``: a published encoder as a model folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from voiceprint.cli.commands import examples
from voiceprint.cli.options import JobsOption, JsonOption, OverwriteOption
from voiceprint.cli.terminal import count, plain, print_answer, progress_of

if TYPE_CHECKING:
    from voiceprint.catalog.importing import Imported
    from voiceprint.corpus import Corpus


@examples(
    "voiceprint models import resnet34.toml -o runs/models/resnet34 --corpus speech/manifest.csv",
)
def import_model(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="SOURCE",
            help="Description of an ONNX encoder (TOML); see docs/how-to/importing.md.",
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FOLDER", help="The new model folder.")],
    corpus: Annotated[
        list[Path] | None,
        typer.Option(
            "--corpus",
            metavar="MANIFEST",
            help="Known people for the thresholds; may be given several times.",
        ),
    ] = None,
    split: Annotated[str, typer.Option("--split", help="The split of the corpora to use, or all.")] = "dev",
    calibrated: Annotated[
        bool, typer.Option("--calibrate/--no-calibrate", help="Whether to fit thresholds to the corpora.")
    ] = True,
    overwrite: OverwriteOption = False,
    seed: Annotated[int, typer.Option("--seed", help="Seed for the choice of clips.")] = 0,
    jobs: JobsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a model folder of a published encoder.

    Its front end is put into the graph, the result is compared with its own code's embeddings, and thresholds
    are fitted to development speakers. Nothing is written where any of that fails. Needs the extra models.
    For some encoders `models get` does it all. See docs/how-to/importing.md.
    """
    from voiceprint.catalog.importing import import_onnx
    from voiceprint.corpus import read_manifests

    if calibrated and not corpus:
        raise typer.BadParameter("give one or more --corpus MANIFEST, or --no-calibrate")
    people = read_manifests(corpus or [], split=split) if calibrated else None

    def finish(folder: Path) -> None:
        if people is not None:
            _calibrate(folder, people, seed=seed, jobs=jobs, quiet=as_json)

    imported = import_onnx(source, output, finish=finish, overwrite=overwrite)
    _print(imported, calibrated=calibrated, as_json=as_json)


def _calibrate(folder: Path, people: Corpus, *, seed: int, jobs: int | None, quiet: bool) -> None:
    from voiceprint.evaluation.recalibration import calibrate, write_calibrated
    from voiceprint.model import SpeakerModel

    model = SpeakerModel.open(folder)
    with progress_of("calibrating", quiet=quiet) as progress:
        fitted = calibrate(people, model, seed=seed, jobs=jobs, progress=progress)
    write_calibrated(model, fitted, folder, overwrite=True)


def _print(imported: Imported, *, calibrated: bool, as_json: bool) -> None:
    card = imported.card
    document = {
        "model": imported.folder,
        "id": card.id,
        "dim": card.dim,
        "parity": imported.parity,
        "clips": imported.clips,
        "calibrated": calibrated,
    }
    said = (
        f"{plain(imported.folder)}: {plain(card.title)}, {card.dim} numbers an embedding; at most "
        f"{imported.parity:.1e} (cosine distance) from the original code on {count(imported.clips, 'clip')}"
        + ("" if calibrated else "; no thresholds: fit them with voiceprint calibrate")
    )
    print_answer(document, said, as_json=as_json)
