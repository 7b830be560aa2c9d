"""Make the speech that the countermeasure is trained and measured with: live, and of machines.

    scripts/prepare_spoofs -o runs/spoof

Writes runs/spoof/SPLIT/NAME.pcm and NAME.json, one bank for each corpus (`live-NAME`) and each machine of
`benchmarks/spoof/machines.py`. A bank that is there is left alone, so it goes on where it was stopped.
The corpus of synthetic voices becomes the bank `vits`.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.random import Generator

from benchmarks.program import BenchmarkError, add_corpora, make_parser
from benchmarks.spoof.machines import MACHINES, Machine
from benchmarks.spoof.synthesizers import Synthesizer
from benchmarks.spoof.vocoders import Samples, Vocoder
from voiceprint.audio import SAMPLE_RATE
from voiceprint.audio.degrade import opus, within_full_scale
from voiceprint.corpus import Corpus, Utterance, read_manifest
from voiceprint.corpus.reading import Unreadable, read_utterances
from voiceprint.training.countermeasure.bank import LIVE, LONGEST_SECONDS, SYNTHETIC, BankClip, ClipBank

TALKING = {
    "train": (
        "speechocean762",
        "librispeech",
        "common_voice",
        "speech_commands",
        "arabic_speech_commands",
        "alphanumeric_accents",
        "dspspeech20",
        "spanish_students",
    ),
    "dev": ("speechocean762", "librispeech", "common_voice", "speech_commands", "arabic_speech_commands"),
    "test": (
        "speechocean762",
        "common_voice",
        "speech_commands",
        "arabic_speech_commands",
        "voxforge",
        "free_spoken_digits",
        "five_speakers",
    ),
}
"""Whose live speech each split is of: corpora, of which only that split is taken."""

_MOST_OF_A_SPEAKER = {"train": 12, "dev": 12, "test": 40}
_MOST_OF_A_SPEAKER_OF = {
    ("speech_commands", "train"): 3,
    ("voxforge", "test"): 12,
}  # single words; long sentences
_SYNTHETIC_VOICES = "synthetic_voices"
_NEURAL_VOICES = "neural_voices"
_CORPORA_KBPS = (20.0, 45.0)
_LONGEST_TEXT = 70  # characters
_WORDS_OF_A_TEXT = 9


def main() -> int:
    """Make what is not there yet."""
    parser = make_parser(__doc__)
    add_corpora(parser)
    parser.add_argument("-o", "--output", type=Path, required=True, help="the folder of the banks")
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="only these banks")
    options = parser.parse_args()
    for name, split, clips in _banks(options.corpora, options.output):
        if options.only and name not in options.only:
            continue
        folder = options.output / split
        if (folder / f"{name}.json").exists():
            continue
        kind = LIVE if name.startswith("live-") else SYNTHETIC
        bank = ClipBank.write(folder, name, kind=kind, clips=clips)
        print(f"{split}/{name}: {len(bank)} clips, {bank.starts[-1] / SAMPLE_RATE / 60:.1f} min", flush=True)
    return 0


def _banks(corpora: Path, output: Path) -> Iterator[tuple[str, str, Iterator[BankClip]]]:
    """Name, split and clips of every bank; nothing is read before its clips are asked for."""
    for split, names in TALKING.items():
        for name in names:
            yield f"live-{name}", split, _live(corpora, name, split)
    yield "vits", "train", _pieces(corpora, _SYNTHETIC_VOICES)
    yield "neural-voices", "test", _pieces(corpora, _NEURAL_VOICES)
    for machine in MACHINES:
        if machine.speaks is not None:
            made = _spoken(machine, machine.speaks, _texts(corpora, machine.split))
        elif machine.resynthesizes is not None:
            made = _resynthesized(machine, machine.resynthesizes, output / machine.split)
        else:
            raise BenchmarkError(f"{machine.name}: makes nothing")
        yield machine.name, machine.split, made


def _generator(*names: str) -> Generator:
    return np.random.default_rng(list(hashlib.sha256(" ".join(names).encode()).digest()[:16]))


def _of_split(corpora: Path, name: str, split: str) -> list[Utterance]:
    corpus = read_manifest(corpora / name / "manifest.csv", name=name)
    chosen = [utterance for utterance in corpus if utterance.split == split]
    if not chosen:
        raise BenchmarkError(f"{name}: has no clips of the split {split!r}")
    return chosen


def _live(corpora: Path, name: str, split: str) -> Iterator[BankClip]:
    """A few clips of everybody, drawn."""
    generator = _generator("live", name, split)
    most = _MOST_OF_A_SPEAKER_OF.get((name, split), _MOST_OF_A_SPEAKER[split])
    of_speaker: dict[str, list[Utterance]] = defaultdict(list)
    for utterance in _of_split(corpora, name, split):
        of_speaker[utterance.speaker_id].append(utterance)
    chosen: list[Utterance] = []
    for said in of_speaker.values():
        drawn = generator.permutation(len(said))[:most]
        chosen += [said[place] for place in sorted(drawn.tolist())]
    for utterance, samples in zip(chosen, read_utterances(Corpus(chosen)), strict=True):
        if not isinstance(samples, Unreadable):
            yield BankClip(samples=samples, speaker=utterance.speaker_id, source=f"{name}/{utterance.id}")


def _pieces(corpora: Path, name: str) -> Iterator[BankClip]:
    """Clips of a corpus of voices, the long ones in pieces."""
    corpus = read_manifest(corpora / name / "manifest.csv", name=name)
    length = int(LONGEST_SECONDS * SAMPLE_RATE)
    for utterance, samples in zip(corpus, read_utterances(corpus), strict=True):
        if not isinstance(samples, Unreadable):
            for start in range(0, max(1, samples.size - length // 2), length):
                yield BankClip(samples=samples[start : start + length], speaker=utterance.speaker_id)


def _texts(corpora: Path, split: str) -> list[tuple[str, str]]:
    """What the people of a split say in sentences, and in which language."""
    found = set()
    for name in ("speechocean762", "common_voice"):
        languages = _languages(corpora / name / "manifest.csv")
        for utterance in _of_split(corpora, name, split):
            text = " ".join(utterance.text.lower().split()[:_WORDS_OF_A_TEXT])
            if 12 <= len(text) <= _LONGEST_TEXT:
                found.add((text, languages.get(utterance.id, "en")))
    return sorted(found)


def _languages(manifest: Path) -> dict[str, str]:
    import csv  # noqa: PLC0415

    with manifest.open(encoding="utf-8", newline="") as file:
        return {row["path"]: row["language"] for row in csv.DictReader(file) if row.get("language")}


def _spoken(machine: Machine, speaks: Synthesizer, texts: Sequence[tuple[str, str]]) -> Iterator[BankClip]:
    generator = _generator("machine", machine.name)
    every = [pair for pair in texts if machine.name == "espeak" or pair[1] == "en"]
    for number in range(machine.clips):
        text, language = every[int(generator.integers(len(every)))]
        samples, voice = speaks(text, language, generator)
        yield BankClip(samples=_encoded(samples, generator), speaker=voice)
        _tell(machine, number)


def _resynthesized(machine: Machine, vocoder: Vocoder, folder: Path) -> Iterator[BankClip]:
    """Clips of the split's people, drawn, each through the vocoder."""
    generator = _generator("machine", machine.name)
    banks = [ClipBank.open(folder, f"live-{name}") for name in TALKING[machine.split]]
    places = [(bank, place) for bank in banks for place in range(len(bank))]
    for number in range(machine.clips):
        bank, place = places[int(generator.integers(len(places)))]
        made = _encoded(vocoder(bank.clip(place), generator), generator)
        yield BankClip(samples=made, speaker=bank.speakers[place], source=bank.sources[place], is_cut=True)
        _tell(machine, number)


def _encoded(samples: Samples, generator: Generator) -> Samples:
    """Pass a clip through Opus at the rates of the corpora, so that no codec tells people from machines."""
    return opus(within_full_scale(samples), kbps=float(generator.uniform(*_CORPORA_KBPS)))


def _tell(machine: Machine, number: int) -> None:
    if (number + 1) % 100 == 0:
        print(f"{machine.name}: {number + 1} of {machine.clips}", flush=True)
