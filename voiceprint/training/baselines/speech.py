"""The speech of a corpus, clip by clip: what ``verify`` would hear of each, and one-second cuts of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voiceprint.audio import SAMPLE_RATE
from voiceprint.clips import samples_to_embed
from voiceprint.corpus import Corpus, Utterance
from voiceprint.evaluation import corpus_files, read_stretch

__all__ = ["HeardClip", "cut", "hear"]

Samples = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HeardClip:
    """An utterance and its samples.

    Parameters
    ----------
    utterance : Utterance
        Whose it is.
    samples : ndarray, shape (n,), float32
        The speech alone, or the whole clip where there is hardly any.
    """

    utterance: Utterance
    samples: Samples


def hear(corpus: Corpus) -> Iterator[HeardClip]:
    """Read the utterances of a corpus one by one.

    Raises
    ------
    AudioError
        A clip cannot be read.
    """
    for utterance, file in zip(corpus, corpus_files(corpus), strict=True):
        yield HeardClip(utterance=utterance, samples=samples_to_embed(read_stretch(file)))


def cut(samples: Samples, seconds: float) -> list[Samples]:
    """Cut samples (n,) at 16 kHz into consecutive fragments; what is left over at the end is dropped."""
    length = round(seconds * SAMPLE_RATE)
    return [samples[start : start + length] for start in range(0, len(samples) - length + 1, length)]
