"""Commands in odd surroundings: without a home, on a closed pipe, as a user without a name."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.campaign.core import Attempt, BrokenPromiseError, Case
from benchmarks.campaign.program import Finished, require_clean
from benchmarks.campaign.world import IMPOSTOR, VICTIM, World
from voiceprint.cli.process import BROKEN_PIPE, ERROR

_ROOT = str(Path(__file__).resolve().parents[2])
_PROGRAM = "from voiceprint.cli import main; main()"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Surrounding:
    """What is odd around a command.

    Attributes
    ----------
    environment : dict of str to str or None
        Variables that are set, or removed.
    user : int or None
        Who runs it, where this process may choose.
    before : str
        Python that the process runs before the command.
    out : str
        Where its output goes: ``file``, ``full`` or ``closed``.
    """

    environment: dict[str, str | None] = field(default_factory=dict)
    user: int | None = None
    before: str = ""
    out: str = "file"


_FEW_FILES = "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))"

_SURROUNDINGS = {
    "no HOME": _Surrounding(environment={"HOME": None, "USER": None, "LOGNAME": None}),
    "a missing HOME": _Surrounding(environment={"HOME": "/nonexistent/home"}),
    "a HOME that cannot be written": _Surrounding(environment={"HOME": "/proc/1"}),
    "nobody's user": _Surrounding(environment={"HOME": None, "USER": None, "LOGNAME": None}, user=12345),
    "a missing TMPDIR": _Surrounding(environment={"TMPDIR": "/nonexistent", "TEMP": None, "TMP": None}),
    "plain ASCII": _Surrounding(environment={"LANG": "C", "LC_ALL": "C", "PYTHONUTF8": "0"}),
    "an odd locale": _Surrounding(environment={"LC_ALL": "xx_YY.nonsense"}),
    "a cache that cannot be written": _Surrounding(environment={"XDG_CACHE_HOME": "/proc/1/cache"}),
    "data that cannot be written": _Surrounding(environment={"XDG_DATA_HOME": "/proc/1/data"}),
    "an empty PATH": _Surrounding(environment={"PATH": ""}),
    "no standard input": _Surrounding(before="import os; os.close(0)"),
    "few open files": _Surrounding(before=_FEW_FILES),
    "a mask for files": _Surrounding(before="import os; os.umask(0o777)"),
    "a full device as output": _Surrounding(out="full"),
    "a closed pipe as output": _Surrounding(out="closed"),
}


@contextmanager
def surroundings(world: World, folder: Path) -> Iterator[Attempt]:
    """Lend the attack: the same exit code as in ordinary surroundings, or an error in a line."""
    commands = (
        (["verify", VICTIM, str(world.clip(VICTIM)), "--allow-replay"], 0),
        (["verify", VICTIM, str(world.clip(IMPOSTOR))], 1),
        (["identify", str(world.clip("bert")), "--allow-replay"], 0),
        (["list"], 0),
        (["stats", "--json"], 0),
        (["export", "out.json"], 0),
        (["remove", "cleo", "--yes"], 0),
        (["doctor"], 0),
        (["--version"], 0),
    )

    known = sorted(name for name, one in _SURROUNDINGS.items() if one.user is None or _may_be(one.user))

    def attempt(case: Case) -> str:
        draw = case.generator()
        name = known[int(draw.integers(len(known)))]
        arguments, code = commands[int(draw.integers(len(commands)))]
        store = world.copy_store(case.folder)
        finished = _run(_SURROUNDINGS[name], arguments, store, case.folder)
        try:
            require_clean(finished, codes=(code, ERROR, BROKEN_PIPE))
        except BrokenPromiseError as error:
            raise BrokenPromiseError(f"{name}, {arguments[0]}: {error}") from None
        return "as usual" if finished.code == code else "refused"

    yield attempt


def _may_be(user: int) -> bool:
    """Tell whether a process may become a user, and that user may run this Python."""
    try:
        return subprocess.run([sys.executable, "-c", ""], user=user, check=False).returncode == 0
    except OSError:
        return False


def _run(surrounding: _Surrounding, arguments: list[str], store: Path, folder: Path) -> Finished:
    """Run a command in a Python of its own."""
    environment = {**os.environ, "VOICEPRINT_STORE": str(store), "PYTHONPATH": _ROOT}
    for variable, value in surrounding.environment.items():
        environment.pop(variable, None)
        environment |= {} if value is None else {variable: value}
    user = surrounding.user if os.geteuid() == 0 else None
    if user is not None:
        _give_away(folder, user)
    with (folder / "out").open("wb") as file, (folder / "err").open("wb") as errors:
        process = subprocess.Popen(
            [sys.executable, "-c", f"{surrounding.before}\n{_PROGRAM}", *arguments],
            env=environment,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=_output(surrounding.out, file.fileno()),
            stderr=errors,
            user=user,
        )
        code = process.wait(120)
    out, err = ((folder / name).read_text(errors="replace") for name in ("out", "err"))
    return Finished(arguments=tuple(arguments), code=code, out=out, err=err, megabytes=None)


def _output(kind: str, file: int) -> int:
    if kind == "full":
        return os.open("/dev/full", os.O_WRONLY)
    if kind == "closed":
        reading, writing = os.pipe()
        os.close(reading)
        return writing
    return file


def _give_away(folder: Path, user: int) -> None:
    """Let a user read and write a case's folder, and reach it."""
    for path in [folder, *folder.rglob("*")]:
        os.chown(path, user, user)
    for parent in folder.parents[:-1]:
        if parent != Path(parent.anchor) and parent.stat().st_uid == os.geteuid():
            parent.chmod(parent.stat().st_mode | 0o011)
