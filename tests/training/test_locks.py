"""Two trainings into one folder: the second ends before it changes anything, however the first ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from typer.testing import CliRunner

from training.conftest import tiny_recipe, tiny_table
from voiceprint.cli import app
from voiceprint.errors import ConfigError, TrainingError
from voiceprint.training.classification import read_clips, train_classic, train_classifier
from voiceprint.training.classification.recipes import GMMRecipe
from voiceprint.training.export.from_run import load_encoder
from voiceprint.training.locks import RUN_LOCK, locked_run
from voiceprint.training.run.launch import Outcome, train
from voiceprint.training.run.metrics_log import read_metrics

FEW = {"steps": 2, "validate_every": 2, "checkpoint_every": 2}
REFUSED = "another process trains into it"

HOLDER = """
import os, sys, time
from filelock import FileLock
lock = FileLock(sys.argv[1])
lock.acquire()
if hasattr(os, "fork") and os.fork() == 0:  # as a loader does, which outlives a training that is killed
    sys.stdin.read()
    os._exit(0)
print("held", flush=True)
time.sleep(600)
"""


@contextmanager
def held_elsewhere(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that has locked ``folder`` as a training does; killed at the end at the latest."""
    folder.mkdir(exist_ok=True)
    command = [sys.executable, "-c", HOLDER, str(folder / RUN_LOCK)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as holder:
        try:
            assert holder.stdout is not None and holder.stdout.readline() == "held\n"
            yield holder
        finally:
            holder.kill()


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Every file below a folder, with what it holds and when it was written."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path): (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


@pytest.fixture
def go_on(tiny_corpora: Path, tiny_pool: Path, tmp_path: Path) -> Callable[..., Outcome]:
    """Train the tiny recipe for two steps, or for as many as asked, into one folder."""

    def train_into(*, steps: int = 2, **options: Any) -> Outcome:
        recipe = tiny_recipe(trainer={**FEW, "steps": steps})
        return train(recipe, corpora=tiny_corpora, pool=tiny_pool, folder=tmp_path / "run", **options)

    return train_into


@pytest.mark.parametrize("resume", [False, True])
def test_the_second_of_two_trainings_changes_nothing(
    go_on: Callable[..., Outcome], tmp_path: Path, resume: bool
) -> None:
    with held_elsewhere(tmp_path / "run"):  # which has not written a checkpoint yet
        before = contents(tmp_path)
        with pytest.raises(TrainingError, match=rf"{tmp_path / 'run'}: {REFUSED}"):
            go_on(resume=resume)
        assert contents(tmp_path) == before


def test_a_killed_training_leaves_no_lock(go_on: Callable[..., Outcome], tmp_path: Path) -> None:
    go_on()
    with held_elsewhere(tmp_path / "run") as first:
        before = contents(tmp_path)
        with pytest.raises(TrainingError, match=REFUSED):
            go_on(steps=4, resume=True)
        assert contents(tmp_path) == before
        assert load_encoder(tmp_path / "run").step == 2, "reading is free to all"
        first.send_signal(signal.SIGKILL if os.name == "posix" else signal.SIGTERM)
        first.wait()
        assert (tmp_path / "run" / RUN_LOCK).exists()
        assert go_on(steps=4, resume=True).step == 4
    assert [line["step"] for line in read_metrics(tmp_path / "run")] == [1, 2, 3, 4]
    assert not (tmp_path / "run" / RUN_LOCK).exists()


def test_two_trainings_of_one_process_are_two_as_well(go_on: Callable[..., Outcome], tmp_path: Path) -> None:
    with locked_run(tmp_path / "run"), pytest.raises(TrainingError, match=REFUSED):
        go_on()
    assert go_on().finished


def test_a_training_that_fails_gives_the_folder_back(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="of the block"), locked_run(tmp_path / "runs" / "run"):
        raise ConfigError("of the block")
    assert list((tmp_path / "runs").iterdir()) == []


def test_a_folder_that_cannot_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("a file")
    refused = pytest.raises(TrainingError, match=r"run: the run cannot be written there \(File exists\)")
    with refused, locked_run(tmp_path / "run"):
        raise AssertionError("nobody may come here")
    assert (tmp_path / "run").read_text() == "a file"


def test_a_second_training_of_a_classifier_keeps_no_clips(people: Path, tmp_path: Path) -> None:
    clips, encoder = read_clips(people), tiny_recipe(loss=[{"name": "softmax"}], trainer=FEW)
    mixtures = GMMRecipe(name="mixtures")
    with held_elsewhere(tmp_path / "run"):
        with pytest.raises(TrainingError, match=REFUSED):
            train_classifier(encoder, clips, corpora=tmp_path, folder=tmp_path / "run")
        with pytest.raises(TrainingError, match=REFUSED):
            train_classic(mixtures, clips, corpora=tmp_path, folder=tmp_path / "run")
        assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [RUN_LOCK]


def test_the_command_says_so_in_one_line(
    tiny_corpora: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def writer(folder: str) -> None:
        raise AssertionError(f"{folder} may be of the run that goes on")

    module = type("module", (), {"SummaryWriter": writer})
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", module)
    (tmp_path / "tiny.toml").write_text(tomli_w.dumps(tiny_table(trainer=FEW)))
    command = ["train", str(tmp_path / "tiny.toml"), "-o", str(tmp_path / "run"), "--tensorboard"]
    with held_elsewhere(tmp_path / "run"):
        said = CliRunner().invoke(app, [*command, "--corpora", str(tiny_corpora)])
        assert (said.exit_code, said.stdout) == (2, "")
        assert said.stderr.startswith(f"Error: {tmp_path / 'run'}: {REFUSED}; wait")
        assert said.stderr.count("\n") == 1
        assert [path.name for path in (tmp_path / "run").iterdir()] == [RUN_LOCK]


def test_where_the_first_of_several_processes_is_refused_all_end(
    tiny_corpora: Path, tiny_pool: Path, tmp_path: Path
) -> None:
    (tmp_path / "tiny.toml").write_text(tomli_w.dumps(tiny_table(trainer=FEW)))
    (tmp_path / "command.py").write_text("from voiceprint.cli import main\n\nmain()\n")
    options = ["-o", str(tmp_path / "run"), "--corpora", str(tiny_corpora), "--pool", str(tiny_pool)]
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    with held_elsewhere(tmp_path / "run"):
        before = contents(tmp_path)
        done = subprocess.run(
            [*torchrun, str(tmp_path / "command.py"), "train", str(tmp_path / "tiny.toml"), *options],
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            timeout=280,
            check=False,
        )
        assert done.returncode != 0
        assert done.stderr.count(REFUSED) == 1
        assert contents(tmp_path) == before
