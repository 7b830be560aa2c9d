"""Measure two checks of a clip on dev speakers: two voices in it, and a narrow band.

    VOICEPRINT_CORPORA=corpora scripts/measure_clip_checks

Clips of several lengths are put together from recordings of one speaker, or of two of the same corpus: half
and half, 70 % and 30 %, or in turns of 3 s. Of each kind the share is printed that is called two voices, by
how often at the most a clip of one speaker may be. For the narrow band every recording is taken as it is, and
at 8 kHz as a telephone would.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray

from benchmarks.program import add_corpora, make_parser
from benchmarks.tables import markdown_line
from voiceprint.audio import SAMPLE_RATE, Waveform
from voiceprint.audio.clips import Clip, read_clip
from voiceprint.audio.quality import ClipQuality
from voiceprint.audio.vad import Segment
from voiceprint.corpus import read_manifest
from voiceprint.corpus.reading import read_utterances
from voiceprint.engine.two_voices import find_two_voices
from voiceprint.model import SpeakerModel

Samples = NDArray[np.float32]

CORPORA = ("speechocean762", "librispeech", "common_voice")
SECONDS = (6, 12, 30)
BOUNDS = (0.01, 0.03, 0.1, 0.3, 1.0)
TURN = 3 * SAMPLE_RATE


def main() -> None:
    """Print a row for each length and kind of clip, as soon as it is measured."""
    parser = make_parser(__doc__)
    add_corpora(parser)
    parser.add_argument("--model", help="name or folder (the default model)")
    parser.add_argument("--draws", type=int, default=1, help="clips of a speaker, length and kind (1)")
    parser.add_argument("--seed", type=int, default=0, help="of the clips drawn (0)")
    options = parser.parse_args()
    people = _read_people(options.corpora)
    model = SpeakerModel.open(options.model)
    rng = np.random.default_rng(options.seed)
    print(f"{model.card.title}, seed {options.seed}, {len(people)} speakers\n")
    print(markdown_line("clips", "number", *(f"bound {100 * bound:g} %" for bound in BOUNDS)))
    print(markdown_line(*["---"] * (2 + len(BOUNDS))))
    for seconds in SECONDS:
        for kind, clips in _kinds(people, seconds, options.draws, rng).items():
            chances = [_chance_of(clip, model) for clip in clips]
            shares = (np.mean([chance <= bound for chance in chances]) for bound in BOUNDS)
            cells = (f"{100 * share:.1f} %" for share in shares)
            print(markdown_line(f"{seconds} s, {kind}", str(len(clips)), *cells), flush=True)
    _print_narrow_band([clip for clips in people.values() for clip in clips])


def _read_people(corpora: Path) -> dict[tuple[str, str], list[Clip]]:
    """Read the dev clips of every speaker."""
    people: dict[tuple[str, str], list[Clip]] = {}
    for name in CORPORA:
        corpus = read_manifest(corpora / name / "manifest.csv").filter(split="dev")
        for utterance, samples in zip(corpus, read_utterances(list(corpus)), strict=True):
            if isinstance(samples, np.ndarray):
                clip = read_clip(Waveform(samples=samples, source="<array>", original_rate=SAMPLE_RATE))
                people.setdefault((name, utterance.speaker_id), []).append(clip)
    return people


def _clip_of(speech: Samples) -> Clip:
    """Take speech as it was found in other clips for a clip."""
    seconds = len(speech) / SAMPLE_RATE
    quality = ClipQuality(
        seconds=seconds, seconds_of_speech=seconds, level_dbfs=None, clipped=0.0, snr_db=None
    )
    stretches = (Segment(start=0, stop=len(speech)),)
    return Clip(source="<array>", sha256="", quality=quality, speech=speech, stretches=stretches)


def _kinds(
    people: dict[tuple[str, str], list[Clip]], seconds: int, draws: int, rng: np.random.Generator
) -> dict[str, list[Samples]]:
    """Put together clips of some seconds of speech, of one speaker and of two."""
    length = seconds * SAMPLE_RATE
    able = [key for key, clips in people.items() if sum(len(clip.speech) for clip in clips) >= length]
    made: dict[str, list[Samples]] = {"one voice": [], "two, 50:50": [], "two, 70:30": [], "two in turns": []}
    for key in [key for key in able for _ in range(draws)]:
        first = _speech_of(people[key], length, rng)
        made["one voice"].append(first)
        others = [other for other in able if other[0] == key[0] and other != key]
        if not others:
            continue
        second = _speech_of(people[others[rng.integers(len(others))]], length, rng)
        made["two, 50:50"].append(np.concatenate([first[: length // 2], second[length // 2 :]]))
        change = round(0.7 * length)
        made["two, 70:30"].append(np.concatenate([first[:change], second[change:]]))
        made["two in turns"].append(np.concatenate(list(_turns(first, second))))
    return made


def _speech_of(clips: Sequence[Clip], length: int, rng: np.random.Generator) -> Samples:
    """Join a speaker's clips in any order, up to a length in samples."""
    order = rng.permutation(len(clips))
    return np.concatenate([clips[index].speech for index in order])[:length]


def _turns(first: Samples, second: Samples) -> Iterator[Samples]:
    """Let two speakers alternate."""
    for number in range(math.ceil(len(first) / TURN)):
        yield (first, second)[number % 2][number * TURN : (number + 1) * TURN]


def _chance_of(samples: Samples, model: SpeakerModel) -> float:
    """The least bound at which a clip is called two voices."""
    found = find_two_voices(_clip_of(samples), model, false_alarm=math.inf)
    return math.inf if found is None else found.chance


def _print_narrow_band(clips: Sequence[Clip]) -> None:
    """Print how often a clip is called narrow-band, as it is and at 8 kHz."""
    telephone = [_clip_of(_at_8_khz(clip.speech)) for clip in clips]
    for kind, of_kind in (("as recorded", clips), ("at 8 kHz", telephone)):
        share = np.mean(["narrow_band" in [note.code for note in clip.notes] for clip in of_kind])
        print(f"\nnarrow band, {kind}: {100 * share:.1f} % of {len(of_kind)} clips")


def _at_8_khz(samples: Samples) -> Samples:
    """Lose what a telephone does not carry."""
    narrow: Samples = soxr.resample(soxr.resample(samples, SAMPLE_RATE, 8000), 8000, SAMPLE_RATE)
    return np.clip(narrow, -1.0, 1.0).astype(np.float32)
