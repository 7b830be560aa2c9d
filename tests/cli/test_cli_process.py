"""How a command's process ends: Ctrl-C whatever became of it, and streams that are closed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PRESS = "signal.raise_signal(signal.SIGINT)"
# What becomes of KeyboardInterrupt on its way through other people's code.
ENDS = {
    "as it is": PRESS,
    "as another error": f"try:\n        {PRESS}\n    except KeyboardInterrupt:\n        raise ImportError",
    "as an exit": f"try:\n        {PRESS}\n    except KeyboardInterrupt:\n        sys.exit(1)",
}


def run(work: str, before: str = "", shell: str = "") -> subprocess.CompletedProcess[str]:
    """Run a process whose work is the body of a function."""
    listen = "signal.signal(signal.SIGINT, signal.default_int_handler)"
    program = (
        f"import os, signal, sys\n{listen}\n{before}\nfrom voiceprint.cli.process import run_process\n"
        f"def work():\n    {work}\nrun_process(work)\n"
    )
    command = [sys.executable, "-c", program]
    if shell:
        command = ["bash", "-c", f'"$@" {shell}', "bash", *command]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("end", ENDS)
def test_ctrl_c_ends_with_130_and_no_word(end: str) -> None:
    done = run(ENDS[end])
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_sigterm_lets_a_command_remove_what_is_half_written(tmp_path: Path) -> None:
    half = tmp_path / "half"
    work = f"open({str(half)!r}, 'w').close()\n    try:\n        signal.raise_signal(signal.SIGTERM)"
    done = run(f"{work}\n    finally:\n        os.unlink({str(half)!r})")
    assert (done.returncode, done.stdout, done.stderr) == (143, "", "")
    assert not half.exists()


def test_ctrl_c_in_a_finalizer_is_not_lost() -> None:
    finalizer = f"type('Held', (), {{'__del__': lambda self: {PRESS}}})()"
    done = run(f"held = {finalizer}\n    del held\n    import time\n    time.sleep(60)")
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_a_mistake_of_ours_is_shown() -> None:
    done = run("raise ZeroDivisionError")
    assert "ZeroDivisionError" in done.stderr


def test_ctrl_c_that_is_not_for_the_process_is_left_alone() -> None:
    done = run(f"{PRESS}; print('done')", before="signal.signal(signal.SIGINT, signal.SIG_IGN)")
    assert (done.returncode, done.stdout) == (0, "done\n")


# What standard output is, and the exit code; the text is written when the process ends.
OUTPUTS = {
    "reader gone": ("r, w = os.pipe(); os.close(r); os.dup2(w, 1)", 141),
    "disk full": ("os.dup2(os.open('/dev/full', os.O_WRONLY), 1)", 2),
}


@pytest.mark.parametrize("output", OUTPUTS)
def test_what_cannot_be_written_at_the_end_is_no_verdict(output: str) -> None:
    before, code = OUTPUTS[output]
    done = run("print('rejected'); sys.exit(1)", before=before)
    assert (done.returncode, done.stderr) == (code, "")


def test_no_file_becomes_the_standard_output() -> None:
    done = run("os._exit(os.open(os.devnull, os.O_RDONLY))", shell="<&- >&- 2>&-")
    assert done.returncode > 2


@pytest.mark.parametrize(("given", "kept"), [("", "4"), ("26", "26")])
def test_threads_of_numpy_do_not_spin_while_they_have_nothing_to_do(given: str, kept: str) -> None:
    name = "OPENBLAS_THREAD_TIMEOUT"
    environment = {key: value for key, value in os.environ.items() if key != name}
    program = (
        "import os, sys\nfrom voiceprint.cli import main\nsys.argv[1:] = ['--version']\n"
        "try:\n    main()\nfinally:\n"
        f"    print(os.environ[{name!r}], 'numpy' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment | ({name: given} if given else {}), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout.splitlines()[-1] == f"{kept} False"
