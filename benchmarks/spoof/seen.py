"""How often a recording is known again, and how often another take is taken for it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.spoof.parts import Options
from benchmarks.spoof.replaying import REPLAYS
from benchmarks.tables import markdown_table
from voiceprint.audio import SAMPLE_RATE, Waveform
from voiceprint.audio.clips import MIN_SPEECH, Clip, read_clip
from voiceprint.audio.degrade import active_power, add_background, pink_noise
from voiceprint.audio.fingerprint import SAME_RECORDING, SoundTrace, trace_of
from voiceprint.corpus import Utterance, read_manifest
from voiceprint.corpus.reading import read_utterances
from voiceprint.metrics.proportion import proportion_interval
from voiceprint.training.challenge.speech import joined, spoken_part

Samples = NDArray[np.float32]

RECORDINGS = ("speechocean762", "common_voice", "speech_commands", "arabic_speech_commands", "voxforge")
"""Corpora whose recordings are replayed; those that are not there, or lack the split, are left out."""

TAKES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "dev": {
        "arabic_speech_commands": ("train", "dev"),
        "speech_commands": ("train", "dev"),
        "spanish_students": ("train",),
        "dspspeech20": ("train",),
    },
    "test": {
        "arabic_speech_commands": ("test",),
        "speech_commands": ("test",),
        "free_spoken_digits": ("test",),
        "voxforge": ("test",),
    },
}
"""Corpora and splits in which people say the same words several times. No threshold was trained on any."""

SENTENCES = ("speechocean762", "librispeech", "common_voice")
"""Corpora of sentences; of each person up to `_SENTENCES_OF_ONE` that differ are compared."""

_SENTENCES_OF_ONE = 14
_ROWS = 3  # of words that everybody says twice, of at most so many words:
_WORDS_IN_A_ROW = 6
_MARGIN = SAMPLE_RATE // 10  # of a word that is joined with others

SHARED: Mapping[str, Callable[[Samples, Samples], Samples]] = {
    "the same noise behind both, 10 dB": lambda x, noise: add_background(x, noise[: len(x)], snr_db=10.0),
    "the same hum in both, 10 dB": lambda x, _: add_background(x, _hum(len(x)), snr_db=10.0),
    "half a second of silence before both": lambda x, _: np.concatenate([np.zeros(8_000, np.float32), x]),
}
"""What two takes may have in common without being one recording."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Replay:
    """What came of a replay."""

    seconds: float
    known: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Counted:
    """What came of some pairs of takes."""

    tried: int
    known: int


def seen_before(options: Options) -> str:
    """Measure both, and return the tables."""
    replayed = _replays(options)
    kinds: dict[str, list[_Replay]] = defaultdict(list)
    for name, replays in replayed.items():
        kinds[REPLAYS[name].kind].extend(replays)
    rows = [[f"**{kind}**", *_columns(replays)] for kind, replays in kinds.items()]
    rows += [[f"{REPLAYS[name].kind}: {name}", *_columns(replays)] for name, replays in replayed.items()]
    heads = ["replayed", "of 1 s of speech or more", "refused %", "of 0.5 to 1 s", "refused %"]
    takes = [_take_columns(name, counted) for name, counted in _takes(options)]
    return "\n".join(
        [
            f"{options.split} speakers, {options.clips} recordings of each corpus, seed {options.seed}\n",
            markdown_table(heads, rows),
            "",
            markdown_table(["other takes of the same words", "pairs", "refused", "rate at most %"], takes),
        ]
    )


def _columns(replays: Sequence[_Replay]) -> list[str]:
    columns = []
    for low, high in ((1.0, np.inf), (MIN_SPEECH, 1.0)):
        known = [each.known for each in replays if low <= each.seconds < high]
        columns += [str(len(known)), f"{100 * np.mean(known):.1f}" if known else "-"]
    return columns


def _take_columns(name: str, counted: _Counted) -> list[str]:
    if not counted.tried:
        return [name, "0", "0", "-"]
    # Pairs of one person are taken for independent.
    high = proportion_interval(counted.known, counted.tried).high
    return [name, str(counted.tried), str(counted.known), f"{100 * high:.3f}"]


def _replays(options: Options) -> dict[str, list[_Replay]]:
    """Replay recordings in all ways; what holds too little speech for any verdict is left out."""
    rng = np.random.default_rng(options.seed)
    found: dict[str, list[_Replay]] = {name: [] for name in REPLAYS}
    for samples, other in _recordings(options, rng):
        fingerprint = _trace(_clip(samples)).fingerprint()
        for name, replaying in REPLAYS.items():
            played = replaying.change(samples, other, rng)
            clip = _clip(played)
            if clip.quality.seconds_of_speech >= MIN_SPEECH:
                # To the sample, as the engine knows it by its hash; or by the fingerprint.
                known = np.array_equal(played, samples) or _known(_trace(clip), fingerprint)
                found[name].append(_Replay(seconds=clip.quality.seconds_of_speech, known=known))
    return found


def _recordings(options: Options, rng: np.random.Generator) -> Iterator[tuple[Samples, Samples]]:
    """Yield recordings, each with another of its corpus; those with too little speech are passed over."""
    for corpus in RECORDINGS:
        utterances = _utterances(options, corpus, [options.split])
        order = rng.permutation(len(utterances))[: 2 * options.clips]
        read = _read([utterances[at] for at in order])
        spoken = [x for x in read if _clip(x).quality.seconds_of_speech >= MIN_SPEECH][: options.clips]
        yield from zip(spoken, spoken[1:] + spoken[:1], strict=True)


