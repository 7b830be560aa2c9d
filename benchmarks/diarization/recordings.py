"""Fit what recordings add to the scores of their speakers, on dev conversations; print what each value does.

    scripts/calibrate_recordings --corpora corpora --model mymodel --in-place

Whoever says 3 s or more in a simulated conversation, by the true turns, is looked for in stores of 10 and of
40 people who do not take part: of every corpus (mixed), and of the speaker's own (alike). A cell is the share
of speakers who get any name there / of speakers who are named rightly where they are enrolled as well, in %.
The term is the highest, in hundredths, at which the rate that is asked for, 1 %, holds in mixed stores, and
three times that in each kind of stores.
"""

from __future__ import annotations

import argparse
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.diarization.oracle import active_frames
from benchmarks.diarization.scenes import Scene, clips_of, open_voices, part_person, simulated
from benchmarks.program import BenchmarkError, make_parser
from benchmarks.tables import markdown_table
from voiceprint.audio import SAMPLE_RATE
from voiceprint.calibration import Decider, OperatingPoint, TrialShape
from voiceprint.diarization.activity import runs_of
from voiceprint.diarization.naming import embed_speech
from voiceprint.diarization.segmentation import FRAME
from voiceprint.model import SpeakerModel
from voiceprint.model.folder import write_model_card
from voiceprint.scoring import centroid

_LEAST = 3.0  # seconds that a speaker says alone
_MOST = 60 * SAMPLE_RATE
_SIZES = (10, 40)
_DRAWS = 8  # stores of each kind that each speaker is looked for in
_KINDS = tuple((size, alike) for size in _SIZES for alike in (False, True))
_MOST_ON_ONE = 3.0  # times the rate, in stores of one kind
_RATES = (0.05, 0.01, 0.003)
_TERMS = tuple(np.arange(0.0, 0.145, 0.02).round(2).tolist())


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Speaker:
    """One speaker of a conversation.

    Parameters
    ----------
    own : ndarray of shape (dim,)
        The voiceprint, of clips that are not in the conversation.
    present : frozenset of str
        Who takes part.
    """

    name: str
    embedding: NDArray[np.float32]
    seconds: float
    own: NDArray[np.float32]
    present: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Margins:
    """By how much scores exceed thresholds, (searches,), -1 where another person is nearer; of each kind."""

    right: Mapping[tuple[int, bool], NDArray[np.float64]]
    strange: Mapping[tuple[int, bool], NDArray[np.float64]]

    def term(self, rate: float) -> float:
        """Return the highest term that holds the rate."""
        each = [_least_term(margins, _MOST_ON_ONE * rate) for margins in self.strange.values()]
        mixed = [margins for (_, alike), margins in self.strange.items() if not alike]
        lowest = min(_least_term(np.concatenate(mixed), rate), *each)  # that is too high
        return max(0.0, (math.ceil(100 * lowest) - 1) / 100)


def main(arguments: Sequence[str] | None = None) -> int:
    """Fit, print, and write the card where asked; returns 0."""
    options = _parser().parse_args(arguments)
    model = SpeakerModel.open(options.model)
    if model.card.calibration is None:
        raise BenchmarkError(f"{model.folder}: has no calibration; calibrate the model first")
    speakers, others = _listened(options, model)
    plain = replace(model.decider(), calibration=replace(model.card.calibration, recording=0.0))
    margins = {rate: _search(speakers, others, plain, rate) for rate in _RATES}
    term = margins[0.01].term(0.01)
    print(f"{len(speakers)} speakers; {term} is added to the score of a speaker of a recording\n")
    print(_table(margins))
    if options.in_place:
        fitted = replace(model.card.calibration, recording=term)
        write_model_card(model.folder, replace(model.card, calibration=fitted))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = make_parser(__doc__)
    parser.add_argument(
        "--corpora", type=Path, default=Path(os.environ.get("VOICEPRINT_CORPORA", "corpora")), help="root"
    )
    parser.add_argument("--conversations", type=int, default=120)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cache", type=Path, default=Path("runs/diarization"), help="phrases and rooms")
    parser.add_argument("--model", help="the encoder; default: the one in use")
    parser.add_argument("--in-place", action="store_true", help="write it into the model's card")
    return parser


