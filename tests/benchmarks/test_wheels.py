"""Which wheels are missing: what is asked of pip, and what its answers mean."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from benchmarks.program import BenchmarkError
from benchmarks.wheels import PYTHONS, SYSTEMS, requirements_of, without_wheels

WINDOWS, MAC, LINUX, ARM = SYSTEMS
WANTED = {"numpy": "numpy==2.0", "soxr": "soxr==1.0", "rich": "rich==15.0"}


def test_each_system_needs_what_its_markers_say() -> None:
    here = requirements_of(LINUX, "3.13")
    assert {"numpy", "onnxruntime", "typer", "cffi"} <= here.keys()
    assert all("==" in line for line in here.values()), "everything that Linux needs is pinned"
    assert requirements_of(WINDOWS, "3.13").keys() - here.keys() == {"colorama"}
    assert not {"faiss-cpu", "torch", "pytest"} & here.keys()


def test_extras_are_looked_for_with_the_extras_that_they_name() -> None:
    found = requirements_of(LINUX, "3.13", ["serve"])
    assert {"fastapi", "uvicorn", "av", "scipy", "faiss-cpu"} <= found.keys()
    with pytest.raises(BenchmarkError, match="nonsense"):
        requirements_of(LINUX, "3.13", ["nonsense"])


def test_pip_is_asked_again_without_what_has_no_wheel() -> None:
    asked: list[Sequence[str]] = []

    def pip(arguments: Sequence[str]) -> tuple[int, str]:
        asked.append(arguments)
        for name in ("soxr==1.0", "rich==15.0"):
            if name in arguments:
                return 1, f"ERROR: No matching distribution found for {name}\n"
        return 0, ""

    assert without_wheels(WANTED, ARM, "3.14", pip=pip) == ["soxr", "rich"]
    assert len(asked) == 3
    assert "manylinux_2_28_aarch64" in asked[0]
    assert asked[0][asked[0].index("--python-version") + 1] == "3.14"
    assert "--dry-run" in asked[0]


@pytest.mark.parametrize("said", ["", "ERROR: no network\n", "No matching distribution found for other==1\n"])
def test_another_failure_is_an_error(said: str) -> None:
    with pytest.raises(BenchmarkError, match="pip failed"):
        without_wheels(WANTED, MAC, "3.11", pip=lambda _: (1, said))


def test_the_pythons_are_those_of_the_package() -> None:
    from test_packaging import PROJECT  # noqa: PLC0415

    known = {line.rpartition(" ")[2] for line in PROJECT["classifiers"] if "Python :: 3." in line}
    assert known == set(PYTHONS)
