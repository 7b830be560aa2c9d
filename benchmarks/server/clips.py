"""Clips of 3 s of several people, as WAV files in memory."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path

import soundfile as sf

from benchmarks.program import BenchmarkError
from voiceprint.audio import SAMPLE_RATE, read_audio
from voiceprint.corpus import read_manifest

People = Mapping[str, Sequence[bytes]]
"""Name -> WAV files."""

SECONDS = 3.0
CLIPS = 4  # of each person: three are enrolled, the last one is verified


def read_people(manifest: Path, count: int) -> People:
    """Cut four clips of 3 s of each of the first speakers who have them."""
    people: dict[str, list[bytes]] = {}
    corpus = read_manifest(manifest)
    for speaker, indices in sorted(corpus.by_speaker.items()):
        of_speaker = (corpus[index] for index in indices)
        long = (utterance for utterance in of_speaker if utterance.seconds >= SECONDS + 1)
        clips = [_cut(utterance.path) for utterance in islice(long, CLIPS)]
        if len(clips) == CLIPS:
            people[speaker] = clips
        if len(people) == count:
            return people
    raise BenchmarkError(f"{manifest} lists {len(people)} speakers with {CLIPS} clips; {count} are needed")


def _cut(path: Path) -> bytes:
    start = SAMPLE_RATE // 2
    samples = read_audio(path).samples[start : start + int(SECONDS * SAMPLE_RATE)]
    file = io.BytesIO()
    sf.write(file, samples, SAMPLE_RATE, format="WAV")
    return file.getvalue()
