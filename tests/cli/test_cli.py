"""The command line itself: what is true of every command. The commands have test files of their own."""

from __future__ import annotations

import errno
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from voiceprint.cli import app
from voiceprint.cli.commands import COMMANDS, load_command
from voiceprint.cli.terminal import count, json_value, number, plain, print_table
from voiceprint.errors import StoreError, VoiceprintError
from voiceprint.store import EnrollmentStore

runner = CliRunner()


def leaves() -> list[tuple[str, ...]]:
    """List every command and sub-command."""
    found: list[tuple[str, ...]] = []
    for name in COMMANDS:
        command = load_command(name)
        found += [(name, sub) for sub in command.commands] if hasattr(command, "commands") else [(name,)]
    return found


def example_lines(help_text: str) -> list[str]:
    """Return what ``voiceprint`` is called with in the examples of a help text."""
    lines = [line.strip() for line in help_text.rsplit("Example", maxsplit=1)[-1].splitlines()[1:]]
    calls = [part.strip() for line in lines for part in line.split("|")]
    return [call for call in calls if call.startswith("voiceprint ")]


@pytest.mark.parametrize("path", leaves(), ids=" ".join)
def test_every_command_has_help_with_an_example_that_parses(path: tuple[str, ...]) -> None:
    result = runner.invoke(app, [*path, "--help"])
    assert result.exit_code == 0
    examples = example_lines(result.stdout)
    assert examples, f"voiceprint {' '.join(path)} --help shows no example"
    for example in examples:
        _, *arguments = shlex.split(example)
        command = load_command(arguments.pop(0))
        while hasattr(command, "commands"):
            command = command.commands[arguments.pop(0)]
        command.make_context("voiceprint", arguments)  # raises a usage error if it does not parse


@pytest.mark.parametrize("path", leaves(), ids=" ".join)
def test_every_option_says_what_it_is_for(path: tuple[str, ...]) -> None:
    command = load_command(path[0])
    for name in path[1:]:
        command = command.commands[name]
    silent = [parameter.name for parameter in command.params if not getattr(parameter, "help", None)]
    assert not silent


def test_help_lists_every_command() -> None:
    result = runner.invoke(app, ["--help"])
    assert result.exit_code == 0
    assert all(f"\n  {name} " in result.stdout for name in COMMANDS)


def test_the_version_is_printed() -> None:
    result = runner.invoke(app, ["--version"])
    assert result.exit_code == 0
    assert result.stdout.startswith("voiceprint 0.")


@pytest.mark.parametrize("arguments", [["nonsense"], ["verify"], ["verify", "ada"], ["list", "--nonsense"]])
def test_usage_errors_exit_with_2(arguments: list[str]) -> None:
    result = runner.invoke(app, arguments)
    assert result.exit_code == 2
    assert "Error: " in result.stderr


def stand_in(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """Make `voiceprint list` raise an error."""

    def fail() -> None:
        """Fail."""
        raise error

    single = typer.Typer(add_completion=False)
    single.command()(fail)
    monkeypatch.setattr("voiceprint.cli.commands.load_command", lambda name: typer.main.get_command(single))


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (VoiceprintError("two\nlines \x1b[31mred"), "Error: two lines \\x1b[31mred\n"),
        (
            OSError(errno.ENOSPC, "No space left on device", "out.npz"),
            "Error: out.npz: No space left on device\n",
        ),
        (OSError("strange"), "Error: strange\n"),
    ],
)
def test_errors_are_one_line_on_standard_error_and_exit_2(
    monkeypatch: pytest.MonkeyPatch, error: Exception, line: str
) -> None:
    stand_in(monkeypatch, error)
    result = runner.invoke(app, ["list"])
    assert (result.exit_code, result.stdout, result.stderr) == (2, "", line)


