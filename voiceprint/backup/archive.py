"""The file of a backup: a zip of files, and a manifest with the hash of each.

The zip ends with a comment that is its seal: the SHA-256, in 64 hexadecimal digits, of the whole file with
zeros in the seal's place. A reader of zips passes over bytes that no part's hash covers; the seal covers all.
"""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from voiceprint.errors import StoreError
from voiceprint.files.whole import sync_folder, whole_file
from voiceprint.store.files import make_private_folder

_MANIFEST = "manifest.json"
_FORMAT = 1
_CHUNK = 1 << 20
_LONGEST_MANIFEST = 1 << 20
_UNSEALED = b"0" * 64

_DAMAGE = (ValueError, KeyError, TypeError, EOFError, NotImplementedError, RuntimeError, zlib.error)


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a backup says of itself.

    Attributes
    ----------
    facts : mapping
        When it was made, by which version, and how much it holds.
    files : mapping from str to (int, str)
        Bytes and SHA-256 of each file, by its name below the folder.
    """

    facts: Mapping[str, Any]
    files: Mapping[str, tuple[int, str]]


def write_archive(path: Path, folder: Path, names: list[str], *, facts: Mapping[str, Any]) -> Manifest:
    """Write files of a folder into one private file (0600), which is there whole or not at all.

    Parameters
    ----------
    names : list of str
        The files, below the folder.

    Raises
    ------
    StoreError
        If it cannot be written.
    """
    try:
        with whole_file(path, mode=0o600) as file:
            manifest = _write(file, folder, names, facts)
        sync_folder(path.parent)
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error.strerror or error}", path=str(path)) from error
    return manifest


class _Hashed:
    """A file that is written from begin to end, and hashed on the way."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self.digest = file, hashlib.sha256()

    def write(self, data: bytes) -> int:
        self.digest.update(data)
        return self._file.write(data)

    def flush(self) -> None:
        self._file.flush()


def _write(file: BinaryIO, folder: Path, names: list[str], facts: Mapping[str, Any]) -> Manifest:
    hashed, files = _Hashed(file), {}
    with zipfile.ZipFile(cast("BinaryIO", hashed), "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.comment = _UNSEALED
        for name in names:
            digest, size = hashlib.sha256(), 0
            with (folder / name).open("rb") as source, archive.open(name, "w", force_zip64=True) as member:
                while chunk := source.read(_CHUNK):
                    digest.update(chunk)
                    size += len(chunk)
                    member.write(chunk)
            files[name] = (size, digest.hexdigest())
        document = {"format": _FORMAT, "facts": dict(facts), "files": files}
        archive.writestr(_MANIFEST, json.dumps(document, indent=2))
    file.seek(-len(_UNSEALED), os.SEEK_END)
    file.write(hashed.digest.hexdigest().encode())
    return Manifest(facts=facts, files=files)


def read_archive(path: Path, folder: Path, *, allowed: frozenset[str]) -> Manifest:
    """Unpack a backup into a private folder, and check the hash of each file.

    Parameters
    ----------
    allowed : frozenset of str
        The files that a backup may hold.

    Raises
    ------
    StoreError
        If it cannot be read, or is not as it was written.
    """
    with _explained(path), path.open("rb") as file, zipfile.ZipFile(file) as archive:
        _check_seal(file, path.stat().st_size - len(_UNSEALED))
        manifest = _read_manifest(path, archive, allowed)
        for name, (size, digest) in manifest.files.items():
            target = folder / name
            make_private_folder(target.parent)
            with archive.open(name) as member, whole_file(target, mode=0o600) as unpacked:
                if _unpack(member, unpacked, size) != digest:
                    raise ValueError(f"the hash of {name} is another")
    return manifest


def _check_seal(file: BinaryIO, sealed: int) -> None:
    """Refuse a file that is another than was written; `sealed` bytes stand before the seal."""
    digest = hashlib.sha256()
    file.seek(0)
    while sealed > 0 and (chunk := file.read(min(_CHUNK, sealed))):
        digest.update(chunk)
        sealed -= len(chunk)
    digest.update(_UNSEALED)
    if digest.hexdigest().encode() != file.read():
        raise ValueError("its seal is not that of what it holds")


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreError(f"cannot read {path}: {error.strerror or error}", path=str(path)) from error
    except zipfile.BadZipFile as error:
        raise _damaged(path, str(error)) from error
    except _DAMAGE as error:
        raise _damaged(path, str(error)) from error


def _damaged(path: Path, what: str) -> StoreError:
    return StoreError(
        f"{path} is no sound backup ({what}), and nothing was restored",
        advice="take another one",
        path=str(path),
    )


def _read_manifest(path: Path, archive: zipfile.ZipFile, allowed: frozenset[str]) -> Manifest:
    if archive.getinfo(_MANIFEST).file_size > _LONGEST_MANIFEST:
        raise ValueError("its manifest is too long")
    document = json.loads(archive.read(_MANIFEST))
    if document["format"] != _FORMAT:
        raise StoreError(
            f"{path} has format {document['format']}; this voiceprint reads format {_FORMAT}",
            advice="upgrade voiceprint",
            path=str(path),
        )
    files = {str(name): (int(size), str(digest)) for name, (size, digest) in document["files"].items()}
    if not files.keys() <= allowed or sorted(archive.namelist()) != sorted([*files, _MANIFEST]):
        raise ValueError("it holds other files than a backup does")
    return Manifest(facts=document["facts"], files=files)


def _unpack(member: Any, target: BinaryIO, size: int) -> str:
    """Copy as many bytes as were noted, and no more: a small file could unpack to one that fills the disk."""
    digest, read = hashlib.sha256(), 0
    while chunk := member.read(_CHUNK):
        read += len(chunk)
        if read > size:
            raise ValueError("a file in it is longer than was noted")
        digest.update(chunk)
        target.write(chunk)
    if read < size:
        raise ValueError("a file in it ends too early")
    return digest.hexdigest()
