"""Clips to embeddings on the path that verify takes: read, find the speech, embed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from voiceprint.audio import SAMPLE_RATE, Waveform, read_audio
from voiceprint.audio.clips import samples_to_embed
from voiceprint.audio.quality import measure_quality
from voiceprint.audio.vad import find_speech
from voiceprint.corpus import Corpus
from voiceprint.errors import AudioError, TrialError
from voiceprint.evaluation.cache import CachedEmbedding, EmbeddingCache
from voiceprint.files.checksum import sha256_of
from voiceprint.model import SpeakerModel
from voiceprint.workers import count_processes, map_with_model

Progress = Callable[[int, int], None]
"""Called with how many are done, and how many there are."""

Length = float | None
"""Seconds of speech that a clip is cut to; None leaves it whole."""

Outcome = CachedEmbedding | str
"""An embedding, or why there is none."""

CACHED_AT_A_TIME = 256
_WORTH_A_PROCESS = 32  # starting one costs about as much as this many clips


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipFile:
    """Where the audio of a clip is.

    Parameters
    ----------
    start, stop : float or None
        The stretch of the file, in seconds.
    """

    name: str
    path: Path
    start: float | None = None
    stop: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EmbeddedClips:
    """The embeddings of clips, and the clips that have none.

    Parameters
    ----------
    embeddings : NDArray of float32 (n, dim)
        Of unit length.
    seconds : NDArray of float64 (n,)
        Seconds of speech, without the margins that are embedded with it; of the whole clip where there is
        next to no speech.
    failed : mapping of str to str
        The other clips, and why they have no embedding.
    snr_db : NDArray of float64 (n,), optional
        Signal-to-noise ratio, NaN where it is not known; only where it was asked for.
    """

    names: tuple[str, ...]
    embeddings: NDArray[np.float32]
    seconds: NDArray[np.float64]
    failed: Mapping[str, str] = field(default_factory=dict)
    snr_db: NDArray[np.float64] | None = None

    @property
    def rows(self) -> dict[str, int]:
        """The row of each clip."""
        return {name: row for row, name in enumerate(self.names)}


def corpus_files(corpus: Corpus) -> list[ClipFile]:
    """Return the clips of a corpus, named by their ``id``.

    Examples
    --------
    >>> len(corpus_files(corpus))
    25
    """
    return [ClipFile(name=u.id, path=u.path, start=u.start, stop=u.stop) for u in corpus]


def find_files(
    names: Sequence[str], *, root: str | os.PathLike[str] | None = None, corpus: Corpus | None = None
) -> list[ClipFile]:
    """Find the audio of the clips that trials name.

    Parameters
    ----------
    root : path, optional
        The folder that relative names are relative to.
    corpus : Corpus, optional
        Where given, names are ids in it, and `root` is not used.

    Raises
    ------
    TrialError
        If a name is not in the corpus.
    """
    if corpus is None:
        folder = Path() if root is None else Path(root)
        return [ClipFile(name=name, path=folder / name) for name in names]
    known = {file.name: file for file in corpus_files(corpus)}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise TrialError(
            f"{len(unknown)} of {len(names)} clips of the trials are not in the corpus, "
            f"such as {unknown[0]!r}; give the manifest that the trials were made from"
        )
    return [known[name] for name in names]


def embed_clips(
    files: Sequence[ClipFile],
    model: SpeakerModel,
    *,
    cache: EmbeddingCache | None = None,
    jobs: int | None = None,
    progress: Progress | None = None,
) -> EmbeddedClips:
    """Embed whole clips: every one of 0.1 s or more that can be decoded and is not digital silence.

    Parameters
    ----------
    cache : EmbeddingCache, optional
        Where embeddings are cached; it must be this model's.
    jobs : int, optional
        Processes; as many as there are processors where left out, fewer where there is little to do.
    progress : callable, optional
        Called with (done, total) after every clip.

    Examples
    --------
    >>> from voiceprint.evaluation import corpus_files
    >>> embedded = embed_clips(corpus_files(corpus[:3]), model, jobs=1)
    >>> embedded.embeddings.shape
    (3, 192)
    """
    return embed_lengths(files, model, [None], cache=cache, jobs=jobs, progress=progress)[None]


def embed_lengths(
    files: Sequence[ClipFile],
    model: SpeakerModel,
    lengths: Sequence[Length],
    *,
    cache: EmbeddingCache | None = None,
    jobs: int | None = None,
    progress: Progress | None = None,
    snr: bool | None = None,
) -> dict[Length, EmbeddedClips]:
    """Embed clips cut to several lengths; the speech of each is found once.

    What is embedded of a clip, its speech with margins, is cut to its middle; a clip with less of it than a
    length fails at that length.

    Parameters
    ----------
    files, model, cache, jobs, progress
        As for `embed_clips`.
    lengths : sequence of float or None
        Seconds; None is the whole clip.
    snr : bool, optional
        Whether to measure the signal-to-noise ratio of each clip; where left out, if the model's calibration
        goes by it.
    """
    with_snr = goes_by_snr(model) if snr is None else snr
    keys = {} if cache is None else audio_keys(files)
    outcomes = {} if cache is None else _look_up(cache, keys, lengths, with_snr)
    missing = [file for file in files if any((file.name, length) not in outcomes for length in lengths)]
    fresh: dict[str, CachedEmbedding] = {}
    for done, (file, embedded) in enumerate(_work(missing, model, tuple(lengths), jobs, with_snr), start=1):
        for length, outcome in embedded.items():
            outcomes[file.name, length] = outcome
            if isinstance(outcome, CachedEmbedding) and file.name in keys:
                fresh[_key(keys[file.name], length, with_snr)] = outcome
        if cache is not None and (len(fresh) >= CACHED_AT_A_TIME or done == len(missing)):
            cache.put(fresh)
            fresh = {}
        if progress is not None:
            progress(len(files) - len(missing) + done, len(files))
    return {
        length: gather({file.name: outcomes[file.name, length] for file in files}, model.dim, snr=with_snr)
        for length in lengths
    }


def cut_to(samples: NDArray[np.float32], seconds: float) -> NDArray[np.float32] | None:
    """Return the middle `seconds` of samples (n,) at 16 kHz, or None where they are shorter."""
    wanted = round(seconds * SAMPLE_RATE)
    start = (len(samples) - wanted) // 2
    return None if start < 0 else samples[start : start + wanted]


def read_stretch(file: ClipFile) -> Waveform:
    """Read the audio of a clip.

    Raises
    ------
    AudioError
        If it cannot be read, or its stretch lies outside the file.
    """
    waveform = read_audio(file.path)
    if file.start is None and file.stop is None:
        return waveform
    start = round((file.start or 0.0) * SAMPLE_RATE)
    stop = len(waveform.samples) if file.stop is None else round(file.stop * SAMPLE_RATE)
    samples = waveform.samples[start:stop]
    if len(samples) == 0:
        raise AudioError(
            f"{file.path}: holds nothing from {file.start} to {file.stop} s of its {waveform.seconds:.2f} s",
            source=str(file.path),
        )
    return replace(waveform, samples=samples)


def goes_by_snr(model: SpeakerModel) -> bool:
    """Whether a model's calibration asks for the signal-to-noise ratio of clips."""
    return model.card.calibration is not None and model.card.calibration.snr is not None


