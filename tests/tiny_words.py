"""A tiny word checker for tests: a word is a soft tone, high above every synthetic voice.

So a test lets a voice say words without changing what it sounds like.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from voiceprint.challenge import WORDS
from voiceprint.challenge.card import NETWORK_FILE, WordCard, write_word_card
from voiceprint.challenge.checker import CLASSES
from voiceprint.files.checksum import sha256_of

RATE = 16_000
_FRAME = 320  # samples
_TONES = 7000.0 + 50.0 * np.arange(len(WORDS))  # Hz
_LOUD = 0.02
_SAID, _BLANK = 40.0, 20.0  # logits of a word that sounds, and of none


def write_tiny_words(folder: Path) -> Path:
    """Write a word checker's folder."""
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(_network(), folder / NETWORK_FILE)
    card = WordCard(
        name="tiny",
        version="1",
        licence="Apache-2.0",
        sha256=sha256_of(folder / NETWORK_FILE),
        threshold=-5.0,
        trained_on=("tones",),
    )
    write_word_card(folder, card)
    return folder


def saying(samples: NDArray[np.float32], words: Sequence[str]) -> NDArray[np.float32]:
    """Let a clip (n,) say words, evenly spread over its middle, and nothing else up there."""
    spectrum = np.fft.rfft(samples)
    spectrum[np.fft.rfftfreq(len(samples), 1 / RATE) > _TONES[0] - 300.0] = 0.0  # the voice's own hiss
    said = np.fft.irfft(spectrum, len(samples)).astype(np.float32)
    places = np.linspace(0.25, 0.75, len(words) + 1) * len(samples)
    for word, start, stop in zip(words, places, places[1:], strict=False):
        sounding = slice(int(start), int(stop) - 4 * _FRAME)
        time = np.arange(sounding.start, sounding.stop) / RATE
        said[sounding] += _LOUD * np.sin(2 * np.pi * _TONES[WORDS.index(word)] * time)
    return said


def _network() -> onnx.ModelProto:
    """Build waveform (batch, samples) -> log probabilities (batch, frames, classes): power at each tone."""
    angles = 2 * np.pi * np.outer(_TONES, np.arange(_FRAME)) / RATE
    window = np.hanning(_FRAME)
    filters = np.concatenate([np.cos(angles) * window, np.sin(angles) * window]) / window.sum()
    power = (_LOUD / 2) ** 2  # of a tone that is that loud
    joining = np.zeros((len(CLASSES), 2 * len(WORDS), 1))
    for word in range(len(WORDS)):
        joining[word + 1, [word, word + len(WORDS)], 0] = _SAID / power
    bias = np.zeros(len(CLASSES))
    bias[0], bias[-1] = _BLANK, -_SAID
    constants = {
        "filters": filters[:, None].astype(np.float32),
        "joining": joining.astype(np.float32),
        "bias": bias.astype(np.float32),
        "channel": np.array([1], np.int64),
    }
    nodes = [
        helper.make_node("Unsqueeze", ["waveform", "channel"], ["signal"]),
        helper.make_node("Conv", ["signal", "filters"], ["parts"], strides=[_FRAME]),
        helper.make_node("Mul", ["parts", "parts"], ["powers"]),
        helper.make_node("Conv", ["powers", "joining", "bias"], ["logits"]),
        helper.make_node("Transpose", ["logits"], ["frames"], perm=[0, 2, 1]),
        helper.make_node("LogSoftmax", ["frames"], ["log_probabilities"], axis=2),
    ]
    shape: list[str | int | None] = ["batch", "frames", len(CLASSES)]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("waveform", TensorProto.FLOAT, ["batch", "samples"])],
        [helper.make_tensor_value_info("log_probabilities", TensorProto.FLOAT, shape)],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
