"""The command line: parse, call one library function, print.

Commands are loaded when they are called, so that ``voiceprint verify`` does not wait for what only
``voiceprint embed`` needs.
"""

from __future__ import annotations

import sys

from voiceprint.cli.commands import app

__all__ = ["app", "main"]


def main() -> None:
    """Run the command line and exit."""
    try:
        app(prog_name="voiceprint")
    except KeyboardInterrupt:  # before or after the command itself, which has its own answer to Ctrl-C
        sys.exit(130)