def to_embed(waveform: Waveform, *, snr: bool) -> tuple[NDArray[np.float32], float, float | None]:
    """Return what of a clip is embedded, its seconds of speech, and its SNR where asked for and known."""
    speech = find_speech(waveform)
    samples = samples_to_embed(waveform, speech)
    seconds = waveform.seconds if samples is waveform.samples else speech.seconds
    return samples, seconds, measure_quality(waveform, speech).snr_db if snr else None


def _work(
    files: Sequence[ClipFile], model: SpeakerModel, lengths: tuple[Length, ...], jobs: int | None, snr: bool
) -> Iterator[tuple[ClipFile, dict[Length, Outcome]]]:
    processes = min(count_processes(jobs), len(files) // _WORTH_A_PROCESS + 1)
    tasks = [(file, lengths, snr) for file in files]
    yield from zip(files, map_with_model(_embed, tasks, model, jobs=processes), strict=True)


def _embed(model: SpeakerModel, task: tuple[ClipFile, tuple[Length, ...], bool]) -> dict[Length, Outcome]:
    file, lengths, snr = task
    try:
        samples, seconds, snr_db = to_embed(read_stretch(file), snr=snr)
        return {length: _embed_cut(model, samples, length or seconds, length, snr_db) for length in lengths}
    except AudioError as error:
        return dict.fromkeys(lengths, str(error))


def _embed_cut(
    model: SpeakerModel,
    whole: NDArray[np.float32],
    seconds: float,
    length: Length,
    snr_db: float | None,
) -> Outcome:
    samples = whole if length is None else cut_to(whole, length)
    if samples is None:
        return f"has {len(whole) / SAMPLE_RATE:.2f} s to embed, and {length:g} s are asked for"
    return CachedEmbedding(embedding=model.embed([samples])[0], seconds=seconds, snr_db=snr_db)


def gather(outcomes: Mapping[str, Outcome], dim: int, *, snr: bool) -> EmbeddedClips:
    """Put the outcomes of clips (by name) into arrays."""
    good = {name: outcome for name, outcome in outcomes.items() if isinstance(outcome, CachedEmbedding)}
    return EmbeddedClips(
        names=tuple(good),
        embeddings=np.array([e.embedding for e in good.values()], dtype=np.float32).reshape(len(good), dim),
        seconds=np.array([e.seconds for e in good.values()], dtype=np.float64),
        failed={name: outcome for name, outcome in outcomes.items() if isinstance(outcome, str)},
        snr_db=np.array([np.nan if e.snr_db is None else e.snr_db for e in good.values()]) if snr else None,
    )


def audio_keys(files: Sequence[ClipFile]) -> dict[str, str]:
    """Hash what each clip is made of; one that cannot be read has no key, and fails when it is embedded."""
    hashes: dict[Path, str] = {}
    for path in {file.path for file in files}:
        with suppress(OSError):
            hashes[path] = sha256_of(path)
    return {f.name: f"{hashes[f.path]} {f.start} {f.stop}" for f in files if f.path in hashes}


def _look_up(
    cache: EmbeddingCache, keys: Mapping[str, str], lengths: Sequence[Length], snr: bool
) -> dict[tuple[str, Length], Outcome]:
    wanted = {(name, length): _key(key, length, snr) for name, key in keys.items() for length in lengths}
    cached = cache.get(list(dict.fromkeys(wanted.values())))
    return {place: cached[key] for place, key in wanted.items() if key in cached}


def _key(audio: str, length: Length, snr: bool) -> str:
    # Says how samples become embeddings: an entry made another way must not be found.
    return f"{audio} {speech_key(snr)} {'whole' if length is None else f'{length:g}'}"


def speech_key(snr: bool) -> str:
    """Return the part of a cache's key that says what was measured of a clip."""
    return "speech and margins+snr" if snr else "speech and margins"
