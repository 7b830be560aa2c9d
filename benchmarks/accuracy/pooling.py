"""Compare ways to make one verdict of several clips of a claim, on dev speakers.

    VOICEPRINT_CORPORA=corpora scripts/compare_pooling

Each dev speaker is enrolled with five clips; the others are claims of three clips each, against everybody.
Rates are those found at the card's thresholds for the seconds of speech in all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from benchmarks.program import add_corpora, make_parser
from benchmarks.tables import markdown_table
from voiceprint.audio.clips import MIN_SPEECH, Clip, pool_clips, read_clip
from voiceprint.calibration import OperatingPoint, TrialShape
from voiceprint.corpus import Corpus, read_manifest
from voiceprint.metrics import det_curve, eer_hull
from voiceprint.model import SpeakerModel
from voiceprint.scoring import centroid, cosine_matrix, normalize

ENROLLED, TOGETHER = 5, 3
RATES = (0.05, 0.01)

Embedding = NDArray[np.float32]


@dataclass(slots=True)
class Claims:
    """Who is enrolled, and what is claimed.

    Attributes
    ----------
    voiceprints : list of ndarray, each (dim,)
    clips : list of Clip
        Of each claim, pooled.
    speakers : list of int
        The place of the speaker's voiceprint.
    embeddings : dict of str to list of ndarray
        Of each claim, by every way to pool.
    """

    voiceprints: list[Embedding] = field(default_factory=list)
    clips: list[Clip] = field(default_factory=list)
    speakers: list[int] = field(default_factory=list)
    embeddings: dict[str, list[Embedding]] = field(default_factory=dict)


def main() -> None:
    """Print a row for each way to pool."""
    parser = make_parser(__doc__)
    add_corpora(parser)
    parser.add_argument("--corpus", default="speechocean762", help="(speechocean762)")
    parser.add_argument("--model", help="name or folder (the default model)")
    parser.add_argument("--seed", type=int, default=0, help="of the clips drawn (0)")
    options = parser.parse_args()
    model = SpeakerModel.open(options.model)
    corpus = read_manifest(options.corpora / options.corpus / "manifest.csv").filter(split="dev")
    claims = _make_claims(corpus, model, np.random.default_rng(options.seed))
    people = len(claims.voiceprints)
    print(f"{model.card.title}, {options.corpus} dev: {len(claims.clips)} claims of {people} speakers\n")
    heads = ["pooled", "EER %", *(f"FAR / FRR % at {100 * rate:g} % asked" for rate in RATES)]
    print(markdown_table(heads, [[way, *_measure(model, claims, way)] for way in claims.embeddings]))


def _make_claims(corpus: Corpus, model: SpeakerModel, rng: np.random.Generator) -> Claims:
    claims = Claims()
    for indices in corpus.by_speaker.values():
        clips = [read_clip(str(corpus[index].path)) for index in rng.permutation(indices)]
        clips = [clip for clip in clips if clip.quality.seconds_of_speech >= MIN_SPEECH]
        if len(clips) < ENROLLED + TOGETHER:
            continue
        claims.voiceprints.append(centroid(model.embed([clip.speech for clip in clips[:ENROLLED]])))
        for start in range(ENROLLED, len(clips) - TOGETHER + 1, TOGETHER):
            together = clips[start : start + TOGETHER]
            claims.clips.append(pool_clips(together))
            claims.speakers.append(len(claims.voiceprints) - 1)
            for way, embedding in _embed(model, together, claims.clips[-1]).items():
                claims.embeddings.setdefault(way, []).append(embedding)
    return claims


def _embed(model: SpeakerModel, clips: Sequence[Clip], pooled: Clip) -> dict[str, Embedding]:
    """Embed a claim every way: (dim,) each."""
    each = model.embed([clip.speech for clip in clips])
    seconds = np.array([[clip.quality.seconds_of_speech] for clip in clips], dtype=np.float32)
    return {
        "speech joined": model.embed(pooled.speech),
        "mean of embeddings": centroid(each),
        "mean by seconds": normalize((each * seconds).sum(axis=0)),
    }


def _measure(model: SpeakerModel, claims: Claims, way: str) -> list[str]:
    """EER, and the errors at the card's thresholds, as cells of a table."""
    scores = cosine_matrix(np.stack(claims.embeddings[way]), np.stack(claims.voiceprints))
    target = np.array(claims.speakers)[:, None] == np.arange(len(claims.voiceprints))
    shape = TrialShape(
        n_enroll=ENROLLED,
        seconds=np.array([clip.quality.seconds_of_speech for clip in claims.clips])[:, None],
        snr_db=np.array([clip.quality.snr_db for clip in claims.clips], dtype=np.float64)[:, None],
    )
    cells = [f"{100 * eer_hull(det_curve(scores[target], scores[~target])):.2f}"]
    for rate in RATES:
        accepted = model.decider().accepts(scores, shape, OperatingPoint.far(rate))
        cells.append(f"{100 * accepted[~target].mean():.2f} / {100 * (~accepted)[target].mean():.2f}")
    return cells
