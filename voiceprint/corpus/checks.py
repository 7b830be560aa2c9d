"""What is wrong with a corpus, and what is in it."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from voiceprint.arguments import check_number
from voiceprint.audio import SAMPLE_RATE, clipped_fraction
from voiceprint.corpus.manifest import Corpus, Utterance
from voiceprint.corpus.reading import Progress, Unreadable, read_utterances

MIN_SECONDS = 0.5
MAX_CLIPPED = 0.01
SILENCE_DBFS = -60.0

_LENGTH_SLACK = 0.1  # seconds by which a manifest may round, and a codec pad


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitStats:
    """What one split of a corpus holds.

    Parameters
    ----------
    split : str
        Its name; empty for utterances of none.
    speakers, sessions, utterances : int
        How many there are; sessions count where they are known.
    seconds : tuple of float
        Shortest, median and longest utterance.
    per_speaker : tuple of float
        Fewest, median and most utterances of a speaker.
    genders : dict of str to int
        Speakers of each gender; the empty one is unknown.
    """

    split: str
    speakers: int
    sessions: int
    utterances: int
    hours: float
    seconds: tuple[float, float, float]
    per_speaker: tuple[float, float, float]
    genders: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing wrong with a corpus.

    Parameters
    ----------
    kind : str
        ``unreadable``, ``duplicate``, ``silent``, ``clipped``, ``too_short``, ``wrong_length``,
        ``one_utterance`` or ``two_splits``.
    where : str
        The utterance or speaker.
    what : str
        What is wrong, with the value.
    """

    kind: str
    where: str
    what: str


def corpus_stats(corpus: Corpus) -> tuple[SplitStats, ...]:
    """Count what each split of a corpus holds.

    Examples
    --------
    >>> [(split.speakers, split.utterances) for split in corpus_stats(corpus)]
    [(5, 25)]
    """
    return tuple(_split_stats(corpus.filter(split=split), split) for split in corpus.splits)


def check_corpus(
    corpus: Corpus,
    *,
    min_seconds: float = MIN_SECONDS,
    max_clipped: float = MAX_CLIPPED,
    progress: Progress | None = None,
) -> tuple[Finding, ...]:
    """Decode a whole corpus and list what is wrong with it.

    Parameters
    ----------
    min_seconds : float
        Utterances below are too short.
    max_clipped : float
        Utterances with a larger fraction of clipped samples are clipped.
    progress : callable, optional
        Called with (done, total) after every utterance.

    Returns
    -------
    tuple of Finding
        Speakers first, then utterances in their order. Of utterances with the same samples, all but the first
        are duplicates.

    Examples
    --------
    >>> check_corpus(corpus)
    ()
    """
    check_number("min_seconds", min_seconds, least=0.0)
    check_number("max_clipped", max_clipped, least=0.0, most=1.0)
    findings = _check_speakers(corpus)
    first: dict[str, Utterance] = {}
    for done, (utterance, clip) in enumerate(zip(corpus, read_utterances(corpus), strict=True), start=1):
        if isinstance(clip, Unreadable):
            findings.append(Finding(kind="unreadable", where=_name(utterance), what=clip.reason))
        else:
            original = first.setdefault(hashlib.sha256(clip.tobytes()).hexdigest(), utterance)
            if original is not utterance:
                findings.append(_duplicate(utterance, original))
            findings += _check_clip(utterance, clip, min_seconds=min_seconds, max_clipped=max_clipped)
        if progress is not None:
            progress(done, len(corpus))
    return tuple(findings)


def _split_stats(corpus: Corpus, split: str) -> SplitStats:
    seconds = np.array([u.seconds for u in corpus])
    per_speaker = np.array([len(indices) for indices in corpus.by_speaker.values()])
    gender = {u.speaker_id: u.gender for u in corpus}
    return SplitStats(
        split=split,
        speakers=len(corpus.speakers),
        sessions=len({u.session_id for u in corpus} - {""}),
        utterances=len(corpus),
        hours=corpus.seconds / 3600,
        seconds=_spread(seconds),
        per_speaker=_spread(per_speaker),
        genders={g: len(list(of_g)) for g, of_g in groupby(sorted(gender.values()))},
    )


def _spread(values: NDArray[np.floating | np.integer]) -> tuple[float, float, float]:
    return float(values.min()), float(np.median(values)), float(values.max())


def _check_speakers(corpus: Corpus) -> list[Finding]:
    splits: defaultdict[str, set[str]] = defaultdict(set)
    for u in corpus:
        splits[u.speaker_id].add(u.split)
    findings = [
        Finding(kind="two_splits", where=speaker, what=f"is in the splits {', '.join(sorted(found))}")
        for speaker, found in splits.items()
        if len(found) > 1
    ]
    findings += [
        Finding(kind="one_utterance", where=speaker, what="has one utterance, which makes no target trial")
        for speaker, indices in corpus.by_speaker.items()
        if len(indices) == 1
    ]
    return findings


def _duplicate(utterance: Utterance, original: Utterance) -> Finding:
    whose = "" if utterance.speaker_id == original.speaker_id else f", of {original.speaker_id}"
    return Finding(
        kind="duplicate", where=_name(utterance), what=f"has the samples of {_name(original)}{whose}"
    )


def _check_clip(
    utterance: Utterance, clip: NDArray[np.float32], *, min_seconds: float, max_clipped: float
) -> list[Finding]:
    seconds = len(clip) / SAMPLE_RATE
    level = 10 * np.log10(max(float(np.mean(np.square(clip, dtype=np.float64))), 1e-20))
    clipped = clipped_fraction(clip)
    wrong = {
        "silent": (level < SILENCE_DBFS, f"has a level of {level:.0f} dBFS"),
        "clipped": (clipped > max_clipped, f"has {clipped:.1%} of its samples clipped"),
        "too_short": (seconds < min_seconds, f"lasts {seconds:.2f} s"),
        "wrong_length": (
            abs(seconds - utterance.seconds) > _LENGTH_SLACK,
            f"lasts {seconds:.2f} s, and {utterance.seconds:.2f} s by the manifest",
        ),
    }
    return [
        Finding(kind=kind, where=_name(utterance), what=what)
        for kind, (found, what) in wrong.items()
        if found
    ]


def _name(utterance: Utterance) -> str:
    return f"{utterance.corpus}/{utterance.id}" if utterance.corpus else utterance.id
