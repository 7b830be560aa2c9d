"""The scores that a model's thresholds are fitted on: trials of the shapes that ``verify`` sees."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from voiceprint.audio.clips import MARGIN, MIN_SPEECH, samples_to_embed
from voiceprint.audio.conditions import CONDITIONS, degrade
from voiceprint.audio.quality import measure_quality
from voiceprint.audio.vad import find_speech
from voiceprint.calibration import CellScores
from voiceprint.corpus import Corpus
from voiceprint.engine.enrollment import MIN_ENROLL_SPEECH
from voiceprint.errors import TooFewTrialsError
from voiceprint.evaluation.embedding import ClipFile, Progress, corpus_files, cut_to, read_stretch
from voiceprint.metrics import SpeakerTrials
from voiceprint.model import SpeakerModel
from voiceprint.scoring import centroid, cosine_matrix
from voiceprint.workers import count_processes, map_with_model

N_ENROLL = (1, 3, 5, 10)
SECONDS = (0.5, 1.0, 2.0, 3.0, 5.0, 10.0)

NOISES = ("noise 20 dB", "noise 10 dB", "noise 5 dB")
"""Conditions that test clips are also made under where their signal-to-noise ratio is to be fitted."""

_MODELS = 6  # voiceprints of each size that are made of one part of a speaker's clips
_TESTS = 8  # test clips of each length that are made of it

Floats = NDArray[np.float32]


def calibration_trials(
    corpus: Corpus,
    model: SpeakerModel,
    *,
    n_enroll: Sequence[int] = N_ENROLL,
    seconds: Sequence[float] = SECONDS,
    snr: bool = False,
    seed: int = 0,
    jobs: int | None = None,
    progress: Progress | None = None,
) -> dict[str, tuple[CellScores, ...]]:
    """Score development speakers in trials of every shape, for `fit_pooled`.

    The clips of each speaker are dealt into two parts: halves or, where a half holds too little speech to
    enroll with, the fewest clips that hold enough, and the rest. Voiceprints of `n_enroll` clips are made of
    one part and meet test clips made of the other, and those of every other speaker of the same corpus. A
    test clip is the middle of one clip's speech or, where that is too short, of the speech of several clips,
    joined; margins around the speech are embedded with it and not counted, as everywhere. As in ``verify``,
    a clip with under 0.5 s of speech is not used, and a voiceprint takes 3 s of speech.

    Parameters
    ----------
    corpus : Corpus
        Development speakers of one or more corpora; nobody whose figures will be reported.
    n_enroll : sequence of int
        Enrollment clips.
    seconds : sequence of float
        Lengths of the test clips; the last one stands for all that is longer.
    snr : bool
        Also make test clips of the same recordings in noise, and measure the signal-to-noise ratio of all.
    jobs : int, optional
        Processes; one for each processor where left out.
    progress : callable, optional
        Called with (done, total) after every speaker.

    Returns
    -------
    dict of str to tuple of CellScores
        Of each corpus: each of `n_enroll` with each of `seconds`, but for shapes that it has no trials of.

    Raises
    ------
    AudioError, TooFewTrialsError
        If a clip cannot be read, or no corpus has trials of one of the shapes.
    """
    parts = embed_parts(corpus, model, seconds=seconds, snr=snr, seed=seed, jobs=jobs, progress=progress)
    return claim_trials(parts, n_enroll=n_enroll, seconds=seconds, seed=seed)


def claim_trials(
    parts: Sequence[SpeakerPart],
    *,
    n_enroll: Sequence[int] = N_ENROLL,
    seconds: Sequence[float] = SECONDS,
    seed: int = 0,
) -> dict[str, tuple[CellScores, ...]]:
    """Score embedded speakers as `calibration_trials` does; arguments, result and errors are its."""
    rng = np.random.default_rng([seed, 1])
    cells: dict[str, list[CellScores]] = {part.corpus: [] for part in parts}
    for clips in n_enroll:
        voiceprints = [part.voiceprints(clips, rng) for part in parts]
        for length in seconds:
            for name, cell in _cells(parts, voiceprints, n_enroll=clips, seconds=length).items():
                cells[name].append(cell)
    return {name: tuple(of_corpus) for name, of_corpus in cells.items()}


def _nothing_to_score(
    parts: Sequence[SpeakerPart], voiceprints: Sequence[Floats], *, n_enroll: int, seconds: float
) -> TooFewTrialsError:
    """Say what trials of one shape lack."""
    speakers = {(part.corpus, part.speaker) for part in parts}
    pairs = list(zip(parts, voiceprints, strict=True))
    enrolled = {(part.corpus, part.speaker) for part, made in pairs if len(made)}
    tested = {(part.corpus, part.speaker) for part in parts if len(part.tests[seconds])}
    clips = f"{n_enroll} clip{'s' * (n_enroll != 1)}"
    return TooFewTrialsError(
        f"there are no trials of {clips} against {seconds:g} s: one part of a speaker's clips must hold "
        f"{clips} with {MIN_ENROLL_SPEECH:g} s of speech in all, the other part {seconds:g} s; of "
        f"{len(speakers)} speakers {len(enrolled)} have the first and {len(tested)} the second, and two must "
        "have both; " + ("add speakers" if len(speakers) < 2 else "add longer clips, or more of each speaker")
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SpeakerPart:
    """One part of a speaker's clips, embedded.

    Parameters
    ----------
    clips : NDArray of float32 (n, dim)
        Every clip.
    lengths : NDArray of float64 (n,)
        Their seconds of speech.
    tests : dict of float to NDArray of float32 (m, dim)
        Test clips of each length.
    snr_db : dict of float to NDArray of float64 (m,)
        Their signal-to-noise ratio, NaN where it is not known; empty where it was not asked for.
    """

    corpus: str
    speaker: str
    clips: Floats
    lengths: NDArray[np.float64]
    tests: dict[float, Floats]
    snr_db: dict[float, NDArray[np.float64]]

    def voiceprints(self, n_enroll: int, rng: np.random.Generator) -> Floats:
        """Make voiceprints (m, dim) of so many drawn clips that hold enough speech together."""
        if len(self.clips) < n_enroll:
            return self.clips[:0]
        size = len(self.clips)
        drawn = {tuple(sorted(rng.choice(size, n_enroll, replace=False))) for _ in range(4 * _MODELS)}
        enough = [rows for rows in sorted(drawn) if self.lengths[list(rows)].sum() >= MIN_ENROLL_SPEECH]
        chosen = rng.permutation(len(enough))[:_MODELS]
        made = [centroid(self.clips[list(enough[i])]) for i in chosen]
        return np.array(made).reshape(-1, self.clips.shape[1])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Task:
    corpus: str
    speaker: str
    files: tuple[ClipFile, ...]
    seconds: tuple[float, ...]
    snr: bool
    condition: str | None


def embed_parts(
    corpus: Corpus,
    model: SpeakerModel,
    *,
    seconds: Sequence[float] = SECONDS,
    snr: bool = False,
    conditions: Sequence[str] = (),
    seed: int = 0,
    jobs: int | None = None,
    progress: Progress | None = None,
) -> list[SpeakerPart]:
    """Embed the two parts of every speaker's clips, as `calibration_trials` deals them.

    Parameters
    ----------
    corpus, model, seconds, snr, seed, jobs, progress
        As for `calibration_trials`.
    conditions : sequence of str
        Names in `CONDITIONS`, in turn for one speaker after the other, whose clips are all degraded alike.

    Raises
    ------
    AudioError
        If a clip cannot be read.
    """
    files = corpus_files(corpus)
    rng = np.random.default_rng([seed, 0])
    tasks = [
        _Task(
            corpus=corpus[indices[0]].corpus,
            speaker=speaker,
            files=tuple(files[i] for i in rng.permutation(indices)),
            seconds=tuple(seconds),
            snr=snr,
            condition=conditions[place % len(conditions)] if conditions else None,
        )
        for place, (speaker, indices) in enumerate(corpus.by_speaker.items())
    ]
    parts: list[SpeakerPart] = []
    made = map_with_model(_embed_speaker, tasks, model, jobs=count_processes(jobs), chunk=1)
    for done, of_speaker in enumerate(made, 1):
        parts.extend(of_speaker)
        if progress is not None:
            progress(done, len(tasks))
    return parts


def _embed_speaker(model: SpeakerModel, task: _Task) -> tuple[SpeakerPart, ...]:
    clean = _detect(task.files, task.condition, snr=task.snr)
    return tuple(_embed_part(model, task, part) for part in _deal(clean) if part)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _SpeechClip:
    """What of a clip is embedded (n,), the seconds of speech in it, and its SNR, NaN where not known."""

    file: ClipFile
    samples: Floats
    seconds: float
    snr_db: float


def _deal(clips: Sequence[_SpeechClip]) -> tuple[Sequence[_SpeechClip], Sequence[_SpeechClip]]:
    """Deal a speaker's clips into two parts, of which one at least can be enrolled, if any can."""
    spoken = np.cumsum([clip.seconds for clip in clips])
    fewest = int(np.searchsorted(spoken, MIN_ENROLL_SPEECH)) + 1
    half = (len(clips) + 1) // 2
    middle = max(half, min(fewest, len(clips) - 1))
    return clips[:middle], clips[middle:]