def test_ctrl_c_exits_with_130(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(monkeypatch, KeyboardInterrupt())
    assert runner.invoke(app, ["list"]).exit_code == 130


def test_mistakes_of_ours_keep_their_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(monkeypatch, ZeroDivisionError())
    assert isinstance(runner.invoke(app, ["list"]).exception, ZeroDivisionError)


def test_text_cannot_steer_the_terminal() -> None:
    assert plain("ada \x1b[2J\r\n\u202eevil") == "ada \\x1b[2J\\r\\n\\u202eevil"
    assert plain("Zoë 👩‍🔬 [bold]") == "Zoë 👩‍🔬 [bold]"
    assert plain("\udcff") == "\\udcff"


def test_json_holds_no_nan() -> None:
    assert json_value({"a": [float("nan"), float("inf"), 1.5, None, True], "p": Path("x")}) == {
        "a": [None, None, 1.5, None, True],
        "p": "x",
    }


def test_small_words() -> None:
    assert (count(1, "clip"), count(2, "clip"), count(2, "person", "people")) == (
        "1 clip",
        "2 clips",
        "2 people",
    )
    assert (number(None), number(1.256), number(3.0, 0, " s")) == ("-", "1.26", "3 s")


def voiceprint(
    *arguments: str | Path, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from voiceprint.cli import main; main()", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env=env,
    )


NOT_FOR_HELP = (
    "torch torchaudio librosa sklearn scipy matplotlib faiss onnx av rich pydantic fastapi tomli_w asyncio "
    "multiprocessing importlib.metadata"
)
"""Modules whose import takes longer than what waits for it."""

NOT_FOR_VERIFYING = (
    "numpy.ma voiceprint.corpus voiceprint.trials voiceprint.evaluation voiceprint.training "
    "voiceprint.metrics voiceprint.diarization voiceprint.calibration.fitting voiceprint.engine.session "
    "voiceprint.audio.live_clip voiceprint.store.exchange voiceprint.store.copying voiceprint.model.card_page"
)


def test_verify_loads_only_what_it_needs(tmp_path: Path, model_folder: Path, people: Path) -> None:
    assert voiceprint("enroll", "ada", people / "ada", "--model", model_folder).returncode == 0
    code = (
        "import sys\nfrom voiceprint.cli import app\n"
        f"app(['verify', 'ada', {str(people / 'ada/3.wav')!r}, '--model', {str(model_folder)!r}, "
        "'--far', '0.01'], standalone_mode=False)\n"
        "print(*sorted(set(sys.modules) & set(sys.argv[1].split())))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, f"{NOT_FOR_HELP} {NOT_FOR_VERIFYING}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.splitlines()[-1] == ""


def test_help_loads_no_numpy() -> None:
    code = (
        "import sys\nfrom voiceprint.cli import app\n"
        "try:\n    app(['--help'])\nexcept SystemExit:\n"
        "    print(*sorted(set(sys.modules) & set(sys.argv[1].split())))"
    )
    command = [sys.executable, "-c", code, f"{NOT_FOR_HELP} numpy sqlite3 voiceprint.store voiceprint.engine"]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == ""


def test_a_reader_that_leaves_early_causes_no_noise(tmp_path: Path) -> None:
    command = f"{shlex.quote(sys.executable)} -c 'from voiceprint.cli import main; main()' --help | true"
    result = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert result.stderr == ""


def test_names_survive_a_terminal_that_cannot_show_them(model_folder: Path, people: Path) -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    enrolled = voiceprint("enroll", "Zoë 🎤", people / "ada", "--model", model_folder, env=environment)
    assert (enrolled.returncode, enrolled.stderr) == (0, "")
    listed = voiceprint("list", env=environment)
    assert "Zo\\xeb \\U0001f3a4" in listed.stdout


_MANY = 120  # people: enough that a quick machine is not done before it is interrupted


def test_bulk_enrollment_ends_cleanly_on_ctrl_c_and_goes_on_afterwards(
    tmp_path: Path, model_folder: Path, people: Path
) -> None:
    for person in range(_MANY):
        folder = tmp_path / "many" / f"person {person}"
        folder.mkdir(parents=True)
        for clip in range(2):
            (folder / f"{clip}.wav").symlink_to(people / "ada" / f"{clip}.wav")
    store = tmp_path / "store"
    # A shell starts what runs in its background with SIGINT ignored, and children inherit that.
    listen = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    command = [sys.executable, "-c", f"{listen}; from voiceprint.cli import main; main()", "enroll", "--from"]
    options = [str(tmp_path / "many"), "--model", str(model_folder), "--store", str(store)]
    process = subprocess.Popen(
        [*command, *options, "--jobs", "2"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    while process.poll() is None and not enrolled(store):
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to every process of the group
    _, stderr = process.communicate(timeout=60)
    assert (process.returncode, stderr) == (130, "")
    before = enrolled(store)
    assert 0 < before < _MANY
    again = runner.invoke(app, ["enroll", "--from", *options, "--jobs", "1"])
    # Before it stands a remark for everybody: all of them gave the same recordings.
    assert again.stdout.splitlines()[-1] == f"{_MANY - before} people enrolled, {before} skipped, 0 refused"
    assert enrolled(store) == _MANY


def enrolled(store: Path) -> int:
    try:
        with EnrollmentStore.open(store, read_only=True) as opened:
            return len(opened)
    except StoreError:  # it is not there yet, or just being made
        return 0


def test_training_without_its_extra_says_what_to_install(tmp_path: Path) -> None:
    hide = "import sys; sys.modules['torch'] = None; from voiceprint.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", hide, "train", "configs/default.toml", "-o", "run"],
        capture_output=True, text=True, cwd=tmp_path, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    wanted = "Error: this needs torch; install it with: pip install 'voiceprint-engine[train]'\n"
    assert (done.stdout, done.stderr) == ("", wanted)


def test_a_table_in_a_pipe_has_no_blanks_at_the_ends_of_its_lines(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("name", "what"), [("a", "short"), ("b", "long " * 60)])
    lines = capsys.readouterr().out.splitlines()
    assert [line.rstrip() for line in lines] == lines
    assert lines[0].split() == ["name", "what"]
