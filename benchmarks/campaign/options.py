"""Command lines made up from what each command says that it takes, with odd values among them."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.campaign.core import Attempt, BrokenPromiseError, Case
from benchmarks.campaign.paperwork import copy_all, run_in, write_all
from benchmarks.campaign.program import require_clean
from benchmarks.campaign.world import World, require_sound
from voiceprint.cli.commands import COMMANDS, load_command

_LEFT_OUT = frozenset({"listen", "record", "serve", "train", "classify train", "report", "benchmark"})
"""Commands that need a microphone, do not end, or take minutes."""

_ODD = (
    "", " ", "-1", "0", "1", "2", "0.5", "1e-300", "1e999", "nan", "inf", "-inf", "99999999999999999999", "x",
    "ada", "nobody", "\u202e", "\udc80", "é" * 300, ".", "/", "/dev/null", "/proc/self/mem", "missing/file",
    "2026-13-45", "9999-12-31", "0001-01-01", "postgresql://nobody@127.0.0.1:1/none", "a,b", "KEY=VALUE", "-",
)  # fmt: skip
_FEW = ("-1", "0", "1", "2", "x", "")
"""For numbers of processes: more would only load the machine."""

_MEMORY = 8 << 30


@contextmanager
def options(world: World, folder: Path) -> Iterator[Attempt]:
    """Lend the attack on every command but a few."""
    sound, commands = folder / "sound", _leaves()
    write_all(world, sound)
    values = sorted(str(path.relative_to(sound)) for path in sound.rglob("*") if path.suffix)

    def attempt(case: Case) -> str:
        draw = case.generator()
        name = sorted(commands)[int(draw.integers(len(commands)))]
        arguments = [*name.split(), *_arguments(commands[name], draw, values)]
        work = copy_all(sound, case.folder / "work")
        (case.folder / "arguments.txt").write_text(repr(arguments), encoding="utf-8")
        finished = run_in(work, arguments, limits={resource.RLIMIT_AS: _MEMORY})
        require_clean(finished)
        require_sound(work / "store")
        free = {"--threshold", "--far", "--model", "--store"} & set(arguments)
        if name == "verify" and finished.code == 0 and "impostor.wav" in arguments and not free:
            raise BrokenPromiseError(f"the impostor is accepted: {finished}")
        return ("done", "no", "refused", "partly done")[finished.code]

    yield attempt


def _leaves() -> dict[str, Any]:
    """Return every command that has no commands of its own, by its whole name."""
    found: dict[str, Any] = {}
    for name in COMMANDS:
        command = load_command(name)
        inner = getattr(command, "commands", None)
        found |= (
            {name: command} if inner is None else {f"{name} {key}": value for key, value in inner.items()}
        )
    return {name: command for name, command in found.items() if name not in _LEFT_OUT}


def _arguments(command: Any, draw: np.random.Generator, files: list[str]) -> list[str]:
    """Make up what a command is given: every argument, and some options."""
    given = []
    for parameter in command.params:
        if parameter.param_type_name == "argument":
            given += [_value(parameter, draw, files) for _ in range(1 if parameter.nargs == 1 else 2)]
        elif draw.random() < (0.9 if parameter.required else 0.2) and parameter.name != "help":
            given.append(parameter.opts[int(draw.integers(len(parameter.opts)))])
            given += [] if getattr(parameter, "is_flag", False) else [_value(parameter, draw, files)]
    return given


def _value(parameter: Any, draw: np.random.Generator, files: list[str]) -> str:
    kind = getattr(parameter, "type", None) or getattr(parameter, "bare_type", None)
    choices = getattr(kind, "choices", None)
    if parameter.name in ("jobs", "processes"):
        values = list(_FEW)
    elif choices and draw.random() < 0.7:
        values = [str(choice) for choice in choices]
    elif draw.random() < 0.5:
        values = [*files, "ada", "bert"]
    else:
        values = list(_ODD)
    return values[int(draw.integers(len(values)))]
