"""What measure_verification and measure_strangers share: a corpus measured once, and its people enrolled."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")

import numpy as np  # noqa: E402
from numpy.typing import NDArray  # noqa: E402

from voiceprint.corpus import Corpus, read_manifest  # noqa: E402
from voiceprint.engine.enrollment import CandidateClip, measure_clip  # noqa: E402
from voiceprint.model import SpeakerModel  # noqa: E402
from voiceprint.workers import count_processes, map_with_model  # noqa: E402

RATES = (0.05, 0.01)
"""False-accept rates at which decisions are counted."""


@dataclass(frozen=True, kw_only=True)
class People:
    """The clips of a corpus as the library hears them: read, searched for speech and embedded once.

    Attributes
    ----------
    clips : mapping of str to sequence of CandidateClip
        Of each speaker, in the manifest's order.
    """

    clips: Mapping[str, Sequence[CandidateClip]]

    @property
    def usable(self) -> dict[str, list[CandidateClip]]:
        """The clips with enough speech for a decision."""
        return {
            name: [clip for clip in clips if clip.embedding is not None] for name, clips in self.clips.items()
        }

    @property
    def without_decision(self) -> int:
        """How many clips hold too little speech, or cannot be read."""
        return sum(clip.embedding is None for clips in self.clips.values() for clip in clips)


def measure_people(corpus: Corpus, model: SpeakerModel, *, jobs: int | None = None) -> People:
    """Read, search and embed every clip of a corpus, once."""
    paths = [str(utterance.path) for utterance in corpus]
    clips: dict[str, list[CandidateClip]] = {speaker: [] for speaker in corpus.speakers}
    processes = count_processes(jobs)
    measured = map_with_model(_measure, paths, model, jobs=processes)
    for done, (utterance, clip) in enumerate(zip(corpus, measured, strict=True), start=1):
        clips[utterance.speaker_id].append(clip)
        if sys.stderr.isatty():
            print(f"\r{done} of {len(corpus)} clips", end="", file=sys.stderr)
    return People(clips=clips)


def _measure(model: SpeakerModel, path: str) -> CandidateClip:
    return measure_clip(path, model)


def embeddings_of(clips: Sequence[CandidateClip]) -> NDArray[np.float32]:
    """Stack the embeddings of usable clips: (n, dim)."""
    return np.stack([clip.embedding for clip in clips if clip.embedding is not None])


def parser(description: str) -> argparse.ArgumentParser:
    """Return the options that both scripts have."""
    options = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--corpus", default="speechocean762", help="folder below VOICEPRINT_CORPORA")
    options.add_argument("--split", default="test", help="its split (default: test)")
    options.add_argument("--model", type=Path, help="model folder (default: the packaged one)")
    options.add_argument("--clips", type=int, default=5, help="enrollment clips of a person (default: 5)")
    options.add_argument("--seed", type=int, default=0, help="of every draw (default: 0)")
    options.add_argument("--jobs", type=int, help="processes (default: one for each processor)")
    options.add_argument("--json", action="store_true", help="print one JSON document")
    return options


def open_corpus(options: argparse.Namespace) -> Corpus:
    """Read the split that the options name."""
    root = os.environ.get("VOICEPRINT_CORPORA")
    if not root:
        raise SystemExit("Error: set VOICEPRINT_CORPORA to the folder that holds the corpora")
    return read_manifest(Path(root) / options.corpus).filter(split=options.split)
