"""Print whether everything that the core installs has a wheel for each system and each Python.

    scripts/check_wheels
    scripts/check_wheels --python 3.14 --extra serve

It asks pip, with pip's own settings, what it would install for another system, and downloads no package: the
versions are those of constraints.txt. Of each Python the oldest release counts, such as 3.11.0. What only
another system needs, such as colorama on Windows, is not pinned there, and its newest version counts. Exits
with 1 if a wheel is missing.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from benchmarks.program import ROOT, BenchmarkError, make_parser
from benchmarks.tables import markdown_table

PYTHONS = ("3.11", "3.12", "3.13", "3.14")

Pip = Callable[[Sequence[str]], tuple[int, str]]
"""``pip(arguments) -> exit code, what it said``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """A system that wheels are looked for.

    Attributes
    ----------
    tags : tuple of str
        Platform tags of wheels that it takes.
    markers : mapping of str to str
        What requirements ask of it (PEP 508).
    """

    name: str
    tags: tuple[str, ...]
    markers: Mapping[str, str]


def _linux(machine: str) -> System:
    glibcs = ("manylinux2014", "manylinux_2_17", "manylinux_2_24", "manylinux_2_27", "manylinux_2_28")
    return System(
        name=f"Linux {machine}",
        tags=tuple(f"{glibc}_{machine}" for glibc in glibcs),
        markers={"sys_platform": "linux", "platform_system": "Linux", "platform_machine": machine},
    )


SYSTEMS = (
    System(
        name="Windows x86-64",
        tags=("win_amd64",),
        markers={"sys_platform": "win32", "platform_system": "Windows", "platform_machine": "AMD64"},
    ),
    System(
        name="macOS arm64",
        tags=("macosx_14_0_arm64",),
        markers={"sys_platform": "darwin", "platform_system": "Darwin", "platform_machine": "arm64"},
    ),
    _linux("x86_64"),
    _linux("aarch64"),
)


def main() -> int:
    """Look for every wheel."""
    parser = make_parser(__doc__)
    parser.add_argument("--python", nargs="+", default=PYTHONS, metavar="VERSION", help="Pythons to look for")
    parser.add_argument("--extra", nargs="+", default=(), help="extras to look for, too")
    options = parser.parse_args()
    missing: dict[tuple[str, str], list[str]] = {}
    needed: dict[str, set[str]] = {}
    for system in SYSTEMS:
        for python in options.python:
            wanted = requirements_of(system, python, options.extra)
            needed.setdefault(system.name, set()).update(wanted)
            for name in without_wheels(wanted, system, python):
                missing.setdefault((name, system.name), []).append(python)
    rows = [
        (
            name,
            *(
                _cell(missing.get((name, system.name), [])) if name in needed[system.name] else "not needed"
                for system in SYSTEMS
            ),
        )
        for name in sorted(set[str]().union(*needed.values()))
    ]
    pythons = ", ".join(options.python)
    print(f"Wheels for Python {pythons}:\n")
    print(markdown_table(("package", *(system.name for system in SYSTEMS)), rows))
    return 1 if missing else 0


def _cell(pythons: Sequence[str]) -> str:
    return f"none for {', '.join(pythons)}" if pythons else "yes"


def requirements_of(system: System, python: str, extras: Sequence[str] = ()) -> dict[str, str]:
    """Return what is installed on a system: pip's requirements by the names of packages.

    Raises
    ------
    BenchmarkError
        If an extra is not known.
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    optional = project["optional-dependencies"]
    for extra in extras:
        if extra not in optional:
            raise BenchmarkError(f"there is no extra {extra!r}; there are {', '.join(optional)}")
    own = canonicalize_name(project["name"])
    pins = _pins()
    waiting = [*project["dependencies"], *(line for extra in extras for line in optional[extra])]
    environment = {
        **system.markers,
        "python_version": python,
        "python_full_version": f"{python}.0",
        "extra": "",
    }
    found: dict[str, str] = {}
    while waiting:
        requirement = Requirement(waiting.pop())
        name = canonicalize_name(requirement.name)
        if name == own:
            waiting += [line for extra in requirement.extras for line in optional[extra]]
        elif name not in found and (requirement.marker is None or requirement.marker.evaluate(environment)):
            found[name] = f"{name}=={pins[name]}" if name in pins else name
            waiting += _required_by(name)
    return found


def without_wheels(
    wanted: Mapping[str, str], system: System, python: str, *, pip: Pip | None = None
) -> list[str]:
    """Return the names of packages that have no wheel for a system and a Python.

    Parameters
    ----------
    wanted : mapping of str to str
        What `requirements_of` returns.

    Raises
    ------
    BenchmarkError
        If pip fails for another reason.
    """
    ask = pip or _pip
    left, missing = dict(wanted), list[str]()
    tags = [part for tag in system.tags for part in ("--platform", tag)]
    with tempfile.TemporaryDirectory() as folder:
        # A target is what pip asks for with --platform; a dry run writes nothing there.
        run = ["install", "--dry-run", "--ignore-installed", "--no-deps", "--only-binary=:all:"]
        while left:
            given = ["--target", folder, *tags, "--python-version", python, *left.values()]
            code, said = ask([*run, *given])
            if code == 0:
                return missing
            named = re.search(r"No matching distribution found for ([\w.-]+)", said)
            name = canonicalize_name(named[1]) if named else ""
            if name not in left:
                raise BenchmarkError(f"pip failed: {said.strip().splitlines()[-1] if said.strip() else code}")
            missing.append(name)
            del left[name]
    return missing


def _pip(arguments: Sequence[str]) -> tuple[int, str]:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stderr


def _pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return {
        canonicalize_name(name): version
        for name, _, version in (line.partition("==") for line in lines if "==" in line)
    }


def _required_by(name: str) -> list[str]:
    """Return what a package requires, as far as it is installed here."""
    try:
        return distribution(name).requires or []
    except PackageNotFoundError:
        return []
