"""Clips and fields out of request bodies, in bounded memory and time; nothing of them ever meets the disk."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect

from voiceprint.server.engine import Engine, EngineDependency
from voiceprint.server.openapi import clip_body, describing, json_body
from voiceprint.server.problems import Problem
from voiceprint.server.settings import ServerSettings
from voiceprint.server.weighing import seconds_of_audio
from voiceprint.store.records import file_name

Fields = TypeVar("Fields", bound=BaseModel)
Received = TypeVar("Received")
Counted = Callable[[int], None]

_MAX_FIELD = 16 << 10  # bytes of one text field
_MAX_FIELDS = 1100  # a watch list has one for each name
_MAX_JSON = 64 << 10
CLOSE = {"Connection": "close"}
"""The header of an answer to a body that comes too slowly to wait for its end."""


class NamedClip(io.BytesIO):
    """The bytes of an audio file, with the name that the client gave it, for messages.

    Parameters
    ----------
    name : str
        Reduced to the file's own name; no path is ever made of it.
    audio : float
        Seconds of audio that it claims to hold.
    """

    def __init__(self, data: bytes, name: str, *, audio: float) -> None:
        super().__init__(data)
        self.name = file_name(name) or "clip"
        self.audio = audio


@dataclass(frozen=True, slots=True, kw_only=True)
class Body(Generic[Fields]):
    """What a body held.

    Attributes
    ----------
    clips : tuple of NamedClip
        In the order of the fields asked for.
    digest : bytes
        SHA-256 over all of it.
    """

    clips: tuple[NamedClip, ...]
    fields: Fields
    digest: bytes

    @property
    def audio(self) -> float:
        """Seconds of audio in all clips."""
        return sum(clip.audio for clip in self.clips)


class _InMemoryParser(MultiPartParser):
    """Starlette's parser without its temporary files: they would be recordings left on a disk."""

    spool_max_size = sys.maxsize


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parts:
    """A body before it is held against what is asked for: names with clips, names with texts."""

    clips: list[tuple[str, NamedClip]]
    texts: list[tuple[str, str]]


def clips_named(
    *names: str, several: bool = False, fields: type[Fields]
) -> Callable[..., AsyncIterator[Body[Fields]]]:
    """Make the dependency that reads clips from the named file fields of a form, or one from a bare body.

    The document of the API describes the body of a route that has it; of `json_of`, too.

    Parameters
    ----------
    *names : str
        Each must come once.
    several : bool
        The one file field may come several times.
    fields : pydantic model
        The text fields that the form may have; a bare body has none.
    """

    async def read(request: Request, engine: EngineDependency) -> AsyncIterator[Body[Fields]]:
        async def parts(counted: Counted) -> _Parts:
            return await _parts(request, engine.settings, len(names), counted)

        async with _received(request, engine, parts) as found:
            yield _chosen(found, names, fields, several=several, most=engine.settings.max_audio)

    return describing(read, clip_body(*names, several=several, fields=fields))


def json_of(fields: type[Fields]) -> Callable[..., AsyncIterator[Body[Fields]]]:
    """Make the dependency that reads fields from a JSON body; an empty one has none."""

    async def read(request: Request, engine: EngineDependency) -> AsyncIterator[Body[Fields]]:
        async def whole(counted: Counted) -> bytes:
            return await _whole(request, _MAX_JSON, counted)

        async with _received(request, engine, whole) as data:
            digest = hashlib.sha256(data).digest()
            yield Body(clips=(), fields=to_fields(data, fields), digest=digest)

    return describing(read, json_body(fields))


@asynccontextmanager
async def _received(
    request: Request, engine: Engine, read: Callable[[Counted], Awaitable[Received]]
) -> AsyncIterator[Received]:
    """Read a body in its time, counted among those that are held until their requests are answered."""
    seconds, caller = engine.settings.body_seconds, request.state.caller
    owner = caller.id, caller.address
    with engine.bodies.holding(*owner) as arriving, engine.held.holding(*owner, 0) as held:
        try:
            async with asyncio.timeout(seconds):
                found = await read(held.add)
        except TimeoutError:
            detail = f"the body did not arrive within {seconds:g} s"
            raise Problem(408, "body-slow", detail, headers=CLOSE) from None
        except ClientDisconnect:
            raise Problem(400, "body-incomplete", "the connection ended before the body did") from None
        arriving.release()
        yield found


async def _parts(request: Request, settings: ServerSettings, names: int, counted: Counted) -> _Parts:
    if content_type(request) == "multipart/form-data":
        return await _form(request, settings, counted)
    if names > 1:
        raise Problem(
            415, "form-needed", "several clips are needed; send them as files of multipart/form-data"
        )
    data = await _whole(request, settings.max_body, counted)
    return _Parts(clips=[("", await _clip(data, "clip", settings))], texts=[])


def content_type(request: Request) -> str:
    """Return what a body is said to be; Problem 415 for the default of curl and browsers."""
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind == "application/x-www-form-urlencoded":
        raise Problem(
            415,
            "form-needed",
            f"a body of Content-Type {kind} is no clip; send a clip with Content-Type: audio/wav, or as a "
            "file of multipart/form-data",
        )
    return kind


