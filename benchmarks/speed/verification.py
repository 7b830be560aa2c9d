"""Time `voiceprint verify` beside the same job done with Resemblyzer 0.1.4, in one run on one clip.

    VOICEPRINT_CORPORA=corpora scripts/benchmark_runtime
    scripts/benchmark_runtime --clips me-1.wav me-2.wav me-3.wav new.wav --json

The job: a fresh process reads a stored voiceprint and a clip of 3 s, decides whether they are of one person,
and says so. The same clip is verified each time, so replays are allowed. Processes of both take turns, and
medians by the clock are compared. Inside one process the steps are timed again and again once everything is
loaded, by processor time. Everything runs on one thread. Resemblyzer is used as its README does, in an
environment of its own (.venv-peers), which is made where it is missing.

It measures the installation whose Python runs it: .venv/bin/python for all extras, .venv-demo/bin/python for
none. Bytecode is used as pip leaves it, whatever PYTHONDONTWRITEBYTECODE says.

The last of the clips is cut to 3 s and verified, the others are enrolled; by default the clips are of the
first dev speaker of speechocean762.
"""

# The process that starts and measures others stays small: a child's peak memory counts its parent's as well.
from __future__ import annotations

import argparse
import csv
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.peers.environment import DEFAULT_ENVIRONMENT, make_environment, peer_command
from benchmarks.program import ROOT, BenchmarkError, command_of, make_parser, output_of
from benchmarks.tables import markdown_table
from benchmarks.timing import peak_bytes_of

SECONDS = 3.0

Figures = dict[str, Any]


def main() -> None:
    """Enroll with both, time both, and print what they took."""
    options = _parse()
    make_environment(options.environment)
    with tempfile.TemporaryDirectory() as folder:
        clip = _prepare(Path(folder), options)
        found = _measure(Path(folder), clip, options)
    print(json.dumps(found, indent=2) if options.json else verification_table(found))


def _parse() -> argparse.Namespace:
    parser = make_parser(__doc__)
    parser.add_argument("--clips", nargs="+", type=Path, help="two or more recordings of one person")
    parser.add_argument("--model", type=Path, help="model folder (default: the packaged one)")
    parser.add_argument("--repetitions", type=int, default=9, help="processes of each (default: 9)")
    parser.add_argument("--environment", type=Path, default=DEFAULT_ENVIRONMENT, help="of Resemblyzer")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    return parser.parse_args()


def _prepare(folder: Path, options: argparse.Namespace) -> Path:
    """Enroll with both, in processes of their own, and return the clip to verify."""
    clips = [str(path.absolute()) for path in options.clips or _first_speaker()]
    if len(clips) < 2:
        raise BenchmarkError("--clips needs two or more recordings, the last of which is verified")
    clip = folder / "clip.wav"
    output_of([*command_of("benchmarks.speed.our_steps"), "cut", clips[-1], str(clip), str(SECONDS)])
    output_of([*_voiceprint("enroll", options, folder), "ada", *clips[:-1]])
    peer = peer_command(options.environment, "resemblyzer_steps")
    output_of([*peer, "enroll", str(folder / "ada.npy"), *clips[:-1]])
    return clip


def _first_speaker() -> list[Path]:
    """Return six clips of a dev speaker, the longest last."""
    corpora = os.environ.get("VOICEPRINT_CORPORA")
    if not corpora:
        raise BenchmarkError("give --clips, or set VOICEPRINT_CORPORA to the folder of the corpora")
    folder = Path(corpora) / "speechocean762"
    with (folder / "manifest.csv").open(encoding="utf-8", newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["split"] == "dev"]
    of_first = [row for row in rows if row["speaker"] == rows[0]["speaker"]]
    ordered = sorted(of_first, key=lambda row: float(row["seconds"]))
    return [folder / row["path"] for row in ordered[-6:]]


def _voiceprint(verb: str, options: argparse.Namespace, folder: Path) -> list[str]:
    """Return a command of the ``voiceprint`` beside this Python."""
    program = Path(sys.executable).with_name("voiceprint")
    if not program.exists():
        raise BenchmarkError(f"{program} is not there; run this in the environment that holds voiceprint")
    model = ["--model", str(options.model.absolute())] if options.model else []
    return [str(program), verb, "--store", str(folder / "store"), *model]


def _measure(folder: Path, clip: Path, options: argparse.Namespace) -> Figures:
    peer = peer_command(options.environment, "resemblyzer_steps")
    sizes = peer_command(options.environment, "installed_size")
    model = str(options.model.absolute()) if options.model else ""
    commands = {
        "voiceprint": [*_voiceprint("verify", options, folder), "ada", str(clip), "--allow-replay"],
        "resemblyzer": [*peer, "verify", str(folder / "ada.npy"), str(clip)],
    }
    processes = _time_processes(commands, options.repetitions)
    steps = {
        "voiceprint": _medians(
            output_of([*command_of("benchmarks.speed.our_steps"), "time", str(clip), model])
        ),
        "resemblyzer": _medians(output_of([*peer, "time", str(clip)])),
    }
    installed = {
        "voiceprint": output_of(
            [*command_of("benchmarks.peers.programs.installed_size"), "voiceprint-engine"]
        ),
        "resemblyzer": output_of([*sizes, "resemblyzer"]),
    }
    return {
        "seconds_of_audio": SECONDS,
        "repetitions": options.repetitions,
        "processes": processes,
        "times_faster": processes["resemblyzer"]["median"] / processes["voiceprint"]["median"],
        "steps": steps,
        "embedding_of_real_time": steps["voiceprint"]["embed"] / SECONDS,
        "installed": {name: json.loads(size) for name, size in installed.items()},
    }


