"""Export files: voiceprints without audio, as JSON for other programs or as npz, a tenth of the size.

Both hold one document; in npz the embeddings stand beside it, in the array ``embeddings`` (n, dim) float32,
in the order of the document's utterances. Both are written and read person by person, so that their size
costs no memory. See docs/reference/store-format.md.
"""

from __future__ import annotations

import base64
import json
import os
import re
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from voiceprint.audio.quality import ClipQuality
from voiceprint.errors import StoreError, VoiceprintError
from voiceprint.files.text import open_text
from voiceprint.files.whole import sync_folder, whole_file
from voiceprint.store.export_archive import MOST_DIM, ArchiveReader, ArchiveWriter
from voiceprint.store.json_stream import JsonObject
from voiceprint.store.records import Consent, EnrolledUtterance, VoiceprintRecord

_FORMAT = "voiceprint-export"
_VERSION = 1
_SUFFIXES = (".json", ".npz")
_PEOPLE = "speakers"
_NO_TEXT = re.compile("[\0\ud800-\udfff]")
_NEEDED = ("format", "version", "model_id", "dim")
_UNSOUND = (
    ValueError,
    TypeError,
    KeyError,
    ArithmeticError,
    EOFError,
    OSError,
    RuntimeError,  # among them RecursionError and NotImplementedError, which zipfile raises
    zipfile.BadZipFile,
    zlib.error,
)
"""What reading a file that is no export may raise, in the libraries that read it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportFile:
    """What an export file holds.

    Examples
    --------
    >>> from voiceprint.store import read_export, write_export
    >>> _ = write_export("everybody.npz", verifier.store.export_records(), model_id=model.id, dim=model.dim)
    >>> exported = read_export("everybody.npz")
    >>> exported.model_id == model.id, exported.dim, len([*exported.records])
    (True, 192, 2)
    """

    path: Path
    model_id: str
    dim: int
    opt_outs: Mapping[str, datetime] = field(default_factory=dict)

    @property
    def records(self) -> Iterator[VoiceprintRecord]:
        """The voiceprints, read one by one, each time anew; StoreError where the file is not sound."""
        return _people(self.path)


def write_export(
    path: str | os.PathLike[str],
    records: Iterable[VoiceprintRecord],
    *,
    model_id: str,
    dim: int,
    opt_outs: Mapping[str, datetime] | None = None,
) -> int:
    """Write voiceprints to a file that only its owner can read; one that exists is replaced.

    Parameters
    ----------
    path : str or path
        Ends in ``.json`` or ``.npz``, which is the format.
    records : iterable of VoiceprintRecord
        Taken one by one, never all at once.

    Raises
    ------
    StoreError
        If the name ends otherwise, or the file cannot be written; an older file is then unchanged.

    Examples
    --------
    >>> from voiceprint.store import write_export
    >>> write_export("everybody.npz", verifier.store.export_records(), model_id=model.id, dim=model.dim)
    2
    """
    path = Path(path)
    if path.suffix not in _SUFFIXES:
        raise StoreError(f"the export {path} must end in {' or '.join(_SUFFIXES)}", path=str(path))
    head = {
        "format": _FORMAT,
        "version": _VERSION,
        "model_id": model_id,
        "dim": dim,
        "opt_outs": [{"name": name, "since": since.isoformat()} for name, since in (opt_outs or {}).items()],
    }
    try:
        with whole_file(path, mode=0o600) as file:
            if path.suffix == ".json":
                written = _write_document(file, head, records, _with_embedding)
            else:
                written = _write_archive(file, path.parent, head, records)
        sync_folder(path.parent)
    except OSError as error:
        raise StoreError(f"cannot write the export {path}: {error.strerror}", path=str(path)) from error
    return written


def read_export(path: str | os.PathLike[str]) -> ExportFile:
    """Read what an export file of either format says of itself, whatever its name; `records` has the people.

    The text may be UTF-8, or UTF-16 or UTF-32 with a byte order mark.

    Raises
    ------
    StoreError
        If it cannot be read, is not an export, or of a newer format; the message names the place.

    Examples
    --------
    >>> from voiceprint.store import read_export, write_export
    >>> _ = write_export("everybody.npz", verifier.store.export_records(), model_id=model.id, dim=model.dim)
    >>> [record.name for record in read_export("everybody.npz").records]
    ['ada', 'bert']
    """
    path = Path(path)
    with _opened(path) as (reader, _):
        return _head(path, reader)


def _write_document(
    file: BinaryIO,
    head: Mapping[str, Any],
    records: Iterable[VoiceprintRecord],
    fields_of: Callable[[EnrolledUtterance], dict[str, Any]],
) -> int:
    encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode
    file.write(encode(head)[:-1].encode() + f', "{_PEOPLE}": ['.encode())
    written = 0
    for person in records:
        text = encode(_person_fields(person, fields_of))
        file.write((",\n" if written else "\n").encode() + text.encode())
        written += 1
    file.write(b"\n]}\n")
    return written


def _write_archive(
    file: BinaryIO, folder: Path, head: Mapping[str, Any], records: Iterable[VoiceprintRecord]
) -> int:
    with ArchiveWriter(folder) as archive:

        def fields_of(utterance: EnrolledUtterance) -> dict[str, Any]:
            archive.add(utterance.embedding)
            return _utterance_fields(utterance)

        written = _write_document(archive.document, head, records, fields_of)
        archive.write(file, dim=int(head["dim"]))
        return written


def _person_fields(
    person: VoiceprintRecord, fields_of: Callable[[EnrolledUtterance], dict[str, Any]]
) -> dict[str, Any]:
    return {
        "name": person.name,
        "notes": person.notes,
        "created": person.created.isoformat(),
        "updated": person.updated.isoformat(),
        "consent": None if person.consent is None else _consent_fields(person.consent),
        "expires": None if person.expires is None else person.expires.isoformat(),
        "utterances": [fields_of(utterance) for utterance in person.utterances],
    }


def _consent_fields(consent: Consent) -> dict[str, str]:
    return {"by": consent.by, "purpose": consent.purpose, "given": consent.given.isoformat()}


def _utterance_fields(utterance: EnrolledUtterance) -> dict[str, Any]:
    quality = utterance.quality
    return {
        "clip_sha256": utterance.clip_sha256,
        "source": utterance.source,
        "added": utterance.added.isoformat() if utterance.added else None,
        "seconds": quality.seconds,
        "seconds_of_speech": quality.seconds_of_speech,
        "level_dbfs": quality.level_dbfs,
        "clipped": quality.clipped,
        "snr_db": quality.snr_db,
    } | ({"fingerprint": base64.b64encode(known).decode()} if (known := utterance.fingerprint) else {})


def _with_embedding(utterance: EnrolledUtterance) -> dict[str, Any]:
    # float32 -> float64 -> decimal and back is exact, so nothing is lost in JSON.
    return _utterance_fields(utterance) | {"embedding": utterance.embedding.astype(np.float64).tolist()}


@contextmanager
def _opened(path: Path) -> Iterator[tuple[JsonObject, ArchiveReader | None]]:
    """Open a file's document, and its embeddings where they stand beside it; says what is not sound in it."""
    try:
        file = path.open("rb")
    except OSError as error:
        raise StoreError(f"cannot read the export {path}: {error.strerror}", path=str(path)) from error
    with file:
        try:
            archive = ArchiveReader(file) if file.read(2) == b"PK" else None
            file.seek(0)
            document = file if archive is None else archive.document
            yield JsonObject(open_text(document)), archive
        except StoreError:
            raise
        except (*_UNSOUND, VoiceprintError) as error:
            what = " ".join(_said(error).split())[:500]
            raise StoreError(f"{path} is not a sound export: {what}", path=str(path)) from error