async def _form(request: Request, settings: ServerSettings, counted: Counted) -> _Parts:
    chunks = bounded(request, settings.max_body, counted)
    form = await parsed_form(request, chunks, parser=_InMemoryParser, most=settings.max_clips)
    parts = _Parts(clips=[], texts=[])
    for field, value in form.multi_items():
        if isinstance(value, UploadFile):
            clip = await _clip(value.file.read(), value.filename or "clip", settings)
            parts.clips.append((field, clip))
        else:
            parts.texts.append((field, value))
    await form.close()
    return parts


async def parsed_form(
    request: Request, chunks: AsyncGenerator[bytes], *, parser: type[MultiPartParser], most: int
) -> FormData:
    """Read a form with at most so many files; Problem 422 where it is none."""
    reading = parser(
        request.headers, chunks, max_files=most, max_fields=_MAX_FIELDS, max_part_size=_MAX_FIELD
    )
    try:
        return await reading.parse()
    except MultiPartException as error:
        raise Problem(422, "form-invalid", f"{error.message} Clips come as files of a form.") from None


async def _clip(data: bytes, name: str, settings: ServerSettings) -> NamedClip:
    # In a thread: a file of a thousand recordings takes as many looks.
    audio = await asyncio.to_thread(seconds_of_audio, data, most=settings.max_seconds)
    return NamedClip(data, name, audio=audio)


async def _whole(request: Request, limit: int, counted: Counted) -> bytes:
    return b"".join([chunk async for chunk in bounded(request, limit, counted)])


async def bounded(request: Request, limit: int, counted: Counted) -> AsyncGenerator[bytes]:
    """Pass the body on while it is within the limit, whatever its header promised."""
    declared = request.headers.get("content-length", "0")
    if declared.isascii() and declared.isdigit() and int(declared[:20]) > limit:
        raise _too_large(limit)
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise _too_large(limit)
        counted(len(chunk))
        yield chunk


def _too_large(limit: int) -> Problem:
    detail = f"the body is larger than {limit} bytes; send shorter clips, or FLAC or Opus"
    # No "Connection: close": what still comes is read and thrown away, for as long as a head may take. To
    # close on it would reset the connection, and the client, or a proxy before it, would lose this answer.
    return Problem(413, "body-too-large", detail)


def _chosen(
    parts: _Parts, names: tuple[str, ...], fields: type[Fields], *, several: bool, most: float
) -> Body[Fields]:
    """Hold a body against what is asked for."""
    bare = len(parts.clips) == 1 and parts.clips[0][0] == ""
    by_name = {name: [clip for given, clip in parts.clips if bare or given == name] for name in names}
    may_have = _listed([*names, *fields.model_fields])
    unknown = sorted({name for name, _ in parts.clips} - {"", *names})
    if unknown:
        raise Problem(422, "form-invalid", f"the form has the file {unknown[0]!r}; it may have {may_have}")
    for name, clips in by_name.items():
        if not clips or (len(clips) > 1 and not several):
            count = "is missing" if not clips else f"comes {len(clips)} times"
            raise Problem(422, "form-invalid", f"{name!r} {count}; the form needs {_listed(names)}")
    ordered = tuple(clip for clips in by_name.values() for clip in clips)
    audio = sum(clip.audio for clip in ordered)
    refuse_too_much(audio, most)
    digest = hashlib.sha256(b"".join(hashlib.sha256(clip.getbuffer()).digest() for clip in ordered))
    digest.update(json.dumps(parts.texts).encode())
    return Body(clips=ordered, fields=form_fields(parts.texts, fields), digest=digest.digest())


def refuse_too_much(audio: float, most: float) -> None:
    """Raise Problem 413 where a request holds too many seconds of audio."""
    if audio > most:
        detail = (
            f"the request holds {audio:.0f} s of audio; it may hold {most:g}: send fewer or shorter clips"
        )
        raise Problem(413, "too-much-audio", detail)


def form_fields(texts: list[tuple[str, str]], fields: type[Fields]) -> Fields:
    """Make fields of a form's texts; only a list may come several times."""
    values: dict[str, Any] = {}
    for name, text in texts:
        field = fields.model_fields.get(name)
        if field is not None and "list[" in str(field.annotation):
            values.setdefault(name, []).append(text)
        elif name in values:
            raise Problem(422, "form-invalid", f"{name!r} comes several times; give it once")
        else:
            values[name] = text
    try:
        return fields.model_validate(values)
    except ValidationError as error:
        raise _invalid(error) from None


def to_fields(data: bytes, fields: type[Fields]) -> Fields:
    """Read fields from JSON; RequestValidationError where they are not what they should be."""
    try:
        return fields.model_validate_json(data or b"{}")
    except ValidationError as error:
        raise _invalid(error) from None


def _invalid(error: ValidationError) -> RequestValidationError:
    faults = error.errors(include_url=False, include_context=False, include_input=False)
    return RequestValidationError([{**fault, "loc": ("body", *fault["loc"])} for fault in faults])


def _listed(names: Sequence[str]) -> str:
    return " and ".join(repr(name) for name in names)
