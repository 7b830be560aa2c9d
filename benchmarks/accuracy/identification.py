"""Measure how often an out-of-set speaker is given a name, with 5, 10 and 20 people enrolled.

    VOICEPRINT_CORPORA=corpora scripts/measure_strangers
    VOICEPRINT_CORPORA=corpora scripts/measure_strangers --split dev --draws 20

In each draw some speakers of the split are enrolled with five clips each; every clip of the others, and every
other clip of theirs, is identified at --far, the rate at which an out-of-set speaker may be given any name.
Clips are measured, judged, scored and decided by the library's own functions, each clip embedded once.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy.people import (
    ClipsOf,
    TestClips,
    Voiceprints,
    make_accuracy_parser,
    measure_people,
    open_corpus,
)
from benchmarks.program import BenchmarkError
from benchmarks.tables import markdown_table
from voiceprint.calibration import DEFAULT_FAR, OperatingPoint, TrialShape
from voiceprint.engine.verifier import Verifier
from voiceprint.errors import EnrollmentError
from voiceprint.model import SpeakerModel
from voiceprint.percent import percent
from voiceprint.scoring import cosine_matrix

__all__ = ["Draw", "draw", "identify", "main", "summary"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """What became of the clips of one draw; one entry for each clip that was not enrolled.

    Attributes
    ----------
    out_of_set : ndarray of bool, shape (n,)
        Whether its speaker is not enrolled.
    first : ndarray of bool, shape (n,)
        Whether the nearest voiceprint is the speaker's.
    named : ndarray of bool, shape (n,)
        Whether the clip was given a name.
    """

    out_of_set: NDArray[np.bool_]
    first: NDArray[np.bool_]
    named: NDArray[np.bool_]


def main() -> None:
    """Measure each number of enrolled people."""
    parser = make_accuracy_parser(__doc__)
    parser.add_argument("--enrolled", type=int, nargs="+", default=[5, 10, 20], help="how many people")
    parser.add_argument("--draws", type=int, default=50, help="of who is enrolled (default: 50)")
    parser.add_argument("--far", type=float, default=DEFAULT_FAR, help="(default: 0.01)")
    options = parser.parse_args()
    model = SpeakerModel.open(options.model)
    people, _ = measure_people(open_corpus(options), model, jobs=options.jobs)
    rows = []
    for size in options.enrolled:
        rng = np.random.default_rng([options.seed, size])
        draws = [draw(people, size, options.clips, model, options.far, rng=rng) for _ in range(options.draws)]
        rows.append(summary(size, draws))
    found = {
        "corpus": options.corpus,
        "split": options.split,
        "model": model.id,
        "speakers": len(people),
        "enrollment_clips": options.clips,
        "draws": options.draws,
        "far": options.far,
        "seed": options.seed,
        "rows": rows,
    }
    print(json.dumps(found, indent=2) if options.json else _as_text(found))


def draw(
    people: ClipsOf, size: int, n: int, model: SpeakerModel, far: float, *, rng: np.random.Generator
) -> Draw:
    """Enroll `size` people with `n` clips each into a new store, and identify the other clips.

    Raises
    ------
    BenchmarkError
        If there are too few people to enroll, or nobody would be left.
    """
    able = [name for name, clips in people.items() if len(clips) > n]
    if not 0 < size < len(people) or size > len(able):
        raise BenchmarkError(f"{size} of {len(people)} people cannot be enrolled with {n} clips each")
    left = {name: list(clips) for name, clips in people.items()}
    with tempfile.TemporaryDirectory() as folder, Verifier(folder, model=model) as verifier:
        for place in rng.permutation(len(able)).tolist():
            if len(verifier.store) == size:
                break
            name = able[place]
            drawn = rng.choice(len(people[name]), n, replace=False).tolist()
            try:
                verifier.enroll_measured(name, [people[name][index] for index in drawn])
            except EnrollmentError:
                continue  # its clips do not agree; another speaker takes the place
            left[name] = [clip for index, clip in enumerate(people[name]) if index not in drawn]
        return identify(verifier, TestClips.of(left), far)


def identify(verifier: Verifier, tests: TestClips, far: float) -> Draw:
    """Do for all clips at once what Verifier.identify does for one."""
    voiceprints = Voiceprints.of(verifier)
    scores = cosine_matrix(tests.embeddings, voiceprints.centroids)  # (tests, voiceprints)
    decider = verifier.model.decider()
    llrs = decider.llrs(scores, tests.against(voiceprints))
    # Of equal likelihoods, as at the ends of a calibration, the higher score comes first.
    best = np.lexsort((-scores, np.zeros_like(scores) if llrs is None else -llrs), axis=1)[:, 0]
    nearest = TrialShape(n_enroll=voiceprints.n_clips[best], seconds=tests.seconds, snr_db=tests.snr_db)
    point = OperatingPoint.far(far).among(len(voiceprints.names))
    return Draw(
        out_of_set=~np.isin(tests.speakers, voiceprints.names),
        first=voiceprints.names[best] == tests.speakers,
        named=decider.accepts(scores[np.arange(len(tests)), best], nearest, point),
    )


def summary(size: int, draws: Sequence[Draw]) -> dict[str, float]:
    """Sum up the draws of one number of enrolled people."""
    out_of_set = np.concatenate([one.out_of_set for one in draws])
    first = np.concatenate([one.first for one in draws])
    named = np.concatenate([one.named for one in draws])
    return {
        "enrolled": size,
        "strangers_clips": int(out_of_set.sum()),
        "strangers_named": float(named[out_of_set].mean()),
        "strangers_named_worst_draw": max(float(one.named[one.out_of_set].mean()) for one in draws),
        "known_clips": int((~out_of_set).sum()),
        "rank_1": float(first[~out_of_set].mean()),
        "named_right": float((first & named)[~out_of_set].mean()),
        "named_wrong": float((~first & named)[~out_of_set].mean()),
    }


def _as_text(found: Mapping[str, Any]) -> str:
    title = (
        f"{found['corpus']} {found['split']}: {found['speakers']} speakers, {found['enrollment_clips']} "
        f"clips each to enroll, {found['draws']} draws, asked rate {percent(found['far'])}; "
        f"model {found['model'][:12]}\n\n"
    )
    heads = ("enrolled", "strangers' clips named", "worst draw", "right person nearest", "named rightly")
    shares = ("strangers_named", "strangers_named_worst_draw", "rank_1", "named_right")
    rows = [[str(row["enrolled"]), *(percent(row[share]) for share in shares)] for row in found["rows"]]
    return title + markdown_table(heads, rows)
