"""The audio of utterances: decoded in order, stretches cut out of their recordings, bad files named."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from voiceprint.audio import SAMPLE_RATE, read_audio
from voiceprint.corpus.manifest import Utterance
from voiceprint.errors import AudioError, CorpusError

Progress = Callable[[int, int], None]
"""Called with how many are done, and how many there are."""

MAX_UNREADABLE = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """An utterance whose audio cannot be used, and why."""

    utterance: Utterance
    reason: str


def read_utterances(utterances: Sequence[Utterance]) -> Iterator[NDArray[np.float32] | Unreadable]:
    """Decode utterances in order; consecutive stretches of one file decode it once.

    Yields
    ------
    NDArray of float32 (n,) at 16 kHz, or Unreadable
        One for each utterance.
    """
    for path, of_file in groupby(utterances, key=lambda u: u.path):
        try:
            samples = read_audio(path).samples
        except AudioError as error:
            yield from (Unreadable(utterance=u, reason=str(error)) for u in of_file)
            continue
        yield from (_stretch(samples, u) for u in of_file)


def require_readable(
    unreadable: Sequence[Unreadable],
    *,
    total: int,
    limit: float = MAX_UNREADABLE,
    what: str = "utterances",
) -> None:
    """Raise CorpusError where more than the fraction `limit` of `total` utterances cannot be read."""
    if len(unreadable) > limit * total:
        first = "; ".join(bad.reason for bad in unreadable[:3])
        raise CorpusError(
            f"{len(unreadable)} of {total} {what} cannot be read, more than {limit:.0%}: {first}"
        )


def _stretch(samples: NDArray[np.float32], utterance: Utterance) -> NDArray[np.float32] | Unreadable:
    start = round((utterance.start or 0.0) * SAMPLE_RATE)
    stop = len(samples) if utterance.stop is None else round(utterance.stop * SAMPLE_RATE)
    stretch = samples[start:stop]
    if stretch.size == 0:
        return Unreadable(
            utterance=utterance,
            reason=f"{utterance.path}: holds nothing from {utterance.start} to {utterance.stop} s "
            f"(utterance {utterance.id!r}); it is {len(samples) / SAMPLE_RATE:.2f} s long",
        )
    # A copy, for a view would keep the whole recording in memory as long as its shortest stretch.
    return stretch if stretch.size == samples.size else stretch.copy()