@contextmanager
def _named(place: str) -> Iterator[None]:
    """Say at which place of a file something is not sound."""
    try:
        yield
    except (*_UNSOUND, VoiceprintError) as error:
        raise ValueError(f"{place}: {_said(error)}") from error


def _said(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"{error.args[0]} is missing"
    return str(error) or type(error).__name__


def _head(path: Path, reader: JsonObject) -> ExportFile:
    """Read what stands before the people; all of the file, if something of it stands behind them."""
    fields: dict[str, Any] = {}
    for key in reader.members():
        if key != _PEOPLE:
            fields[key] = reader.value()
            continue
        fields[key] = None
        if all(needed in fields for needed in (*_NEEDED, "opt_outs")):
            break
        for _ in reader.items():
            pass
    if fields.get("format") != _FORMAT:
        raise ValueError(f"its format is not {_FORMAT!r}")
    if fields.get("version") != _VERSION:
        version = repr(fields.get("version"))[:40]
        raise ValueError(f"its version is {version}, this program knows {_VERSION}")
    if _PEOPLE not in fields:
        raise KeyError(_PEOPLE)
    model_id, dim = _text(fields, "model_id"), _field(fields, "dim", int)
    if not 0 < dim <= MOST_DIM:
        raise ValueError(f"dim is {str(dim)[:40]}; it must be from 1 to {MOST_DIM}")
    people = fields.get("opt_outs", [])
    opt_outs = _field({"opt_outs": people}, "opt_outs", list)
    return ExportFile(
        path=path,
        model_id=model_id,
        dim=dim,
        opt_outs={_text(person, "name"): _time(person, "since") for person in opt_outs},
    )


def _people(path: Path) -> Iterator[VoiceprintRecord]:
    with _opened(path) as (reader, archive):
        embeddings = None if archive is None else archive.embeddings()
        for key in reader.members():
            if key == _PEOPLE:
                for number, fields in enumerate(reader.items(), start=1):
                    with _named(f"speaker {number}"):
                        record = _person(fields, embeddings)
                    yield record
            else:
                reader.value()
        if embeddings is not None and next(embeddings, None) is not None:
            raise ValueError("there are more embeddings than utterances")


def _person(fields: Any, embeddings: Iterator[NDArray[np.float32]] | None) -> VoiceprintRecord:
    return VoiceprintRecord(
        name=_text(fields, "name"),
        notes=_text(fields, "notes"),
        created=_time(fields, "created"),
        updated=_time(fields, "updated"),
        utterances=tuple(
            _utterance(utterance, embeddings) for utterance in _field(fields, "utterances", list)
        ),
        consent=_consent(fields.get("consent")),
        expires=None if fields.get("expires") is None else _time(fields, "expires"),
    )


def _consent(fields: Any) -> Consent | None:
    if fields is None:
        return None
    return Consent(by=_text(fields, "by"), purpose=_text(fields, "purpose"), given=_time(fields, "given"))


def _utterance(fields: Any, embeddings: Iterator[NDArray[np.float32]] | None) -> EnrolledUtterance:
    return EnrolledUtterance(
        clip_sha256=_text(fields, "clip_sha256"),
        source=_text(fields, "source"),
        quality=ClipQuality(
            seconds=_number(fields, "seconds"),
            seconds_of_speech=_number(fields, "seconds_of_speech"),
            level_dbfs=_number_or_none(fields, "level_dbfs"),
            clipped=_number(fields, "clipped"),
            snr_db=_number_or_none(fields, "snr_db"),
        ),
        added=None if fields["added"] is None else _time(fields, "added"),
        embedding=_embedding(fields) if embeddings is None else _next_of(embeddings),
        fingerprint=base64.b64decode(_text(fields, "fingerprint"), validate=True)
        if "fingerprint" in fields
        else b"",
    )


def _embedding(fields: dict[str, Any]) -> NDArray[np.float32]:
    values = _field(fields, "embedding", list)
    if not set(map(type, values)) <= {int, float}:
        raise ValueError("an embedding holds something other than numbers")
    numbers = np.array(values, dtype=np.float64)
    # An embedding has length 1; what float32 cannot hold is none.
    if not (np.abs(numbers) <= 2.0).all():
        raise ValueError("an embedding holds a number beyond 2")
    return numbers.astype(np.float32)


def _next_of(embeddings: Iterator[NDArray[np.float32]]) -> NDArray[np.float32]:
    embedding = next(embeddings, None)
    if embedding is None:
        raise ValueError("there are fewer embeddings than utterances")
    return embedding


def _field(fields: Any, key: str, kind: type[Any] | tuple[type[Any], ...]) -> Any:
    if not isinstance(fields, dict):
        raise ValueError(f"an object with {key!r} is a {type(fields).__name__}")
    value = fields[key]
    if not isinstance(value, kind) or isinstance(value, bool):
        wanted = kind.__name__ if isinstance(kind, type) else "number"
        raise ValueError(f"{key} is {repr(value)[:40]}, not of type {wanted}")
    return value


def _text(fields: Any, key: str) -> str:
    text: str = _field(fields, key, str)
    if _NO_TEXT.search(text):
        raise ValueError(f"{key} holds a character that is no text: {text[:40]!r}")
    return text


def _number(fields: Any, key: str) -> float:
    return float(_field(fields, key, (int, float)))


def _number_or_none(fields: Any, key: str) -> float | None:
    return None if fields[key] is None else _number(fields, key)


def _time(fields: Any, key: str) -> datetime:
    time = datetime.fromisoformat(_text(fields, key))
    if time.tzinfo is None:
        raise ValueError(f"{key} is {fields[key]!r}, a time without its zone")
    return time.astimezone(UTC)
