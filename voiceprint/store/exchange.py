"""Export files: voiceprints without audio, as JSON for other programs or as npz, a tenth of the size.

Both hold one document; in npz the embeddings stand beside it, in the array ``embeddings`` (n, dim) float32,
in the order of the document's utterances. See docs/store-format.md.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voiceprint.errors import StoreError
from voiceprint.quality import ClipQuality
from voiceprint.store.files import write_private
from voiceprint.store.records import Consent, EnrolledUtterance, VoiceprintRecord

__all__ = ["ExportFile", "read_export", "write_export"]

_FORMAT = "voiceprint-export"
_VERSION = 1
_SUFFIXES = (".json", ".npz")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportFile:
    """What an export file holds.

    Parameters
    ----------
    model_id : str
        The model that made the embeddings.
    dim : int
        Their dimensions.
    records : tuple of VoiceprintRecord
    """

    model_id: str
    dim: int
    records: tuple[VoiceprintRecord, ...]


def write_export(path: Path, records: Iterable[VoiceprintRecord], *, model_id: str, dim: int) -> int:
    """Write voiceprints to a file that only its owner can read; one that exists is replaced.

    Parameters
    ----------
    path : Path
        Ends in ``.json`` or ``.npz``, which is the format.
    records : iterable of VoiceprintRecord
    model_id : str
    dim : int

    Returns
    -------
    int
        How many people were written.

    Raises
    ------
    StoreError
        If the name ends otherwise, or the file cannot be written; an older file is then unchanged.
    """
    if path.suffix not in _SUFFIXES:
        raise StoreError(f"the export {path} must end in {' or '.join(_SUFFIXES)}", path=str(path))
    people = list(records)
    try:
        content = (_as_npz if path.suffix == ".npz" else _as_json)(people, model_id, dim)
        write_private(path, content)
    except OSError as error:
        raise StoreError(f"cannot write the export {path}: {error.strerror}", path=str(path)) from error
    return len(people)


def read_export(path: Path) -> ExportFile:
    """Read an export file of either format, whatever its name.

    Raises
    ------
    StoreError
        If it cannot be read, is not an export, or of a newer format; the message names the place.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise StoreError(f"cannot read the export {path}: {error.strerror}", path=str(path)) from error
    try:
        document, embeddings = _from_npz(raw) if raw[:2] == b"PK" else (json.loads(raw), None)
        return _parse(document, embeddings)
    except KeyError as error:
        raise StoreError(
            f"{path} is not a sound export: {error.args[0]} is missing", path=str(path)
        ) from error
    except (ValueError, TypeError, EOFError, zipfile.BadZipFile, RecursionError) as error:
        raise StoreError(f"{path} is not a sound export: {error}", path=str(path)) from error


def _document(people: Sequence[VoiceprintRecord], model_id: str, dim: int) -> dict[str, Any]:
    return {
        "format": _FORMAT,
        "version": _VERSION,
        "model_id": model_id,
        "dim": dim,
        "speakers": [
            {
                "name": person.name,
                "notes": person.notes,
                "created": person.created.isoformat(),
                "updated": person.updated.isoformat(),
                "consent": None if person.consent is None else _consent_fields(person.consent),
                "expires": None if person.expires is None else person.expires.isoformat(),
                "utterances": [_utterance_fields(utterance) for utterance in person.utterances],
            }
            for person in people
        ],
    }


def _consent_fields(consent: Consent) -> dict[str, str]:
    return {"by": consent.by, "purpose": consent.purpose, "given": consent.given.isoformat()}


def _utterance_fields(utterance: EnrolledUtterance) -> dict[str, Any]:
    return {
        "clip_sha256": utterance.clip_sha256,
        "source": utterance.source,
        "added": utterance.added.isoformat() if utterance.added else None,
        **asdict(utterance.quality),
    }


def _embeddings(people: Sequence[VoiceprintRecord], dim: int) -> NDArray[np.float32]:
    vectors = [utterance.embedding for person in people for utterance in person.utterances]
    return np.asarray(vectors, dtype=np.float32).reshape(len(vectors), dim)


def _as_json(people: Sequence[VoiceprintRecord], model_id: str, dim: int) -> bytes:
    document = _document(people, model_id, dim)
    for person, record in zip(document["speakers"], people, strict=True):
        for fields, utterance in zip(person["utterances"], record.utterances, strict=True):
            # float32 -> float64 -> decimal and back is exact, so nothing is lost in JSON.
            fields["embedding"] = utterance.embedding.astype(np.float64).tolist()
    return json.dumps(document, ensure_ascii=False, allow_nan=False, indent=1).encode()