def _medians(printed: str) -> Figures:
    """Read what a program printed, with medians in the places of lists."""
    return {
        name: statistics.median(value) if isinstance(value, list) else value
        for name, value in json.loads(printed).items()
    }


def _time_processes(commands: Mapping[str, Sequence[str]], repetitions: int) -> dict[str, dict[str, float]]:
    """Run the commands in turn; the first round only warms the file cache."""
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    processor: dict[str, list[float]] = {name: [] for name in commands}
    peaks: dict[str, int] = dict.fromkeys(commands, 0)
    for repetition in range(repetitions + 1):
        for name, command in commands.items():
            wall, busy, peak = _run_once(command)
            if repetition:
                seconds[name].append(wall)
                processor[name].append(busy)
                peaks[name] = max(peaks[name], peak)
    return {
        name: {
            "median": statistics.median(seconds[name]),
            "fastest": min(seconds[name]),
            "slowest": max(seconds[name]),
            "processor_seconds": statistics.median(processor[name]),
            "peak_bytes": peaks[name],
        }
        for name in commands
    }


def _run_once(command: Sequence[str]) -> tuple[float, float, int]:
    """Return seconds by the clock, seconds of processor time, and peak memory in bytes."""
    # An installed program finds its bytecode; without this, a checkout's would be compiled each time.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with tempfile.TemporaryFile() as output:
        begin = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT, env=environment
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - begin
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode not in (0, 1):  # accepted, rejected
            output.seek(0)
            raise BenchmarkError(f"{' '.join(command)}:\n{output.read().decode(errors='replace')}")
    return wall, usage.ru_utime + usage.ru_stime, peak_bytes_of(usage)


TARGETS = {
    "process_seconds": 0.7,  # at most
    "times_faster": 4.0,  # at least
    "embedding_of_real_time": 0.003,  # at most
}


def verification_table(found: Mapping[str, Any]) -> str:
    """Return the table of what was measured (`benchmarks.speed.verification`)."""
    names = ("voiceprint", "resemblyzer")
    own, peer = (found["processes"][name] for name in names)
    own_steps, peer_steps = (found["steps"][name] for name in names)
    seconds = found["seconds_of_audio"]

    def each_second(step_seconds: float) -> str:
        return f"{1000 * step_seconds / seconds:.2f}"

    whole = sum(own_steps[step] for step in ("decode", "find_speech", "embed"))
    peer_whole = peer_steps["decode and find_speech"] + peer_steps["embed"]
    rows = [
        (
            "verify, whole process, s",
            *(f"{process['median']:.2f}" for process in (own, peer)),
            _verdict(own["median"], "process_seconds"),
        ),
        ("  fastest to slowest, s", _span(own), _span(peer), ""),
        (
            "  times faster",
            f"{found['times_faster']:.1f}",
            "1",
            _verdict(found["times_faster"], "times_faster"),
        ),
        ("  processor time, s", *(f"{process['processor_seconds']:.2f}" for process in (own, peer)), ""),
        ("  peak memory, MB", *(f"{process['peak_bytes'] / 1e6:.0f}" for process in (own, peer)), ""),
        (
            "embedding alone, fraction of real time",
            *(f"1/{seconds / steps['embed']:.0f}" for steps in (own_steps, peer_steps)),
            _verdict(found["embedding_of_real_time"], "embedding_of_real_time"),
        ),
        ("decoding, ms a second of audio", each_second(own_steps["decode"]), "", ""),
        ("finding speech, ms a second of audio", each_second(own_steps["find_speech"]), "", ""),
        (
            "embedding, ms a second of audio",
            *(each_second(steps["embed"]) for steps in (own_steps, peer_steps)),
            "",
        ),
        ("all three, ms a second of audio", each_second(whole), each_second(peer_whole), ""),
        (
            f"installed, MB (packages; torch {peer_steps['torch']})",
            *(_installed(found["installed"][name]) for name in names),
            "",
        ),
    ]
    title = (
        f"A clip of {seconds:g} s, one thread, medians of {found['repetitions']} processes each in turn:\n\n"
    )
    return title + markdown_table(("", "voiceprint", "Resemblyzer 0.1.4", "target"), rows)


def _verdict(value: float, target: str) -> str:
    limit = TARGETS[target]
    asked = f"under 1/{1 / limit:.0f}" if limit < 0.1 else f"under {limit:g}"
    met = value < limit
    if target == "times_faster":
        asked, met = f"at least {limit:g}", value >= limit
    return f"{asked}: {'met' if met else 'MISSED'}"


def _span(process: Mapping[str, float]) -> str:
    return f"{process['fastest']:.2f} to {process['slowest']:.2f}"


def _installed(sizes: Mapping[str, float]) -> str:
    return f"{sizes['bytes'] / 1e6:.0f} ({sizes['packages']})"
