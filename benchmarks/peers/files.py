"""The files between us and the peers: clips that they read, embeddings that they write. numpy alone."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]


def read_clips(path: Path) -> list[Samples]:
    """Return the clips of a file, float32 in [-1, 1] at 16 kHz."""
    with np.load(path, allow_pickle=False) as arrays:
        samples, starts = arrays["samples"], arrays["starts"]
    return [samples[a:b].astype(np.float32) / 32768.0 for a, b in itertools.pairwise(starts)]


def write_clips(path: Path, clips: Sequence[Samples]) -> None:
    """Write clips: ``samples`` (total,) int16 and ``starts`` (n + 1,)."""
    samples = [np.clip(np.rint(clip * 32768.0), -32768, 32767).astype(np.int16) for clip in clips]
    starts = np.cumsum([0, *map(len, clips)], dtype=np.int64)
    _write(path, samples=np.concatenate(samples), starts=starts)


def write_embeddings(path: Path, embeddings: Mapping[int, Samples], failed: Mapping[int, str]) -> None:
    """Write embeddings by the row of their clip, and the rows that failed with the reasons.

    A row may be in both: it was answered, but not with anything about the clip.
    """
    _write(
        path,
        rows=np.array(list(embeddings), dtype=np.int64),
        embeddings=np.array(list(embeddings.values()), dtype=np.float32),
        failed=np.array(list(failed), dtype=np.int64),
        reasons=np.array(list(failed.values()), dtype=np.str_),
    )


def _write(path: Path, **arrays: NDArray[np.generic]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".part")
    with partial.open("wb") as stream:
        np.savez(stream, **arrays)  # type: ignore[arg-type]  # its stub takes them for `allow_pickle`
    partial.replace(path)
