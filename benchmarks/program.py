"""How the programs in scripts/ run: one thread, one line for an error, and the options that many share."""

from __future__ import annotations

import argparse
import importlib
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from voiceprint.errors import VoiceprintError

ROOT = Path(__file__).resolve().parents[1]
"""The checkout."""

ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1"
)
"""Environment variables by which libraries of mathematics use one thread."""


class BenchmarkError(VoiceprintError):
    """A program cannot do what it was asked to."""

    code = "benchmark"


def run(module: str) -> NoReturn:
    """Run the ``main`` of a module and exit: with what it returns, or 2 after an error.

    The number of threads is set before the module is imported, because numpy reads it only then.
    """
    for variable, threads in ONE_THREAD.items():
        os.environ.setdefault(variable, threads)
    try:
        code = importlib.import_module(module).main()
    except VoiceprintError as error:
        print(f"Error: {error}", file=sys.stderr)
        code = 2
    except ModuleNotFoundError as error:
        print(f"Error: the package {error.name} is not installed in {sys.prefix}", file=sys.stderr)
        code = 2
    sys.exit(code)


def command_of(module: str) -> list[str]:
    """Return a command that runs a module as `run` does, in the checkout's folder."""
    return [sys.executable, "-c", f"from benchmarks.program import run; run({module!r})"]


def output_of(command: Sequence[str], **environment: str) -> str:
    """Run a command in the checkout's folder, and return what it prints; BenchmarkError where it fails."""
    done = subprocess.run(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )
    if done.returncode:
        raise BenchmarkError(f"{' '.join(command)} ended with {done.returncode}; what it said stands above")
    return done.stdout


def make_parser(description: str | None) -> argparse.ArgumentParser:
    """Return a parser whose help shows a module's docstring as it is written."""
    return argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )


def add_corpora(parser: argparse.ArgumentParser, *, needed: bool = True) -> None:
    """Add ``--corpora``, which may be left out where VOICEPRINT_CORPORA is set, or unless it is needed."""
    given = os.environ.get("VOICEPRINT_CORPORA") or None
    parser.add_argument(
        "--corpora",
        type=Path,
        default=given,
        required=needed and given is None,
        metavar="FOLDER",
        help="root of the corpora (VOICEPRINT_CORPORA)",
    )
