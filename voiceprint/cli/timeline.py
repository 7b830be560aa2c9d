"""A time line in the terminal: a lane for each speaker, coloured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from voiceprint.cli.terminal import new_console, plain

if TYPE_CHECKING:
    from voiceprint.diarization.turns import SpeakerTurn

__all__ = ["lane", "print_timeline"]

_COLOURS = ("cyan", "magenta", "yellow", "green", "blue", "red", "bright_cyan", "bright_magenta")
_NAME = 16  # letters of a name that are shown
_WIDTH = 100  # columns at most


def print_timeline(turns: Sequence[SpeakerTurn], speakers: Sequence[str], seconds: float) -> None:
    """Print a lane for each speaker, as wide as the terminal."""
    from rich.text import Text

    console = new_console(highlight=False)
    width = max(10, min(_WIDTH, console.width - _NAME - 2) if console.is_terminal else _WIDTH - _NAME)
    for place, speaker in enumerate(speakers):
        name = plain(speaker)
        shown = name if len(name) <= _NAME else name[: _NAME - 1] + "…"
        bar = lane([turn for turn in turns if turn.speaker == speaker], seconds, width)
        line = Text(f"{shown:{_NAME}} ")
        line.append(bar, style=_COLOURS[place % len(_COLOURS)])
        console.print(line, no_wrap=True, crop=False)


def lane(turns: Sequence[SpeakerTurn], seconds: float, width: int) -> str:
    """Draw one speaker's turns as `width` letters: full, half or no speech in each piece of the time."""
    covered = [0.0] * width
    piece = max(seconds, 1e-9) / width
    for turn in turns:
        first, last = int(turn.start / piece), min(width - 1, int(turn.stop / piece))
        for place in range(min(first, width - 1), last + 1):
            covered[place] += min(turn.stop, (place + 1) * piece) - max(turn.start, place * piece)
    return "".join("█" if part > 0.6 * piece else "▌" if part > 0.15 * piece else "·" for part in covered)