def _takes(options: Options) -> Iterator[tuple[str, _Counted]]:
    """Compare takes of the same words by the same person, as they are and with something in common."""
    rng = np.random.default_rng(options.seed)
    background = pink_noise(60 * SAMPLE_RATE, rng)
    summed = list[tuple[int, int]]()
    for corpus, splits in TAKES[options.split].items():
        groups = _same_words(_utterances(options, corpus, splits))
        found = _compared(_read_all(groups), _as_it_is, background)
        summed.append(found)
        yield corpus, _counted(found)
    yield "**all**", _Counted(tried=sum(n for n, _ in summed), known=sum(k for _, k in summed))
    yield (
        "rows of words, joined of other takes each",
        _counted(_compared(_joined_rows(options, rng), _as_it_is, background)),
    )
    yield (
        "other sentences of the same person",
        _counted(_compared(_other_sentences(options), _as_it_is, background)),
    )
    groups = _same_words(_utterances(options, *next(iter(TAKES[options.split].items()))))[: options.clips]
    for name, change in SHARED.items():
        yield name, _counted(_compared(_read_all(groups), change, background))


def _counted(found: tuple[int, int]) -> _Counted:
    return _Counted(tried=found[0], known=found[1])


def _joined_rows(options: Options, rng: np.random.Generator) -> Iterator[list[Samples]]:
    """Let everybody say the same row of words twice: other takes of each word, joined."""
    for corpus, splits in TAKES[options.split].items():
        said: dict[str, list[list[Utterance]]] = defaultdict(list)
        for takes in _same_words(_utterances(options, corpus, splits)):
            if len(takes[0].text.split()) == 1:
                said[takes[0].speaker].append(takes)
        able = [speaker for speaker, words in sorted(said.items()) if len(words) > 1]
        for speaker in [able[at] for at in rng.permutation(len(able))[: options.clips]]:
            for _ in range(_ROWS):
                words = [said[speaker][at] for at in rng.permutation(len(said[speaker]))[:_WORDS_IN_A_ROW]]
                twice = [[takes[at] for at in rng.permutation(len(takes))[:2]] for takes in words]
                yield [_joined(_read(row), rng) for row in zip(*twice, strict=True)]


def _joined(words: Sequence[Samples], rng: np.random.Generator) -> Samples:
    """Join words at one level, each with some of what is around it, before soft noise."""
    parts = []
    for samples in words:
        word = spoken_part(samples)
        part = samples[max(0, word.start - _MARGIN) : word.stop + _MARGIN]
        parts.append(np.asarray(0.05 * part / (np.sqrt(active_power(part)) + 1e-6), dtype=np.float32))
    row = joined(parts, np.zeros(len(parts)))
    return add_background(row, pink_noise(len(row), rng), snr_db=35.0)


def _other_sentences(options: Options) -> Iterator[list[Samples]]:
    for corpus in SENTENCES:
        of_speaker: dict[str, dict[str, Utterance]] = defaultdict(dict)
        for utterance in _utterances(options, corpus, [options.split]):
            of_speaker[utterance.speaker].setdefault(utterance.text, utterance)
        for said in of_speaker.values():
            yield _read([*said.values()][:_SENTENCES_OF_ONE])


def _as_it_is(samples: Samples, _background: Samples) -> Samples:
    return samples


def _compared(
    groups: Iterable[Sequence[Samples]], change: Callable[[Samples, Samples], Samples], background: Samples
) -> tuple[int, int]:
    """Compare all pairs within groups; returns how many pairs, and how many pass for one recording."""
    tried = known = 0
    for group in groups:
        clips = [_clip(change(samples, background)) for samples in group]
        traces = [_trace(clip) for clip in clips if clip.quality.seconds_of_speech > 0.0]
        prints = [trace.fingerprint() for trace in traces]
        for place, trace in enumerate(traces):
            likeness = trace.likeness(prints[:place])
            tried += len(likeness)
            known += int((likeness >= SAME_RECORDING).sum())
    return tried, known


def _same_words(utterances: Iterable[Utterance]) -> list[list[Utterance]]:
    groups: dict[tuple[str, str], list[Utterance]] = defaultdict(list)
    for utterance in utterances:
        if utterance.text:
            groups[utterance.speaker, utterance.text].append(utterance)
    return [group for group in groups.values() if len(group) > 1]


def _known(trace: SoundTrace, fingerprint: bytes) -> bool:
    return bool(trace.likeness([fingerprint])[0] >= SAME_RECORDING)


def _trace(clip: Clip) -> SoundTrace:
    return trace_of(clip.speech, clip.stretches)


def _clip(samples: Samples) -> Clip:
    return read_clip(
        Waveform(samples=samples.astype(np.float32), source="<replay>", original_rate=SAMPLE_RATE)
    )


def _hum(length: int) -> Samples:
    time = np.arange(length) / SAMPLE_RATE
    tones = [np.sin(2 * np.pi * 50 * order * time) / order for order in range(1, 40)]
    return np.asarray(np.sum(tones, axis=0), dtype=np.float32)


def _utterances(options: Options, corpus: str, splits: Sequence[str]) -> list[Utterance]:
    manifest = options.corpora / corpus / "manifest.csv"
    there = read_manifest(manifest) if manifest.exists() else ()
    return [utterance for utterance in there if utterance.split in splits]


def _read_all(groups: Iterable[Sequence[Utterance]]) -> Iterator[list[Samples]]:
    return (_read(group) for group in groups)


def _read(utterances: Sequence[Utterance]) -> list[Samples]:
    """Read recordings; those that cannot be read are left out."""
    return [read for read in read_utterances(utterances) if isinstance(read, np.ndarray)]
