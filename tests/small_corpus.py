"""A corpus of synthetic speech for tests: the six voices of conftest, some clips each, with a manifest."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import soundfile

from benchmarks.synthetic_speech import VOICES
from voiceprint.corpus import Corpus, Utterance, write_manifest

CLIPS, SECONDS = 4, 2.0


def write_small_corpus(
    folder: Path, voice: Callable[..., object], *, clips: int = CLIPS, seconds: float = SECONDS
) -> Corpus:
    """Write ``NAME/0.wav`` ... and ``manifest.csv``; even clips are session ``am``, odd ones ``pm``."""
    utterances = []
    for name in VOICES:
        (folder / name).mkdir(parents=True)
        for clip in range(clips):
            path = folder / name / f"{clip}.wav"
            soundfile.write(path, voice(name, 100 + clip, seconds), 16000)
            utterances.append(
                Utterance(
                    path=path,
                    speaker=name,
                    seconds=seconds,
                    id=f"{name}/{clip}.wav",
                    session=("am", "pm")[clip % 2],
                    split="test",
                    gender="f" if name in {"ada", "cleo", "edda"} else "m",
                    corpus=folder.name,
                )
            )
    corpus = Corpus(utterances)
    write_manifest(corpus, folder / "manifest.csv")
    return corpus
