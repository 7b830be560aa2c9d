"""What commands print: tables, progress bars, JSON, and text that cannot play tricks on a terminal."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

# Joiners are not "printable", yet emoji and several scripts need them.
_JOINERS = "\u200c\u200d"

# Who reads our output through a pipe wants one line a row.
_PIPED_WIDTH = 1000


def plain(text: object) -> str:
    """Return text with everything that steers a terminal shown as its escape code."""
    return "".join(
        letter if letter.isprintable() or letter in _JOINERS else letter.encode("unicode_escape").decode()
        for letter in str(text)
    )


def number(value: float | None, digits: int = 2, unit: str = "") -> str:
    """Return a number for a table, or a dash where there is none."""
    return "-" if value is None else f"{value:.{digits}f}{unit}"


def count(n: int, noun: str, plural: str = "") -> str:
    """Return ``1 clip`` or ``2 clips``."""
    return f"{n} {noun if n == 1 else plural or noun + 's'}"


def json_value(value: Any) -> Any:
    """Return a value as JSON knows it: dataclasses as objects, what is not finite as null."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: json_value(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(key): json_value(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [json_value(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, str | int | float | None) else str(value)


def require_yes(question: str) -> None:
    """Ask on standard error; without a yes the command ends with exit code 2, for nothing was done."""
    try:
        if typer.confirm(question, err=True):
            return
    except typer.Abort as error:
        if isinstance(error.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from None
        typer.echo("", err=True)
    typer.echo("Error: nothing was changed, for nobody said yes; --yes says it beforehand", err=True)
    raise typer.Exit(2)


def print_json(value: Any) -> None:
    """Print exactly one JSON document on standard output."""
    typer.echo(json.dumps(json_value(value), indent=2, allow_nan=False))


def print_answer(document: Any, text: str, *, as_json: bool) -> None:
    """Print what a command answers: one JSON document, or a line for people."""
    print_json(document) if as_json else typer.echo(text)


def print_table(
    columns: Sequence[str], rows: Iterable[Sequence[object]], *, right: Sequence[str] = ()
) -> None:
    """Print a table.

    Parameters
    ----------
    rows : iterable of sequences
        The cells; their text is made safe.
    right : sequence of str
        Heads of the columns that are set to the right.
    """
    from rich import box  # 50 ms that a plain answer need not wait for
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(plain(cell)) for cell in row))
    console = new_console(highlight=False)
    if console.is_terminal:
        console.print(table)
        return
    console.width = _PIPED_WIDTH
    with console.capture() as printed:
        console.print(table)
    # Not echo, which would encode in its own way.
    console.file.write("".join(f"{line.rstrip()}\n" for line in printed.get().splitlines()))
    console.file.flush()  # so that a full disk is reported here


def progress_bar(*, quiet: bool, width: int = 40, transient: bool = True) -> Progress:
    """Return a progress bar on standard error, shown only where that is a terminal."""
    from rich.progress import (  # 50 ms that a plain answer need not wait for
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    console = new_console(stderr=True)
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=width),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=quiet or not console.is_terminal,
        transient=transient,
    )


@contextmanager
def progress_of(what: str, *, quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """Show how far something is; yield what is called with how many are done, and of how many."""
    with progress_bar(quiet=quiet) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def new_console(**options: Any) -> Console:
    """Return a console of rich that lets BrokenPipeError through, where rich would exit with 1."""
    from rich.console import Console  # 50 ms that a plain answer need not wait for

    class OurConsole(Console):
        def on_broken_pipe(self) -> None:
            raise  # noqa: PLE0704  rich calls this while it handles the error

    return OurConsole(**options)


def clock(seconds: float, *, digits: int = 0) -> str:
    """Return a time as m:ss, or h:mm:ss from an hour on."""
    whole = round(seconds, digits)
    minutes, rest = divmod(whole, 60.0)
    hours, minutes = divmod(int(minutes), 60)
    width = 2 if digits == 0 else 3 + digits
    shown = f"{rest:0{width}.{digits}f}"
    return f"{hours}:{minutes:02d}:{shown}" if hours else f"{minutes}:{shown}"