def _embed_part(model: SpeakerModel, task: _Task, clean: Sequence[_SpeechClip]) -> SpeakerPart:
    files = [clip.file for clip in clean]
    noisy = [_detect(files, noise, snr=True) for noise in (NOISES if task.snr else ())]
    versions = [clean, *noisy]
    tests = {length: [t for clips in versions for t in _test_clips(clips, length)] for length in task.seconds}
    return SpeakerPart(
        corpus=task.corpus,
        speaker=task.speaker,
        clips=model.embed([clip.samples for clip in clean]),
        lengths=np.array([clip.seconds for clip in clean]),
        tests={length: model.embed([t.samples for t in made]) for length, made in tests.items()},
        snr_db={length: np.array([t.snr_db for t in made]) for length, made in tests.items() if task.snr},
    )


def _detect(files: Iterable[ClipFile], noise: str | None, *, snr: bool) -> list[_SpeechClip]:
    """Find the speech of every clip with enough of it, in noise or as it is."""
    clips = []
    for file in files:
        waveform = read_stretch(file)
        if noise is not None:
            made = degrade(waveform.samples, CONDITIONS[noise], clip=file.name)
            waveform = replace(waveform, samples=made)
        speech = find_speech(waveform)
        if speech.seconds >= MIN_SPEECH:
            snr_db = measure_quality(waveform, speech).snr_db if snr else None
            clips.append(
                _SpeechClip(
                    file=file,
                    samples=samples_to_embed(waveform, speech),
                    seconds=speech.seconds,
                    snr_db=np.nan if snr_db is None else snr_db,
                )
            )
    return clips


