"""The speech detector of Linux on arm64 beside the usual one: what another release of Silero costs.

    scripts/compare_detector_releases --corpora corpora

Both find the speech of the same clips of speechocean762's test speakers; the error rate is of every pair.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.program import add_corpora, make_parser
from benchmarks.tables import markdown_table
from voiceprint.audio import Waveform, find_audio, read_audio
from voiceprint.audio.clips import MIN_SPEECH, samples_to_embed
from voiceprint.audio.vad import find_speech, network, speech
from voiceprint.corpus import read_manifest
from voiceprint.evaluation.scores import all_pairs
from voiceprint.metrics import eer_interpolated
from voiceprint.model import SpeakerModel


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What one detector finds.

    Attributes
    ----------
    seconds : ndarray of float64, shape (clips,)
        Of speech in each clip.
    eer : float
        Over all pairs of clips.
    noises : float
        Fraction of recordings of noise in which it finds enough speech.
    """

    seconds: NDArray[np.float64]
    eer: float
    noises: float


def main() -> None:
    """Print a row for each package."""
    parser = make_parser(__doc__)
    add_corpora(parser)
    parser.add_argument("--clips", type=int, default=6, help="clips of each test speaker (6)")
    options = parser.parse_args()
    chosen = read_manifest(options.corpora / "speechocean762").filter(split="test").first_clips(options.clips)
    speakers, clips = [clip.speaker for clip in chosen], [read_audio(clip.path) for clip in chosen]
    noises = [read_audio(path) for path in find_audio([options.corpora / "noise"])]
    found: dict[str, Found] = {}
    for package in network.PACKAGES:
        with _only(package):
            found[package] = _measure(SpeakerModel.open("default"), speakers, clips, noises)
    usual = next(iter(found.values())).seconds
    rows = [
        (
            package,
            f"{100 * each.eer:.3f} %",
            f"{each.seconds.mean():.2f} s",
            f"{np.abs(each.seconds - usual).mean():.3f} s",
            f"{100 * each.noises:.1f} %",
        )
        for package, each in found.items()
    ]
    heads = ("package", "EER", "speech in a clip", "apart from the first", "noises called speech")
    print(markdown_table(heads, rows))


@contextmanager
def _only(package: str) -> Iterator[None]:
    """Take the weights of one package."""
    packages = network.PACKAGES
    try:
        network.PACKAGES = {package: packages[package]}
        speech._session.cache_clear()
        yield
    finally:
        network.PACKAGES = packages
        speech._session.cache_clear()


def _measure(
    model: SpeakerModel, speakers: list[str], clips: list[Waveform], noises: list[Waveform]
) -> Found:
    embeddings = np.stack([model.embed([samples_to_embed(clip)])[0] for clip in clips])
    return Found(
        seconds=np.array([find_speech(clip).seconds for clip in clips]),
        eer=eer_interpolated(all_pairs(embeddings, speakers).curve),
        noises=float(np.mean([find_speech(noise).seconds >= MIN_SPEECH for noise in noises])),
    )
