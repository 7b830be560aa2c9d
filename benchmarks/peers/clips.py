"""The clips that every system embeds, as files of samples: whole splits, and one split made harder."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.peers.files import read_clips, write_clips
from voiceprint.audio import SAMPLE_RATE, read_audio
from voiceprint.audio.conditions import CONDITIONS, EDITION, degrade
from voiceprint.audio.degrade import loudest
from voiceprint.corpus import Corpus, Utterance, read_manifest

Samples = NDArray[np.float32]

CUTS = {"1 s": 1.0}
"""Conditions that cut clips to their loudest stretch of these seconds; shorter clips stay whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipSet:
    """Clips in a file, and who speaks in each.

    Parameters
    ----------
    path : Path
        ``samples`` (total,) int16 at 16 kHz and ``starts`` (n + 1,); what the systems read.
    ids, speakers, splits : ndarray of str, shape (n,)
    fingerprint : str
        sha256 of the samples and borders.
    """

    path: Path
    ids: NDArray[np.str_]
    speakers: NDArray[np.str_]
    splits: NDArray[np.str_]
    fingerprint: str

    def __len__(self) -> int:
        return len(self.ids)

    def read(self) -> list[Samples]:
        """Return the clips, float32 in [-1, 1]."""
        return read_clips(self.path)


def prepare_clips(
    corpora: Path,
    folder: Path,
    name: str,
    *,
    corpus: str,
    split: str | None,
    condition: str = "clean",
    limit: int = 0,
) -> ClipSet:
    """Decode a split, degrade it, and store it; or open what was stored.

    Parameters
    ----------
    corpus, split : str
        The corpus, and which split of it; None takes all.
    condition : str
        ``clean``, a key of `CUTS`, or one of `voiceprint.audio.conditions.CONDITIONS`.
    limit : int
        Only this many clips of every speaker, the first; 0 for all.
    """
    chosen = _read_corpus(corpora / corpus / "manifest.csv", corpus, split).first_clips(limit)
    edition = f"-{EDITION}" if condition in CONDITIONS else ""
    path = folder / f"{name}-{chosen.fingerprint[:8]}{edition}.npz"
    if not path.exists():
        clips = [read_audio(utterance.path).samples for utterance in chosen]
        write_clips(path, degrade_clips(clips, chosen, condition))
    return ClipSet(
        path=path,
        ids=np.array([utterance.id for utterance in chosen]),
        speakers=np.array([utterance.speaker for utterance in chosen]),
        splits=np.array([utterance.split for utterance in chosen]),
        fingerprint=_fingerprint(path),
    )


def degrade_clips(clips: list[Samples], chosen: Corpus, condition: str) -> list[Samples]:
    """Degrade clips: the name of each alone decides what is drawn for it."""
    if condition == "clean":
        return clips
    if condition in CUTS:
        return [loudest(clip, round(CUTS[condition] * SAMPLE_RATE)) for clip in clips]
    change = CONDITIONS[condition]
    return [
        degrade(clip, change, clip=utterance.id, others=_others(clips, chosen, utterance, change.others))
        for clip, utterance in zip(clips, chosen, strict=True)
    ]


def _others(clips: list[Samples], chosen: Corpus, utterance: Utterance, count: int) -> list[Samples]:
    """Draw clips of other speakers, by the name of the clip that they will stand behind."""
    if not count:
        return []
    of_others = [index for index, other in enumerate(chosen) if other.speaker != utterance.speaker]
    generator = np.random.default_rng(list(hashlib.sha256(utterance.id.encode()).digest()[:16]))
    return [clips[index] for index in generator.permutation(of_others)[:count]]


def _read_corpus(manifest: Path, name: str, split: str | None) -> Corpus:
    corpus = read_manifest(manifest, name=name)
    return corpus if split is None else corpus.filter(split=split)


def _fingerprint(path: Path) -> str:
    with np.load(path, allow_pickle=False) as arrays:
        return hashlib.sha256(arrays["starts"].tobytes() + arrays["samples"].tobytes()).hexdigest()
