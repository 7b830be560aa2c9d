"""A corpus measured once, and its people enrolled: what verification and identification share."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from benchmarks.program import add_corpora, make_parser
from voiceprint.calibration import TrialShape
from voiceprint.corpus import Corpus, read_manifest
from voiceprint.engine.enrollment import CandidateClip
from voiceprint.engine.measuring import measure_clip
from voiceprint.engine.verifier import Verifier
from voiceprint.model import SpeakerModel
from voiceprint.workers import count_processes, map_with_model

ClipsOf = Mapping[str, Sequence[CandidateClip]]
"""The clips of each speaker, in the manifest's order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TestClips:
    """Clips that nobody enrolled; one entry for each.

    Attributes
    ----------
    speakers : ndarray of str, shape (n,)
    embeddings : ndarray of float32, shape (n, dim)
    seconds : ndarray of float64, shape (n,)
        Of speech.
    snr_db : ndarray of float64, shape (n,)
        NaN where it is not known.
    """

    speakers: NDArray[np.str_]
    embeddings: NDArray[np.float32]
    seconds: NDArray[np.float64]
    snr_db: NDArray[np.float64]

    @classmethod
    def of(cls, clips: ClipsOf) -> Self:
        """Stack clips that have an embedding."""
        pairs = [(name, clip) for name, of_speaker in clips.items() for clip in of_speaker]
        return cls(
            speakers=np.array([name for name, _ in pairs]),
            embeddings=np.stack([clip.embedding for _, clip in pairs if clip.embedding is not None]),
            seconds=np.array([clip.seconds_of_speech for _, clip in pairs]),
            snr_db=np.array([_snr_db(clip) for _, clip in pairs], dtype=np.float64),
        )

    def __len__(self) -> int:
        return len(self.speakers)

    def against(self, voiceprints: Voiceprints) -> TrialShape:
        """Return the shape of every trial: (n, voiceprints)."""
        return TrialShape(
            n_enroll=voiceprints.n_clips, seconds=self.seconds[:, None], snr_db=self.snr_db[:, None]
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Voiceprints:
    """Who is enrolled; one entry for each, of centroids (k, dim) a row."""

    names: NDArray[np.str_]
    n_clips: NDArray[np.int64]
    centroids: NDArray[np.float32]

    @classmethod
    def of(cls, verifier: Verifier) -> Self:
        """Read everybody who is enrolled."""
        enrolled = [verifier.show(name) for name in verifier.speakers()]
        return cls(
            names=np.array([enrollment.name for enrollment in enrolled]),
            n_clips=np.array([enrollment.n_utterances for enrollment in enrolled]),
            centroids=np.stack([enrollment.centroid for enrollment in enrolled]),
        )


def measure_people(
    corpus: Corpus, model: SpeakerModel, *, jobs: int | None = None
) -> tuple[dict[str, list[CandidateClip]], int]:
    """Read, search and embed every clip of a corpus, once.

    Returns
    -------
    dict of str to list of CandidateClip
        The clips of each speaker that have enough speech for a decision.
    int
        How many clips hold too little speech, or cannot be read.
    """
    paths = [str(utterance.path) for utterance in corpus]
    clips: dict[str, list[CandidateClip]] = {speaker: [] for speaker in corpus.speakers}
    measured = map_with_model(_measure, paths, model, jobs=count_processes(jobs))
    without_decision = 0
    for done, (utterance, clip) in enumerate(zip(corpus, measured, strict=True), start=1):
        if clip.embedding is None:
            without_decision += 1
        else:
            clips[utterance.speaker_id].append(clip)
        if sys.stderr.isatty():
            print(f"\r{done} of {len(corpus)} clips", end="", file=sys.stderr)
    return clips, without_decision


def _measure(model: SpeakerModel, path: str) -> CandidateClip:
    return measure_clip(path, model)


def _snr_db(clip: CandidateClip) -> float | None:
    quality = clip.report.quality
    return None if quality is None else quality.snr_db


def make_accuracy_parser(description: str | None) -> argparse.ArgumentParser:
    """Return the options that both programs have."""
    parser = make_parser(description)
    add_corpora(parser)
    parser.add_argument("--corpus", default="speechocean762", help="folder below the root of the corpora")
    parser.add_argument("--split", default="test", help="its split (default: test)")
    parser.add_argument("--model", type=Path, help="model folder, or name (default: the one in use)")
    parser.add_argument("--clips", type=int, default=5, help="enrollment clips of a person (default: 5)")
    parser.add_argument("--seed", type=int, default=0, help="of every draw (default: 0)")
    parser.add_argument("--jobs", type=int, help="processes (default: one for each processor)")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    return parser


def open_corpus(options: argparse.Namespace) -> Corpus:
    """Read the split that the options name."""
    return read_manifest(options.corpora / options.corpus).filter(split=options.split)