def _listened(
    options: argparse.Namespace, model: SpeakerModel
) -> tuple[list[_Speaker], Mapping[str, NDArray[np.float32]]]:
    """Embed the speakers of conversations, and a voiceprint of everybody."""
    voices = open_voices(options.corpora, "dev", options.cache)
    scenes = simulated(voices, count=options.conversations, people=(2, 5), seed=options.seed, everybody=True)
    speakers = [speaker for scene in scenes for speaker in _speakers(scene, model)]
    generator = np.random.default_rng(options.seed)
    others = {
        person.name: _voiceprint(clips_of(voices.bank, part_person(person, generator)[1]), model)
        for person in voices.talkers
    }
    return speakers, others


def _speakers(scene: Scene, model: SpeakerModel) -> Iterable[_Speaker]:
    active = active_frames(scene.turns, -(-len(scene.samples) // FRAME))
    present = frozenset(turn.speaker for turn in scene.turns)
    for place, name in enumerate(sorted(present)):
        alone = active[:, place] & (active.sum(axis=1) == 1)
        said = [scene.samples[start * FRAME : stop * FRAME] for start, stop in runs_of(alone)]
        speech = np.concatenate([np.zeros(0, np.float32), *said])
        if len(speech) >= _LEAST * SAMPLE_RATE:
            yield _Speaker(
                name=name,
                embedding=embed_speech(model, speech[:_MOST]),
                seconds=len(speech) / SAMPLE_RATE,
                own=_voiceprint(scene.enrolled[name], model),
                present=present,
            )


def _voiceprint(clips: Sequence[NDArray[np.float32]], model: SpeakerModel) -> NDArray[np.float32]:
    return centroid(model.embed(list(clips)))


def _search(
    speakers: Sequence[_Speaker], others: Mapping[str, NDArray[np.float32]], decider: Decider, rate: float
) -> Margins:
    """Look for every speaker in stores of every kind."""
    generator = np.random.default_rng(0)
    right: dict[tuple[int, bool], list[float]] = {kind: [] for kind in _KINDS}
    strange: dict[tuple[int, bool], list[float]] = {kind: [] for kind in _KINDS}
    for speaker in speakers:
        for size, alike in _KINDS:
            able = [name for name in others if name not in speaker.present]
            if alike:
                able = [name for name in able if _corpus(name) == _corpus(speaker.name)]
            for _ in range(_DRAWS):
                drawn = generator.permutation(len(able))[:size]
                store = np.stack([others[able[place]] for place in drawn])
                strange[size, alike].append(_margin(speaker, store, decider, rate)[1])
                place, margin = _margin(speaker, np.stack([speaker.own, *store[1:]]), decider, rate)
                right[size, alike].append(margin if place == 0 else -1.0)
    return Margins(
        right={kind: np.array(found) for kind, found in right.items()},
        strange={kind: np.array(found) for kind, found in strange.items()},
    )


def _margin(
    speaker: _Speaker, store: NDArray[np.float32], decider: Decider, rate: float
) -> tuple[int, float]:
    """Return who is nearest, and by how much the score exceeds its threshold."""
    scores = store @ speaker.embedding
    best = int(scores.argmax())
    rivals = decider.rivals(speaker.embedding, np.delete(scores, best))
    shape = TrialShape(n_enroll=3, seconds=speaker.seconds, rivals=rivals)
    threshold = decider.thresholds(shape, OperatingPoint.far(rate).among(len(store)))
    return best, float(scores[best] - threshold)


def _least_term(margins: NDArray[np.float64], rate: float) -> float:
    """Return the lowest term at which more than so many margins are 0 or more."""
    return float(-np.sort(margins)[::-1][int(rate * len(margins))])


def _table(margins: Mapping[float, Margins]) -> str:
    header = ["asked", "term", *(f"{size}, {'alike' if alike else 'mixed'}" for size, alike in _KINDS)]
    rows = []
    for rate, found in margins.items():
        for term in _TERMS:
            cells = [
                f"{100 * np.mean(found.strange[kind] >= -term):.1f} / "
                f"{100 * np.mean(found.right[kind] >= -term):.0f}"
                for kind in _KINDS
            ]
            rows.append([f"{100 * rate:g} %", f"{term:.2f}", *cells])
    return markdown_table(header, rows)


def _corpus(name: str) -> str:
    return name.split("/", maxsplit=1)[0]
