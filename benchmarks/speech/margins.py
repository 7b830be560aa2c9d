"""Compare how much around speech is embedded with it, on dev speakers. Prints a table of explanation/vad.md.

    VOICEPRINT_CORPORA=corpora scripts/compare_margins

EER in % over all pairs of up to 20 clips of each dev speaker, each clip clean, and with noise at 10 dB.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.program import add_corpora, make_parser
from benchmarks.tables import markdown_table
from voiceprint.audio import Waveform, find_audio, read_audio
from voiceprint.audio.clips import MIN_SPEECH, with_margins
from voiceprint.audio.degrade import add_background
from voiceprint.audio.vad import Speech, find_speech
from voiceprint.corpus import Corpus, read_manifest
from voiceprint.evaluation.scores import all_pairs
from voiceprint.metrics import eer_interpolated
from voiceprint.model import SpeakerModel

Samples = NDArray[np.float32]

CORPORA = ("speechocean762", "librispeech", "arabic_speech_commands")
CLIPS = 20  # of a speaker
MARGINS = (0.0, 0.1, 0.2, 0.3)  # seconds
SNR = 10.0  # dB


def main() -> None:
    """Print a row for each margin."""
    parser = make_parser(__doc__)
    add_corpora(parser)
    parser.add_argument("--model", help="name or folder (the default model)")
    parser.add_argument("--seed", type=int, default=0, help="of the clips and the noise drawn (0)")
    options = parser.parse_args()
    model = SpeakerModel.open(options.model)
    noises = [read_audio(path).samples for path in find_audio([options.corpora / "noise"])]
    columns: list[dict[str, float]] = []
    for noisy in (False, True):
        for name in CORPORA:
            rng = np.random.default_rng(options.seed)
            corpus = read_manifest(options.corpora / name / "manifest.csv").filter(split="dev")
            columns.append(_rates(corpus, model, noises if noisy else [], rng))
    print(f"{model.card.title}, seed {options.seed}\n")
    heads = ["embedded", *CORPORA, *(f"{name}, {SNR:g} dB of noise" for name in CORPORA)]
    rows = [[way, *(f"{100 * column[way]:.2f}" for column in columns)] for way in columns[0]]
    print(markdown_table(heads, rows))


def _rates(
    corpus: Corpus, model: SpeakerModel, noises: list[Samples], rng: np.random.Generator
) -> dict[str, float]:
    """EER of each way to embed the clips of a corpus."""
    speakers: list[str] = []
    embeddings: dict[str, list[Samples]] = {}
    for speaker, path in _drawn(corpus, rng):
        waveform = read_audio(path)
        if noises:
            stretch = np.resize(noises[rng.integers(len(noises))], len(waveform.samples))
            waveform = replace(waveform, samples=add_background(waveform.samples, stretch, snr_db=SNR))
        speakers.append(speaker)
        for way, samples in _ways(waveform, find_speech(waveform)).items():
            embeddings.setdefault(way, []).append(model.embed([samples])[0])
    return {
        way: eer_interpolated(all_pairs(np.array(rows), speakers).curve) for way, rows in embeddings.items()
    }


def _drawn(corpus: Corpus, rng: np.random.Generator) -> Iterator[tuple[str, Path]]:
    """Draw up to `CLIPS` clips of each speaker."""
    for speaker in corpus.speakers:
        paths = [utterance.path for utterance in corpus if utterance.speaker_id == speaker]
        for place in rng.permutation(len(paths))[:CLIPS]:
            yield speaker, paths[place]


def _ways(waveform: Waveform, speech: Speech) -> dict[str, Samples]:
    """What could be embedded of a clip; always the whole clip where hardly any of it is speech."""
    samples, spoken = waveform.samples, speech.segments
    enough = speech.seconds >= MIN_SPEECH
    found = {
        f"speech and {seconds:g} s around": with_margins(waveform, speech, seconds) if enough else samples
        for seconds in MARGINS
    }
    found["from the first speech to the last"] = (
        samples[spoken[0].start : spoken[-1].stop] if enough else samples
    )
    found["the whole clip"] = samples
    return found
