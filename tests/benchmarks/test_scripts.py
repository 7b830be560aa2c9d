"""The scripts: what they say where something is missing, and that each explains itself."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from benchmarks.program import ROOT, run

SCRIPTS = ROOT / "scripts"


def programs(language: str) -> list[Path]:
    found = [path for path in sorted(SCRIPTS.iterdir()) if path.is_file() and not path.suffix]
    return [path for path in found if language in path.read_text(encoding="utf-8").splitlines()[0]]


def environment(command: str, path: Path | str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run a command of environment.sh with nothing in the environment but a PATH."""
    bash = shutil.which("bash")
    assert bash is not None
    return subprocess.run(
        [bash, "-c", f". {SCRIPTS / 'environment.sh'}; {command}"],
        env={"PATH": str(path)},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def stub(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def fake_python(path: Path, *, recent: bool = True, venv: bool = True) -> Path:
    """Write a program that answers what environment.sh asks a Python, and nothing else."""
    return stub(
        path,
        f"""case "$2" in
*sys.exit*) exit {0 if recent else 1} ;;
*ensurepip*) exit {0 if venv else 1} ;;
*print*) echo 3.12 ;;
esac""",
    )


@pytest.mark.parametrize("script", programs("bash"), ids=lambda path: path.name)
def test_shell_scripts_parse_and_stop_at_the_first_error(script: Path) -> None:
    assert subprocess.run(["bash", "-n", script], check=False).returncode == 0
    assert "set -euo pipefail" in script.read_text(encoding="utf-8")


@pytest.mark.parametrize("script", programs(""), ids=lambda path: path.name)
def test_scripts_can_be_run(script: Path) -> None:
    assert os.access(script, os.X_OK)


@pytest.mark.parametrize("script", programs("python"), ids=lambda path: path.name)
def test_a_program_only_runs_a_module(script: Path) -> None:
    text = script.read_text(encoding="utf-8")
    (module,) = re.findall(r'^    run\("(benchmarks\.[a-z_.]+)"\)$', text, re.MULTILINE)
    assert len(text.splitlines()) <= 12
    assert "\ndef main(" in (ROOT / f"{module.replace('.', '/')}.py").read_text(encoding="utf-8")


# The synthesizer of synthesize_voices is installed where scripts/demo needs it.
EXPLAINED = [path for path in programs("python") if path.name != "synthesize_voices"]


@pytest.mark.parametrize("script", EXPLAINED, ids=lambda path: path.name)
def test_a_program_explains_itself(script: Path) -> None:
    done = subprocess.run([sys.executable, script, "--help"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert f"scripts/{script.name}" in done.stdout


@pytest.mark.parametrize("tool", ["ruff", "mypy"])
def test_every_program_is_seen_by_the_linter_and_the_type_checker(tool: str) -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    patterns = settings["ruff"]["extend-include"] if tool == "ruff" else settings["mypy"]["files"]
    seen = {path for pattern in patterns for path in ROOT.glob(pattern)}
    assert set(programs("python")) - seen == set()
    assert seen & set(programs("bash")) == set()


def test_an_error_is_one_line_and_exit_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run("tests_that_are_not_there")
    assert ended.value.code == 2
    assert "Error: the package tests_that_are_not_there is not installed" in capsys.readouterr().err


def test_metrics_are_timed_beside_a_peer_that_finds_the_same() -> None:
    command: list[str | Path] = [sys.executable, SCRIPTS / "benchmark_metrics", "--trials", "20000", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    ours, theirs = json.loads(done.stdout)["systems"].values()
    assert abs(ours["eer"] - theirs["eer"]) < 0.01
    assert all(one["peak_mb"] > 10 for one in (ours, theirs))


def test_a_missing_python_is_named_with_the_line_that_installs_it(tmp_path: Path) -> None:
    done = environment("find_python", tmp_path)
    assert done.returncode == 1
    assert "apt-get install python3 python3-venv" in done.stderr


def test_an_old_python_does_not_do(tmp_path: Path) -> None:
    fake_python(tmp_path / "python3", recent=False)
    assert environment("find_python", tmp_path).returncode == 1


def test_a_python_without_venv_is_named_with_the_line_that_installs_it(tmp_path: Path) -> None:
    fake_python(tmp_path / "python3", venv=False)
    done = environment("find_python", tmp_path)
    assert done.returncode == 1
    assert "ensurepip is missing" in done.stderr
    assert "apt-get install python3.12-venv" in done.stderr


def test_a_python_with_venv_is_preferred_to_one_without(tmp_path: Path) -> None:
    fake_python(tmp_path / "python3.13", venv=False)
    able = fake_python(tmp_path / "python3")
    done = environment("find_python", tmp_path)
    assert (done.stdout.strip(), done.stderr) == (str(able), "")


def test_a_missing_compiler_is_named_when_pip_fails(tmp_path: Path) -> None:
    stub(tmp_path / "pip-fails", "exit 1")
    done = environment("install_pinned pip-fails something", tmp_path)
    assert done.returncode == 1
    assert "apt-get install build-essential python3-dev" in done.stderr


def test_a_compiler_that_is_there_is_not_asked_for(tmp_path: Path) -> None:
    for name in ("pip-fails", "cc", "c++"):
        stub(tmp_path / name, "exit 1")
    done = environment("install_pinned pip-fails something", tmp_path)
    assert done.returncode == 1
    assert "compiler" not in done.stderr


def test_an_environment_that_is_as_asked_for_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("", encoding="utf-8")
    (tmp_path / "constraints.txt").write_text("", encoding="utf-8")
    log = tmp_path / "log"
    python = stub(tmp_path / "env" / "bin" / "python", f'echo "$*" >>{log}')
    stub(tmp_path / "tools" / "python3", f'[ "$1" != -m ] || echo "made" >>{log}')
    path = f"{tmp_path / 'tools'}:{os.defpath}"
    command = f"PYTHON={tmp_path / 'tools' / 'python3'} make_environment env dev"
    assert environment(command, path, tmp_path).returncode == 0
    assert "pip install" in log.read_text(encoding="utf-8")
    assert "--editable .[dev]" in log.read_text(encoding="utf-8")
    log.unlink()
    assert environment(command, path, tmp_path).returncode == 0
    assert "pip" not in log.read_text(encoding="utf-8")
    assert python.exists()


def test_the_demonstration_counts_answers_that_are_not_as_expected() -> None:
    functions = (SCRIPTS / "demo").read_text(encoding="utf-8").rsplit('main "$@"', 1)[0]
    program = functions.split("set -euo pipefail", 1)[0] + functions[functions.index("unexpected=0") :]
    program += (
        'show "bert: accepted" echo "bert: accepted"; show "unknown" echo "bert: identified"; conclude 1'
    )
    done = subprocess.run(["bash", "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "FAILED: 1 of the answers" in done.stdout
    assert done.stdout.count("UNEXPECTED: this") == 1
