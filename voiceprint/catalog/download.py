"""A file behind an address: fetched over proxies, resumed where it was cut, checked, whole or not at all."""

from __future__ import annotations

import http.client
import re
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from voiceprint.errors import DownloadError
from voiceprint.files.checksum import sha256_of
from voiceprint.files.whole import claim_file, is_still_at

__all__ = ["Progress", "check_file", "download"]

Progress = Callable[[int, int], None]
"""Takes how many bytes are here, and how many there will be."""

_CHUNK = 1 << 18
_TIMEOUT = 60.0  # seconds without a byte


def download(
    address: str,
    folder: Path,
    *,
    sha256: str,
    size: int,
    progress: Progress = lambda done, total: None,
) -> Path:
    """Fetch a file, with the proxies that ``HTTPS_PROXY``, ``HTTP_PROXY`` and ``NO_PROXY`` name.

    What was fetched before the connection was cut, or the process was killed, is kept and gone on from. A cut
    connection is opened again, for as long as each one brings something. Two processes that fetch the same
    file do not disturb each other: the second one fetches all of it for itself.

    Parameters
    ----------
    address : str
        ``https://...``, or ``http://...``: what is checked is the content.
    folder : Path
        Where it is kept until it is whole, and then; made where it is missing.
    sha256 : str
        Of the whole file.
    size : int
        Of the whole file, in bytes. More than that is not read.
    progress : callable

    Returns
    -------
    Path
        The file, in ``folder``.

    Raises
    ------
    DownloadError
        It cannot be fetched or kept, or is not the file that is wanted.
    """
    place = folder / f"{sha256[:16]}-{re.sub('[^A-Za-z0-9._-]', '_', address.rpartition('/')[2])[-80:]}"
    if place.exists() and sha256_of(place) == sha256:
        return place
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _part_of(place) as part:
            _fetch(address, part, sha256=sha256, size=size, progress=progress)
            Path(part.name).replace(place)
    except OSError as error:
        raise DownloadError(
            f"{address}: cannot be kept in {folder} ({error.strerror or error}), where it needs "
            f"{size / 1e6:.0f} MB; what was fetched is gone on from next time",
            address=address,
        ) from error
    return place


@contextmanager
def _part_of(place: Path) -> Iterator[IO[bytes]]:
    """The part of a file that is here, open at its end; a new one where another process is writing it."""
    path = place.with_name(place.name + ".part")
    with path.open("ab+") as file:
        mine = claim_file(file) and is_still_at(path, file)
        if mine:
            yield file
    if not mine:  # another process is at it, or has just been
        with _private(place) as file:
            yield file


@contextmanager
def _private(place: Path) -> Iterator[IO[bytes]]:
    import secrets  # noqa: PLC0415  rarely needed

    path = place.with_name(f"{place.name}.{secrets.token_hex(4)}.part")
    try:
        with path.open("xb+") as file:
            yield file
    finally:
        path.unlink(missing_ok=True)


def _fetch(address: str, part: IO[bytes], *, sha256: str, size: int, progress: Progress) -> None:
    """Complete a part, and check the whole; what turns out to be another file is thrown away."""
    resumed = part.seek(0, 2) > 0
    while (before := part.seek(0, 2)) < size:
        progress(before, size)
        problem = _append(address, part, size=size, progress=progress)
        if part.tell() <= before:
            raise DownloadError(f"{address}: {problem}", advice=_ADVICE, address=address)
    part.flush()
    found = sha256_of(part.name)
    if found == sha256:
        return
    part.truncate(0)
    if resumed:  # the part was of another file
        _fetch(address, part, sha256=sha256, size=size, progress=progress)
        return
    raise DownloadError(
        f"{address}: is not the file of the catalog: its sha256 is {found[:12]}..., not {sha256[:12]}...",
        advice="nothing of it was kept",
        address=address,
    )


_ADVICE = (
    "what was fetched is gone on from next time; set HTTPS_PROXY for a proxy, or fetch the file elsewhere "
    "and give it"
)


def _append(address: str, part: IO[bytes], *, size: int, progress: Progress) -> str:
    """Append what a connection brings, up to the whole size; return what ended it before that."""
    done = part.seek(0, 2)
    if not address.startswith(("https://", "http://")):
        return "is no address of the web; it begins with https://"
    request = urllib.request.Request(address, headers={"User-Agent": "voiceprint"})
    if done:
        request.add_header("Range", f"bytes={done}-")
    try:  # an opener of its own: the shared one keeps the proxies that it first met
        response = urllib.request.build_opener().open(request, timeout=_TIMEOUT)
    except urllib.error.HTTPError as error:
        error.close()
        return f"the server answers {error.code} {error.reason}"
    except (urllib.error.URLError, OSError, http.client.HTTPException) as error:
        return f"cannot be reached ({_reason(error)})"
    with response:
        if done and response.status != 206:  # the server gives all of it, from the beginning
            part.truncate(0)
            done = part.seek(0)
        while done < size:
            try:
                chunk = response.read(min(_CHUNK, size - done))
            except (OSError, http.client.HTTPException) as error:
                return f"the connection was cut ({_reason(error)})"
            if not chunk:
                return f"the connection ended after {done} of {size} bytes"
            done += part.write(chunk)
            progress(done, size)
    return ""


def _reason(error: Any) -> str:
    return str(getattr(error, "reason", "") or error or type(error).__name__)


def check_file(path: Path, *, sha256: str) -> None:
    """Check that a file which a user gives is the one of the catalog.

    Raises
    ------
    DownloadError
        It is missing or another one.
    """
    try:
        found = sha256_of(path)
    except OSError as error:
        raise DownloadError(f"{path}: cannot be read: {error.strerror}", address=str(path)) from error
    if found != sha256:
        raise DownloadError(
            f"{path}: is not the file of the catalog: its sha256 is {found[:12]}..., not {sha256[:12]}...",
            address=str(path),
        )
