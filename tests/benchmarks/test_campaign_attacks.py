"""The campaign's attacks on the product itself, a case of some; and what each holds against it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.campaign import running
from benchmarks.campaign.attacks import ATTACKS
from benchmarks.campaign.core import BrokenPromiseError
from benchmarks.campaign.program import Finished, Program, exit_codes, require_clean, run
from benchmarks.campaign.running import run_attacks
from benchmarks.campaign.worker import Worker
from benchmarks.campaign.world import VICTIM, World, new_world, require_sound, state_of
from voiceprint.cli.process import PARTLY

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return new_world(tmp_path_factory.mktemp("campaign") / "world")


@pytest.mark.parametrize("name", ["erasure", "forks", "sounds"])
def test_the_product_keeps_its_promise(
    name: str, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "new_world", lambda _folder: world)
    (outcome,) = run_attacks(
        [ATTACKS[name]], seconds=0, seed=1, folder=tmp_path, progress=lambda _attack, _share: None
    )
    assert not outcome.findings, [finding.what for finding in outcome.findings.values()]
    assert outcome.n_cases == 1


def test_the_script_explains_itself() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "campaign", "--help"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert all(name in done.stdout for name in ATTACKS)


def test_a_store_that_lost_somebody_is_in_another_state(world: World, tmp_path: Path) -> None:
    store = world.copy_store(tmp_path)
    before = state_of(store)
    require_clean(run(["remove", VICTIM, "--yes", "--store", store], folder=tmp_path / "work"), codes=(0,))
    after = state_of(store)
    assert set(before.people) - set(after.people) == {VICTIM}
    require_sound(store)


def test_a_store_that_is_damaged_is_not_sound(world: World, tmp_path: Path) -> None:
    store = world.copy_store(tmp_path)
    (store / "voiceprints.sqlite3").write_bytes(b"no database")
    with pytest.raises(BrokenPromiseError, match="does not open"):
        require_sound(store)


# programs


def ended(
    *,
    arguments: tuple[str, ...] = ("list",),
    code: int = 0,
    out: str = "",
    err: str = "",
    megabytes: float | None = None,
) -> Finished:
    return Finished(arguments=arguments, code=code, out=out, err=err, megabytes=megabytes)


@pytest.mark.parametrize(
    ("finished", "problem"),
    [
        (ended(code=1, err="Traceback (most recent call last)\n"), "a traceback"),
        (ended(code=-11), "exit code -11"),
        (ended(code=1), "exit code 1, not one of"),
        (ended(code=2), "without a word"),
        (ended(arguments=("embed", "a.wav"), code=3), "nothing is named"),
        (ended(megabytes=9000.0), "took 9000 MB"),
    ],
)
def test_what_a_command_must_never_do_is_reported(finished: Finished, problem: str) -> None:
    with pytest.raises(BrokenPromiseError, match=problem):
        require_clean(finished)


def test_what_a_command_may_do_is_let_pass() -> None:
    require_clean(ended(code=2, err="Error: no\n"))
    require_clean(ended(arguments=("verify", "ada", "a.wav"), code=2, out="ada: not enough speech\n"))
    require_clean(ended(arguments=("embed", "a.wav", "b.wav"), code=3, err="left out: b.wav\n"))


@pytest.mark.parametrize(
    ("command", "codes"),
    [
        ("list", (0, 2)),
        ("verify ada a.wav", (0, 1, 2)),
        ("corpus check clips", (0, 1, 2)),
        ("corpus scan clips", (0, 2, 3)),
        ("classify predict model a.wav", (0, 1, 2, 3)),
        ("enroll ada a.wav", (0, 2)),
        ("enroll --from people", (0, 2, 3)),
    ],
)
def test_a_command_ends_with_the_codes_that_its_documentation_lists(
    command: str, codes: tuple[int, ...]
) -> None:
    assert exit_codes(command.split()) == codes


def test_every_command_of_many_inputs_is_one_that_the_documentation_names() -> None:
    words = (ROOT / "docs/reference/commands.md").read_text(encoding="utf-8")
    sentence = words.partition("**Many inputs.**")[2].partition(" give each input")[0]
    named = re.findall("`(.+?)`", sentence)
    assert named
    assert all(PARTLY in exit_codes(command.split()) for command in named)


def test_a_command_is_limited_killed_and_reported(tmp_path: Path) -> None:
    finished = run(["list", "--store", tmp_path / "none"], folder=tmp_path / "work")
    assert finished.code == 2
    assert finished.err.startswith("Error:")
    program = Program(["serve", "--no-keys", "--store", tmp_path / "store"], folder=tmp_path / "killed")
    program.signal(signal.SIGKILL)
    assert program.wait().code == -signal.SIGKILL


# a worker


def _nothing() -> None:
    """Prepare nothing."""


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_worker_that_dies_breaks_a_promise_and_is_started_again() -> None:
    with Worker(_nothing) as worker:
        with pytest.raises(BrokenPromiseError, match="died in _die"):
            worker.call(_die)
        assert worker.call(len, "abc") == 3
