"""The rows of the comparison: which clips, and what is measured on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from benchmarks.accuracy.all_pairs import all_pairs_eer
from benchmarks.peers.clips import ClipSet, prepare_clips
from benchmarks.peers.systems import System, embedded
from voiceprint.audio import SAMPLE_RATE
from voiceprint.metrics import (
    LEVEL,
    ConfusionMatrix,
    Interval,
    rate_interval,
)

SPEED_SECONDS = 3.0
_ROUNDS = 5  # of the systems in turn


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A line of the table.

    Parameters
    ----------
    split : str or None
        Which of them; None for all.
    """

    name: str
    title: str
    corpus: str
    split: str | None = "test"
    condition: str = "clean"
    measure: str = "eer"


ROWS = (
    *(
        Row(name=name, title=f"{name} test", corpus=name)
        for name in (
            *("speechocean762", "voxforge", "common_voice"),
            *("speech_commands", "arabic_speech_commands", "free_spoken_digits"),
        )
    ),
    Row(
        name="speechocean762-1s",
        title="speechocean762 test, cut to 1 s",
        corpus="speechocean762",
        condition="1 s",
    ),
    Row(
        name="speechocean762-babble",
        title="speechocean762 test, babble at 10 dB",
        corpus="speechocean762",
        condition="babble 10 dB",
    ),
    Row(
        name="speechocean762-telephone",
        title="speechocean762 test, through a telephone",
        corpus="speechocean762",
        condition="telephone",
    ),
    Row(
        name="five_speakers",
        title="five_speakers, logistic regression, blocks",
        corpus="five_speakers",
        split=None,
        measure="accuracy",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredRow:
    """A row and what every system reached, by the id of the system.

    Parameters
    ----------
    clips, common, speakers : int
        Clips in all, clips that no system failed on, and who speaks in them.
    reasons : dict of str to str
        Why a system failed on its first failed clip.
    """

    row: Row
    clips: int
    common: int
    speakers: int
    fingerprint: str
    results: dict[str, Measured]
    reasons: dict[str, str]


def measure_row(
    row: Row, systems: Sequence[System], *, corpora: Path, cache: Path, limit: int, repetitions: int
) -> MeasuredRow:
    """Embed a row's clips with every system and measure, on each system's clips and on the common ones."""
    name = row.name + (f"-{limit}" if limit else "")
    clips = prepare_clips(
        corpora,
        cache / "clips",
        name,
        corpus=row.corpus,
        split=row.split,
        condition=row.condition,
        limit=limit,
    )
    found = {system.id: embedded(system, clips, name, cache / "embeddings") for system in systems}
    common = np.logical_and.reduce([one.good for one in found.values()])
    results = {}
    for system, one in found.items():
        own = _measure(row, clips, one.embeddings, one.answered, repetitions)
        same = bool((one.answered == common).all())
        shared = own if same else _measure(row, clips, one.embeddings, common, repetitions)
        results[system] = Measured(own=own, common=shared, failed=len(one.failed))
    return MeasuredRow(
        row=row,
        clips=len(clips),
        common=int(common.sum()),
        speakers=len(np.unique(clips.speakers)),
        fingerprint=clips.fingerprint,
        results=results,
        reasons={system: next(iter(one.failed.values())) for system, one in found.items() if one.failed},
    )


def _measure(
    row: Row, clips: ClipSet, embeddings: NDArray[np.float32], use: NDArray[np.bool_], repetitions: int
) -> Interval:
    if row.measure == "accuracy":
        return probe_accuracy(
            embeddings[use], clips.speakers[use], clips.splits[use], repetitions=repetitions
        )
    return all_pairs_eer(embeddings[use], clips.speakers[use], repetitions=repetitions)


def measure_speed(systems: Sequence[System], *, corpora: Path, cache: Path) -> dict[str, list[float]]:
    """Real-time factors of a 3 s clip on one thread, waveform to embedding, rising, by system id.

    The systems take turns, several times: a virtual machine is faster in one minute than in the next.
    """
    clips = prepare_clips(corpora, cache / "clips", "speed", corpus="speechocean762", split="test", limit=1)
    samples = round(SPEED_SECONDS * SAMPLE_RATE)
    clip = np.resize(clips.read()[0], samples)
    rounds = [{system.id: system.seconds(clip) for system in systems} for _ in range(_ROUNDS)]
    return {
        system.id: sorted(time / SPEED_SECONDS for turn in rounds for time in turn[system.id])
        for system in systems
    }


Embeddings = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A system's figure on a row.

    Parameters
    ----------
    own : Interval
        On every clip that it answered.
    common : Interval
        On the clips that no system failed on.
    """

    own: Interval
    common: Interval
    failed: int


def probe_accuracy(
    embeddings: Embeddings,
    speakers: NDArray[np.str_],
    splits: NDArray[np.str_],
    *,
    repetitions: int,
) -> Interval:
    """Accuracy on ``test`` of logistic regression fitted to frozen embeddings of ``train``.

    Parameters
    ----------
    embeddings : ndarray, shape (n, dim)
        Of unit length.
    speakers, splits : ndarray, shape (n,)
    repetitions : int
        Draws of speakers, each of whom brings all its test clips.
    """
    matrix = probe_confusion(embeddings, speakers, splits)
    asked = np.sum(matrix.counts, axis=1) > 0  # a name that was only answered has no clips to draw
    hits, clips = np.diag(matrix.counts)[asked], np.sum(matrix.counts, axis=1)[asked]
    return rate_interval(hits, clips, generator=np.random.default_rng(0), draws=repetitions, level=LEVEL)


def probe_confusion(
    embeddings: Embeddings, speakers: NDArray[np.str_], splits: NDArray[np.str_], *, test: str = "test"
) -> ConfusionMatrix:
    """Who is taken for whom by logistic regression fitted to frozen embeddings of ``train``.

    Parameters
    ----------
    embeddings, speakers, splits
        As for `probe_accuracy`.
    """
    fitting, asked = splits == "train", splits == test
    classifier = LogisticRegression(max_iter=1000).fit(embeddings[fitting], speakers[fitting])
    return ConfusionMatrix.count(speakers[asked].tolist(), classifier.predict(embeddings[asked]).tolist())
