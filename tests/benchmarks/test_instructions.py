"""Instructions of a verification: how the counts of valgrind are read, and what is asked of it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks.program import BenchmarkError
from benchmarks.speed import instructions

COUNTING = """#!/bin/sh
# valgrind --tool=callgrind --callgrind-out-file=FILE COMMAND...: runs the command, and counts its arguments
shift 2
"$@" || exit $?
echo "==12== Events    : Ir" >&2
echo "==12== Collected : $#000000" >&2
"""


def put_valgrind(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "valgrind").write_text(script)
    (folder / "valgrind").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


def test_a_clip_costs_what_ten_more_cost_in_a_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    put_valgrind(tmp_path, COUNTING, monkeypatch)
    monkeypatch.setattr(sys, "argv", ["measure_instructions"])
    assert instructions.main() == 0
    rows = [line.split(" | ") for line in capsys.readouterr().out.splitlines() if line.startswith("| ")]
    assert [row[-1].rstrip(" |") for row in rows[2:]] == ["9", "1"], "python -m voiceprint, and its arguments"


def test_what_counts_nothing_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_valgrind(tmp_path, '#!/bin/sh\nshift 2\nexec "$@"\n', monkeypatch)
    with pytest.raises(BenchmarkError, match="counted no instructions"):
        instructions.instructions_of(["--version"])
    with pytest.raises(BenchmarkError, match="ended with 2"):
        instructions.instructions_of(["nonsense"])
    monkeypatch.setenv("PATH", str(tmp_path / "nowhere"))
    monkeypatch.setattr(sys, "argv", ["measure_instructions"])
    with pytest.raises(BenchmarkError, match="apt-get install valgrind"):
        instructions.main()
