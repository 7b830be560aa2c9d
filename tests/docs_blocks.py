"""The blocks of code on a page, and a reader who follows them in order."""

from __future__ import annotations

import contextlib
import doctest
import io
import os
import re
import signal
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]

RUN = {"bash", "python"}
NEEDS = {
    "Docker": "a container engine, and an image to fetch",
    "a browser": "a person in front of a page",
    "a large corpus": "hours of recorded speech",
    "a microphone": "a person who speaks",
    "a network": "packages, or files of a publisher",
    "a service": "a program of somebody else that runs, as systemd, nginx or Home Assistant",
    "time": "hours of computing",
}
"""Why a block may be left out; the line above it says so to readers: ``*Needs a microphone:*``."""

_FENCE = re.compile(r"^( *)(`{3,})([\w{}-]*)(.*)$")
_NEEDS = re.compile(r"^\*Needs (.+):\*$")
_FILE = re.compile(r"^`(\S+)`:$")
_NUMBER = re.compile(r"[-+]?\d+(?:[.,]\d+)*")
_PATIENCE = 250  # s


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A fenced block.

    Parameters
    ----------
    line : int
        Of the page, where the block's fence is.
    needs : str
        What it needs that a test has not, by the line above; empty for a block that runs.
    file : str
        The file that it is written to, by the line above, such as "`mine.toml`:".
    follows : bool
        Whether nothing but white space is between it and the block before.
    """

    language: str
    code: str
    line: int
    needs: str = ""
    file: str = ""
    follows: bool = False


def blocks_of(page: str) -> list[Block]:
    """Read the fenced blocks of a page."""
    found: list[Block] = []
    lines = enumerate(page.splitlines(), start=1)
    above = ""  # the last line of text; empty right after a block
    for number, line in lines:
        fence = _FENCE.match(line)
        if fence is None:
            above = line.strip() or above
            continue
        indent, ticks, language, _ = fence.groups()
        needs, file = _NEEDS.match(above), _FILE.match(above)
        found.append(
            Block(
                language=language,
                code=textwrap.dedent("\n".join(_until(f"{indent}{ticks}", lines))) + "\n",
                line=number,
                needs=needs[1] if needs else "",
                file=file[1] if file else "",
                follows=bool(found) and not above,
            )
        )
        above = ""
    return found


def _until(fence: str, lines: Iterator[tuple[int, str]]) -> Iterator[str]:
    for _, line in lines:
        if line.rstrip() == fence:
            return
        yield line


def unfenced_code(page: str) -> list[int]:
    """Return the lines where a block begins that is only indented, and would be read and not run."""
    found, fenced, before, text = [], False, "", ""
    for number, line in enumerate(page.splitlines(), start=1):
        if _FENCE.match(line):
            fenced = not fenced
        elif not fenced:
            inside_list = re.match(r"\s*([-*]|\d+\.) ", text)
            if line.startswith("    ") and not before.strip() and not inside_list:
                found.append(number)
            if line.strip() and not line.startswith("  "):
                text = line
        before = line
    return found


class Reader:
    """Follows a page in a folder: runs its blocks, writes its files, and compares what is printed.

    Python blocks share their names, as in one session; each block of bash is a shell of its own.
    """

    def __init__(self, page: Path, folder: Path) -> None:
        self.page = page
        self.folder = folder
        self._names: dict[str, Any] = {"__name__": "__main__"}
        self._printed = ""
        self._shells: list[int] = []

    def follow(self, block: Block) -> None:
        """Do what a block says; AssertionError where it does not work, or prints something else."""
        if block.needs:
            return
        if block.language == "python":
            self._printed = self._run_python(block)
        elif block.language == "bash":
            self._printed = self._run_bash(block)
        elif block.file:
            path = self.folder / block.file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.code, encoding="utf-8")
        elif block.language == "text" and block.follows:
            self._compare(block)

    def leave(self) -> None:
        """End what the shells of the page left running."""
        for shell in self._shells:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(shell, signal.SIGKILL)

    def _run_python(self, block: Block) -> str:
        # Empty lines above, so that an error names the line of the page.
        code = compile("\n" * block.line + block.code, str(self.page), "exec")
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            exec(code, self._names)
        return printed.getvalue()

    def _run_bash(self, block: Block) -> str:
        # Into a file and not a pipe, which a program in the background would keep open.
        with tempfile.TemporaryFile("w+", encoding="utf-8") as printed:
            shell = subprocess.Popen(
                ["bash", "-euo", "pipefail", "-c", block.code],
                cwd=self.folder,
                env=reader_environment(self.folder),
                stdin=subprocess.DEVNULL,
                stdout=printed,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            self._shells.append(shell.pid)
            code = shell.wait(_PATIENCE)
            printed.seek(0)
            text = printed.read()
        assert code == 0, f"{self.page}:{block.line}: ended with {code}\n{block.code}\n{text}"
        return text

    def _compare(self, block: Block) -> None:
        wanted, printed = _NUMBER.sub("0", block.code), _NUMBER.sub("0", self._printed)
        flags = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
        same = doctest.OutputChecker().check_output(wanted, printed, flags)
        assert same, f"{self.page}:{block.line}: says\n{block.code}\nbut this is printed\n{self._printed}"


def reader_environment(folder: Path) -> dict[str, str]:
    """Return the environment of somebody who has installed voiceprint, and has a home of their own."""
    home = folder / ".home"
    home.mkdir(exist_ok=True)
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("VOICEPRINT_", "XDG_"))}
    return {
        **kept,
        "HOME": str(home),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "COLUMNS": "100",
    }
