"""The command line: parse, call one library function, print.

Commands are loaded when they are called, so that ``voiceprint verify`` does not wait for what only
``voiceprint embed`` needs. The command line itself is loaded within `main`, where Ctrl-C has its answer.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from voiceprint.front import front_page

if TYPE_CHECKING:
    from voiceprint.cli.commands import app
    from voiceprint.store.journal import Event

__all__ = ["app", "main"]

__getattr__ = front_page(__name__, {"commands": ("app",)})


def main() -> None:
    """Run the command line and exit."""
    from voiceprint.cli.process import run_process

    # Else numpy's threads spin before they sleep, which takes 40 ms of the processor at its import.
    os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "4")
    run_process(_run)


def _run() -> None:
    from voiceprint.cli.commands import app
    from voiceprint.store.journal import listen

    listen(_write_down)
    app(prog_name="voiceprint")


def _write_down(event: Event) -> None:
    from voiceprint.server.commands import write_down  # sqlite, which only changes need

    write_down(event)
