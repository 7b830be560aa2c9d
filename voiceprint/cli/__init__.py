"""The command line: parse, call one library function, print.

Commands are loaded when they are called, so that ``voiceprint verify`` does not wait for what only
``voiceprint embed`` needs.
"""

from __future__ import annotations

from voiceprint.cli.commands import app

__all__ = ["app", "main"]


def main() -> None:
    """Run the command line."""
    app(prog_name="voiceprint")
