"""Clips out of request bodies, in bounded memory and time; nothing of them ever meets the disk."""

from __future__ import annotations

import asyncio
import hashlib
import io
import sys
from collections.abc import AsyncGenerator, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from fastapi import Request
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect

from voiceprint.server.engine import EngineDependency
from voiceprint.server.problems import Problem
from voiceprint.server.settings import ServerSettings
from voiceprint.store.records import file_name

__all__ = ["Clips", "NamedClip", "clips_named"]


class NamedClip(io.BytesIO):
    """The bytes of an audio file, with the name that the client gave it, for messages.

    Parameters
    ----------
    data : bytes
    name : str
        Reduced to the file's own name; no path is ever made of it.
    """

    def __init__(self, data: bytes, name: str) -> None:
        super().__init__(data)
        self.name = file_name(name) or "clip"


@dataclass(frozen=True, slots=True, kw_only=True)
class Clips:
    """What a body held.

    Attributes
    ----------
    clips : tuple of NamedClip
        In the order of the fields asked for.
    digest : bytes
        SHA-256 over all of them.
    """

    clips: tuple[NamedClip, ...]
    digest: bytes


class _InMemoryParser(MultiPartParser):
    """Starlette's parser without its temporary files: they would be recordings left on a disk."""

    spool_max_size = sys.maxsize


def clips_named(*fields: str, several: bool = False) -> Callable[..., Coroutine[Any, Any, Clips]]:
    """Make the dependency that reads clips from the named file fields of a form, or one from a bare body.

    Parameters
    ----------
    *fields : str
        Each must come once.
    several : bool
        The one field may come several times.
    """

    async def read(request: Request, engine: EngineDependency) -> Clips:
        settings = engine.settings
        try:
            async with asyncio.timeout(settings.body_seconds):
                found = await _read(request, settings, len(fields))
        except TimeoutError:
            detail = f"the body did not arrive within {settings.body_seconds:g} s"
            raise Problem(408, "body-slow", detail, headers={"Connection": "close"}) from None
        except ClientDisconnect:
            raise Problem(400, "body-incomplete", "the connection ended before the body did") from None
        return _chosen(found, fields, several=several)

    return read


async def _read(request: Request, settings: ServerSettings, fields: int) -> list[tuple[str, NamedClip]]:
    _refuse_declared(request, settings.max_body)
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind == "multipart/form-data":
        return await _form(request, settings)
    if fields > 1:
        raise Problem(
            415, "form-needed", "several clips are needed; send them as files of multipart/form-data"
        )
    if kind == "application/x-www-form-urlencoded":  # what curl and browsers say unless told otherwise
        raise Problem(
            415,
            "form-needed",
            f"a body of Content-Type {kind} is no clip; send a clip with Content-Type: audio/wav, or as a "
            "file of multipart/form-data",
        )
    data = b"".join([chunk async for chunk in _bounded(request, settings.max_body)])
    return [("", NamedClip(data, "clip"))]


async def _form(request: Request, settings: ServerSettings) -> list[tuple[str, NamedClip]]:
    parser = _InMemoryParser(
        request.headers,
        _bounded(request, settings.max_body),
        max_files=settings.max_clips,
        max_fields=0,
    )
    try:
        form = await parser.parse()
    except MultiPartException as error:
        raise Problem(422, "form-invalid", f"{error.message} Clips come as files of a form.") from None
    found = []
    for field, value in form.multi_items():
        if isinstance(value, UploadFile):
            found.append((field, NamedClip(value.file.read(), value.filename or "clip")))
    await form.close()
    return found


async def _bounded(request: Request, limit: int) -> AsyncGenerator[bytes]:
    """Pass the body on while it is within the limit, whatever its header promised."""
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise _too_large(limit)
        yield chunk


def _refuse_declared(request: Request, limit: int) -> None:
    """Refuse a body by what its header promises, before any of it is read."""
    declared = request.headers.get("content-length", "0")
    if declared.isascii() and declared.isdigit() and int(declared[:20]) > limit:
        raise _too_large(limit)


def _too_large(limit: int) -> Problem:
    detail = f"the body is larger than {limit} bytes; send shorter clips, or FLAC or Opus"
    return Problem(413, "body-too-large", detail, headers={"Connection": "close"})


def _chosen(found: list[tuple[str, NamedClip]], fields: tuple[str, ...], *, several: bool) -> Clips:
    bare = len(found) == 1 and found[0][0] == ""
    by_field = {field: [clip for name, clip in found if bare or name == field] for field in fields}
    unknown = sorted({name for name, _ in found} - {"", *fields})
    if unknown:
        raise Problem(422, "form-invalid", f"the form has {unknown[0]!r}; it may have {_listed(fields)}")
    for field, clips in by_field.items():
        if not clips or (len(clips) > 1 and not several):
            count = "is missing" if not clips else f"comes {len(clips)} times"
            raise Problem(422, "form-invalid", f"{field!r} {count}; the form needs {_listed(fields)}")
    ordered = tuple(clip for clips in by_field.values() for clip in clips)
    digest = hashlib.sha256(b"".join(hashlib.sha256(clip.getbuffer()).digest() for clip in ordered))
    return Clips(clips=ordered, digest=digest.digest())


def _listed(fields: tuple[str, ...]) -> str:
    return " and ".join(repr(field) for field in fields)
