"""The files of docs/deploy that a machine is given: units for systemd, and what a container is made of."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "docs/deploy"
UNITS = sorted(path.name for path in DEPLOY.iterdir() if path.suffix in (".service", ".timer"))
PROGRAM = "/opt/voiceprint/bin/voiceprint"

systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed"
)


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """The units, with a program that is there."""
    for name in UNITS:
        text = (DEPLOY / name).read_text(encoding="utf-8").replace(PROGRAM, sys.executable)
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def analyze(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["systemd-analyze", *map(str, arguments)], capture_output=True, text=True, check=False
    )


@systemd
@pytest.mark.parametrize("name", UNITS)
def test_systemd_takes_every_unit(units: Path, name: str) -> None:
    done = analyze("verify", "--man=no", units / name)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@systemd
def test_a_mistake_in_a_unit_would_show(units: Path) -> None:
    path = units / "voiceprint.service"
    path.write_text(path.read_text().replace("ProtectSystem=strict", "ProtectSystem=perhaps\nNonsense=1"))
    assert "Nonsense" in analyze("verify", "--man=no", path).stderr


@systemd
@pytest.mark.parametrize("name", [name for name in UNITS if name.endswith(".service")])
def test_a_service_may_do_little(units: Path, name: str) -> None:
    done = analyze("security", "--offline=true", "--threshold=25", units / name)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", UNITS)
def test_a_unit_runs_a_command_that_there_is(name: str) -> None:
    for line in re.findall(r"^ExecStart=(.*)$", (DEPLOY / name).read_text(encoding="utf-8"), re.MULTILINE):
        program, *rest = line.split()
        assert program == PROGRAM
        _check_command(rest)


def _check_command(line: list[str]) -> None:
    """Check that a command takes the options of a line, without running it."""
    from voiceprint.cli.commands import load_command  # noqa: PLC0415

    command, arguments = load_command(line[0]), line[1:]
    while hasattr(command, "commands"):
        command, arguments = command.commands[arguments[0]], arguments[1:]
    command.make_context(line[0], arguments)


def test_the_image_copies_what_is_there_and_runs_a_command_that_there_is() -> None:
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    steps = [line.split(None, 1) for line in text.splitlines() if line and not line.startswith("#")]
    assert {step for step, _ in steps} <= {
        *("FROM", "WORKDIR", "COPY", "RUN", "ENV", "USER", "VOLUME", "EXPOSE"),
        *("HEALTHCHECK", "STOPSIGNAL", "ENTRYPOINT", "CMD"),
    }
    for step, rest in steps:
        if step == "COPY" and "--from" not in rest:
            for source in rest.split()[:-1]:
                assert (ROOT / source).exists(), source
    users = [rest for step, rest in steps if step == "USER"]
    assert users == ["voiceprint"]
    (command,) = (rest for step, rest in steps if step == "CMD")
    _check_command(re.findall(r'"([^"]+)"', command))


def test_the_image_is_made_of_the_extras_that_there_are() -> None:
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    for extra in re.findall(r'"\.\[(\w+)\]"', text):
        assert re.search(rf"^{extra} = \[", project, re.MULTILINE), extra


def test_containers_run_commands_that_there_are() -> None:
    text = (DEPLOY / "compose.yaml").read_text(encoding="utf-8")
    (command,) = re.findall(r"command: \[(.*)\]", text)
    _check_command(re.findall(r'"([^"]+)"', command))
    for source in re.findall(r"- \./(\S+?):", text):
        assert (DEPLOY / source).exists(), source
    (dockerfile,) = re.findall(r"dockerfile: (\S+)", text)
    assert (ROOT / dockerfile).exists()
    proxy = re.search(r'"--proxy", "([\d.]+)"', text)
    assert proxy is not None
    assert f"ipv4_address: {proxy[1]}" in text
