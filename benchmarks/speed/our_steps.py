"""Cut a clip to 3 s, or time the steps of verifying one: in processes of their own.

python -m benchmarks.speed.our_steps cut SOURCE TARGET SECONDS
python -m benchmarks.speed.our_steps time CLIP MODEL
"""

from __future__ import annotations

import json
import sys

import soundfile

from benchmarks.program import BenchmarkError
from benchmarks.timing import repeat
from voiceprint.audio import SAMPLE_RATE, read_audio
from voiceprint.audio.vad import find_speech
from voiceprint.model import SpeakerModel


def main() -> None:
    """Do what the command line says; ``time`` prints the processor seconds of each repetition as JSON."""
    verb, *given = sys.argv[1:]
    if verb == "cut":
        _cut(given[0], given[1], float(given[2]))
    else:
        print(json.dumps(_time(given[0], given[1])))


def _cut(source: str, target: str, seconds: float) -> None:
    """Write the beginning of a clip as a wav file of 16 bits at 16 kHz."""
    samples = read_audio(source).samples[: round(seconds * SAMPLE_RATE)]
    if len(samples) < seconds * SAMPLE_RATE:
        raise BenchmarkError(f"{source} is shorter than {seconds:g} s")
    soundfile.write(target, samples, SAMPLE_RATE, subtype="PCM_16")


def _time(clip: str, folder: str) -> dict[str, list[float]]:
    """Time decoding, finding speech and embedding."""
    model = SpeakerModel.open(folder or None, threads=1)
    waveform = read_audio(clip)
    return {
        "decode": repeat(lambda: read_audio(clip), times=30),
        "find_speech": repeat(lambda: find_speech(waveform), times=30),
        "embed": repeat(lambda: model.embed([waveform.samples]), times=30),
    }
