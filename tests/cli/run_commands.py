"""Run many command lines in one process, a fork each, so that imports are paid once: a program.

    python run_commands.py SETTING < LINES.json > RESULTS.json

SETTING is one of `SETTINGS`, what the commands find when they begin. LINES is a list of lists of arguments,
with lone surrogates for bytes that are not UTF-8. RESULTS is a list of objects: code, stdout and stderr.
"""

# ruff: noqa: F401  what commands import when they run is imported here, once for all
from __future__ import annotations

import ctypes
import json
import os
import platform
import pwd
import signal
import struct
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import voiceprint.catalog.importing
import voiceprint.engine.verifier
import voiceprint.evaluation
import voiceprint.reports
import voiceprint.server.run
import voiceprint.store.sqlite.backend
import voiceprint.training.classification
import voiceprint.training.run.launch
import voiceprint.training.run.recipe
from voiceprint.cli import main
from voiceprint.cli.commands import COMMANDS, load_command
from voiceprint.onnx_runtime import load_runtime

LIMIT = 60  # seconds


def _as_usual() -> None:
    pass


def _without_passwd_entry() -> None:
    def getpwuid(uid: int) -> NoReturn:
        raise KeyError(uid)

    pwd.getpwuid = getpwuid  # what it does for a user that the system does not know


def _in_deleted_folder() -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)


def _with_streams_closed() -> None:
    os.close(0)
    os.close(1)
    os.close(2)


def _with_reader_gone() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    os.dup2(writer, 1)


def _with_disk_full() -> None:
    os.dup2(os.open("/dev/full", os.O_WRONLY), 1)


def _with_connections_forbidden() -> None:
    """Let the kernel (seccomp) kill the process, and what it starts, where it connects a socket.

    Whoever looks up a name or reports somewhere does, in whatever language.
    """
    load, equal, result = 0x20, 0x15, 0x06
    kill, allow = 0x80000000, 0x7FFF0000
    connect = {"x86_64": 42, "aarch64": 203}[platform.machine()]
    steps = [(load, 0, 0, 0), (equal, 0, 1, connect), (result, 0, 0, kill), (result, 0, 0, allow)]
    program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
    described = struct.pack("HxxxxxxP", len(steps), ctypes.addressof(program))
    libc = ctypes.CDLL(None, use_errno=True)
    no_new_privileges, filter_calls, by_program = 38, 22, 2
    if libc.prctl(no_new_privileges, 1, 0, 0, 0) or libc.prctl(filter_calls, by_program, described, 0, 0):
        raise OSError(ctypes.get_errno(), "the kernel takes no filter")


SETTINGS: dict[str, Callable[[], None]] = {
    "as usual": _as_usual,
    "no passwd entry": _without_passwd_entry,
    "deleted folder": _in_deleted_folder,
    "streams closed": _with_streams_closed,
    "reader gone": _with_reader_gone,
    "disk full": _with_disk_full,
    "connections forbidden": _with_connections_forbidden,
}


def run(arguments: list[str], setting: Callable[[], None], folder: Path) -> dict[str, Any]:
    """Run one command line in a process of its own, its output going to files."""
    files = [folder / "stdout", folder / "stderr"]
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(LIMIT)
        for descriptor, file in enumerate(files, start=1):
            os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), descriptor)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        sys.argv = ["voiceprint", *arguments]
        setting()
        try:
            main()
        except SystemExit as end:
            os._exit(end.code if isinstance(end.code, int) else 0 if end.code is None else 1)
        except BaseException:
            traceback.print_exc()
            sys.stderr.flush()
            os._exit(1)
    _, status = os.waitpid(child, 0)
    stdout, stderr = (file.read_text(errors="replace") for file in files)
    return {"code": os.waitstatus_to_exitcode(status), "stdout": stdout, "stderr": stderr}


if __name__ == "__main__":
    load_runtime()
    for command in COMMANDS:
        load_command(command)
    with tempfile.TemporaryDirectory() as scratch:
        lines = json.load(sys.stdin)
        results = [run(line, SETTINGS[sys.argv[1]], Path(scratch)) for line in lines]
    json.dump(results, sys.stdout)
