"""Count the instructions of a verification, for processors that are not at hand.

    scripts/measure_instructions

Valgrind runs `voiceprint verify` on a made-up clip, and `voiceprint embed` on one and on eleven, each in
one thread, and counts. A count hardly differs between runs, however busy the machine is. Valgrind's
processor has AVX2 and no AVX-512; one whose vectors are half as wide, as on ARM, needs up to twice as many
instructions in the networks. Memory is the most that the command holds without valgrind.
"""

from __future__ import annotations

import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import soundfile

from benchmarks.program import ONE_THREAD, ROOT, BenchmarkError, make_parser
from benchmarks.synthetic_speech import SAMPLE_RATE, VOICES, synthesize
from benchmarks.tables import markdown_table

_MORE = 10  # clips, by which the cost of one is found
_COLLECTED = re.compile(r"^==\d+== Collected : (\d+)", re.MULTILINE)


def main() -> int:
    """Print the table of `_rows`, and the memory."""
    parser = make_parser(__doc__)
    parser.add_argument("--seconds", type=float, default=3.0, metavar="S", help="length of a clip (3)")
    seconds = parser.parse_args().seconds
    if shutil.which("valgrind") is None:
        raise BenchmarkError("valgrind is not installed; on Debian or Ubuntu: sudo apt-get install valgrind")
    with tempfile.TemporaryDirectory() as folder:
        clips = [str(_clip(Path(folder), number, seconds)) for number in range(_MORE + 1)]
        store = ["--store", str(Path(folder) / "store")]
        _run(["enroll", "ada", *clips[:3], *store])
        verify = ["verify", "ada", clips[3], *store, "--allow-replay"]
        _run(verify)
        memory = 1024 * resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss  # kilobytes on Linux
        embed = ["embed", "--jobs", "1", "-o", str(Path(folder) / "embeddings.npz")]
        whole, one, many = (instructions_of(each) for each in (verify, [*embed, clips[0]], [*embed, *clips]))
    rows = [
        ("`voiceprint verify`, from start to end", f"{whole / 1e6:,.0f}"),
        (f"one more clip of {seconds:g} s in a process", f"{(many - one) / _MORE / 1e6:,.0f}"),
    ]
    print(markdown_table(("what", "million instructions"), rows))
    print(f"\nMost memory of `voiceprint verify`: {memory / 1e6:.0f} MB")
    return 0


def instructions_of(arguments: Sequence[str]) -> int:
    """Count the instructions of a command of voiceprint."""
    with tempfile.NamedTemporaryFile() as profile:  # nobody reads it
        valgrind = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={profile.name}"]
        found = _COLLECTED.search(_run(arguments, beneath=valgrind))
    if found is None:
        raise BenchmarkError("valgrind counted no instructions; its version may say it in other words")
    return int(found[1])


def _clip(folder: Path, number: int, seconds: float) -> Path:
    path = folder / f"{number}.wav"
    soundfile.write(path, synthesize(number, seconds, *VOICES["ada"]), SAMPLE_RATE)
    return path


def _run(arguments: Sequence[str], *, beneath: Sequence[str] = ()) -> str:
    """Run a command of voiceprint to its verdict, and return what it says on standard error."""
    done = subprocess.run(
        [*beneath, sys.executable, "-m", "voiceprint", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | ONE_THREAD,
    )
    if done.returncode not in (0, 1):
        raise BenchmarkError(f"voiceprint {arguments[0]} ended with {done.returncode}: {done.stderr[-500:]}")
    return done.stderr