def _test_clips(clips: Sequence[_SpeechClip], seconds: float) -> list[_SpeechClip]:
    tests: list[_SpeechClip] = []
    joined: list[_SpeechClip] = []
    for clip in clips:
        joined.append(clip)
        # A clip of so much speech is embedded with its margins.
        test = cut_to(np.concatenate([each.samples for each in joined]), seconds + 2 * MARGIN)
        if test is not None:
            known = [each.snr_db for each in joined if np.isfinite(each.snr_db)]
            snr_db = float(np.mean(known)) if known else np.nan
            tests.append(replace(clip, samples=test, seconds=seconds, snr_db=snr_db))
            joined.clear()
        if len(tests) == _TESTS:
            break
    return tests


def _cells(
    parts: Sequence[SpeakerPart], voiceprints: Sequence[Floats], *, n_enroll: int, seconds: float
) -> dict[str, CellScores]:
    """Score the trials of one shape, within each corpus that has both kinds of them; one has to."""
    cells: dict[str, CellScores] = {}
    for name in dict.fromkeys(part.corpus for part in parts):
        mine = [place for place, part in enumerate(parts) if part.corpus == name]
        trials, snr_db = _meet([parts[i] for i in mine], [voiceprints[i] for i in mine], seconds)
        if trials.is_target.any() and not trials.is_target.all():
            cells[name] = CellScores.from_trials(trials, n_enroll=n_enroll, seconds=seconds, snr_db=snr_db)
    if not cells:
        raise _nothing_to_score(parts, voiceprints, n_enroll=n_enroll, seconds=seconds)
    return cells


def _meet(
    parts: Sequence[SpeakerPart], voiceprints: Sequence[Floats], seconds: float
) -> tuple[SpeakerTrials, NDArray[np.float64] | None]:
    """Score every voiceprint against every test clip of all other parts; the tests' SNR beside, if known."""
    tests = [part.tests[seconds] for part in parts]
    claimed = np.repeat(np.arange(len(parts)), [len(of_part) for of_part in voiceprints])
    tested = np.repeat(np.arange(len(parts)), [len(of_part) for of_part in tests])
    scores = cosine_matrix(np.concatenate(voiceprints), np.concatenate(tests))
    rows, columns = np.nonzero(claimed[:, None] != tested)
    speaker = np.array([part.speaker for part in parts])
    noise = [part.snr_db[seconds] for part in parts if part.snr_db]
    trials = SpeakerTrials(
        scores=scores[rows, columns], enroll=speaker[claimed[rows]], test=speaker[tested[columns]]
    )
    return trials, np.concatenate(noise)[columns] if noise else None