def _as_npz(people: Sequence[VoiceprintRecord], model_id: str, dim: int) -> bytes:
    text = json.dumps(_document(people, model_id, dim), ensure_ascii=False, allow_nan=False).encode()
    buffer = io.BytesIO()
    np.savez(buffer, embeddings=_embeddings(people, dim), document=np.frombuffer(text, dtype=np.uint8))
    return buffer.getvalue()


def _from_npz(raw: bytes) -> tuple[Any, NDArray[np.float32]]:
    with np.load(io.BytesIO(raw), allow_pickle=False) as arrays:
        document, embeddings = arrays["document"], arrays["embeddings"]
    if embeddings.dtype != np.float32 or embeddings.ndim != 2:
        raise ValueError(f"embeddings are {embeddings.dtype} of shape {embeddings.shape}")
    return json.loads(document.tobytes()), embeddings


def _parse(document: Any, embeddings: NDArray[np.float32] | None) -> ExportFile:
    if not isinstance(document, dict) or document.get("format") != _FORMAT:
        raise ValueError(f"its format is not {_FORMAT!r}")
    if document.get("version") != _VERSION:
        raise ValueError(f"its version is {document.get('version')!r}, this program knows {_VERSION}")
    people = _field(document, "speakers", list)
    if embeddings is not None:
        _attach(people, embeddings)
    return ExportFile(
        model_id=_field(document, "model_id", str),
        dim=_field(document, "dim", int),
        records=tuple(_person(person) for person in people),
    )


def _attach(people: list[dict[str, Any]], embeddings: NDArray[np.float32]) -> None:
    """Give the document's utterances their rows of the array."""
    utterances = [fields for person in people for fields in _field(person, "utterances", list)]
    for fields, embedding in zip(utterances, embeddings, strict=True):
        fields["embedding"] = embedding


def _person(fields: dict[str, Any]) -> VoiceprintRecord:
    return VoiceprintRecord(
        name=_field(fields, "name", str),
        notes=_field(fields, "notes", str),
        created=_time(fields, "created"),
        updated=_time(fields, "updated"),
        utterances=tuple(_utterance(utterance) for utterance in _field(fields, "utterances", list)),
        consent=_consent(fields.get("consent")),
        expires=None if fields.get("expires") is None else _time(fields, "expires"),
    )


def _consent(fields: Any) -> Consent | None:
    if fields is None:
        return None
    by, purpose = _field(fields, "by", str), _field(fields, "purpose", str)
    return Consent(by=by, purpose=purpose, given=_time(fields, "given"))


def _utterance(fields: dict[str, Any]) -> EnrolledUtterance:
    return EnrolledUtterance(
        embedding=np.asarray(fields["embedding"], dtype=np.float32),
        clip_sha256=_field(fields, "clip_sha256", str),
        source=_field(fields, "source", str),
        quality=ClipQuality(
            seconds=_number(fields, "seconds"),
            seconds_of_speech=_number(fields, "seconds_of_speech"),
            level_dbfs=_number_or_none(fields, "level_dbfs"),
            clipped=_number(fields, "clipped"),
            snr_db=_number_or_none(fields, "snr_db"),
        ),
        added=None if fields["added"] is None else _time(fields, "added"),
    )


def _field(fields: dict[str, Any], key: str, kind: type[Any]) -> Any:
    if not isinstance(fields, dict):
        raise ValueError(f"an object with {key!r} is a {type(fields).__name__}")
    value = fields[key]
    if not isinstance(value, kind) or isinstance(value, bool):
        raise ValueError(f"{key} is {str(value)[:40]!r}, not of type {kind.__name__}")
    return value


def _number(fields: dict[str, Any], key: str) -> float:
    return float(_field(fields, key, (int, float)))  # type: ignore[arg-type]


def _number_or_none(fields: dict[str, Any], key: str) -> float | None:
    return None if fields[key] is None else _number(fields, key)


def _time(fields: dict[str, Any], key: str) -> datetime:
    time = datetime.fromisoformat(_field(fields, key, str))
    if time.tzinfo is None:
        raise ValueError(f"{key} is {fields[key]!r}, a time without its zone")
    return time.astimezone(UTC)
