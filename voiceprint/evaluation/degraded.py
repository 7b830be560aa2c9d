"""Degraded clips, embedded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from voiceprint.audio.conditions import CONDITIONS, EDITION, Condition, degrade
from voiceprint.corpus import Corpus
from voiceprint.errors import AudioError
from voiceprint.evaluation.cache import CachedEmbedding, EmbeddingCache
from voiceprint.evaluation.embedding import (
    CACHED_AT_A_TIME,
    ClipFile,
    EmbeddedClips,
    Outcome,
    Progress,
    audio_keys,
    corpus_files,
    gather,
    goes_by_snr,
    read_stretch,
    speech_key,
    to_embed,
)
from voiceprint.model import SpeakerModel
from voiceprint.workers import count_processes, map_with_model


@dataclass(frozen=True, slots=True, kw_only=True)
class _Task:
    clip: ClipFile
    others: tuple[ClipFile, ...]
    condition: str
    seed: int


def embed_degraded(
    corpus: Corpus,
    model: SpeakerModel,
    conditions: Sequence[str] = tuple(CONDITIONS),
    *,
    seed: int = 0,
    cache: EmbeddingCache | None = None,
    jobs: int | None = None,
    progress: Progress | None = None,
) -> dict[str, EmbeddedClips]:
    """Embed every clip of a corpus under every condition, as ``verify`` would embed it.

    Parameters
    ----------
    corpus : Corpus
        One corpus; its other speakers are the babble.
    conditions : sequence of str
        Names in `CONDITIONS`.
    cache, jobs, progress
        As for `embed_clips`.

    Returns
    -------
    dict of str to EmbeddedClips
        By condition. A clip for which the corpus has too few other speakers fails.
    """
    snr = goes_by_snr(model)
    tasks = [task for name in conditions for task in _tasks(corpus, CONDITIONS[name], seed)]
    keys = {} if cache is None else _keys(tasks, snr)
    known = {} if cache is None else cache.get(list(keys.values()))
    outcomes: dict[_Task, Outcome] = {t: known[keys[t]] for t in tasks if t in keys and keys[t] in known}
    fresh: dict[str, CachedEmbedding] = {}
    missing = [task for task in tasks if task not in outcomes]
    processes = count_processes(jobs)
    for done, (task, outcome) in enumerate(
        zip(missing, map_with_model(_embed, missing, model, jobs=processes), strict=True), start=1
    ):
        outcomes[task] = outcome
        if task in keys and isinstance(outcome, CachedEmbedding):
            fresh[keys[task]] = outcome
        if cache is not None and (len(fresh) >= CACHED_AT_A_TIME or done == len(missing)):
            cache.put(fresh)
            fresh = {}
        if progress is not None:
            progress(len(tasks) - len(missing) + done, len(tasks))
    return {
        name: gather({t.clip.name: outcomes[t] for t in tasks if t.condition == name}, model.dim, snr=snr)
        for name in conditions
    }


def _tasks(corpus: Corpus, condition: Condition, seed: int) -> Iterator[_Task]:
    files = corpus_files(corpus)
    speaker = np.array([u.speaker_id for u in corpus])
    for place, file in enumerate(files):
        rng = np.random.default_rng([seed, place])
        chosen = rng.permutation(np.flatnonzero(speaker != speaker[place]))[: condition.others]
        others = tuple(files[i] for i in chosen)
        yield _Task(clip=file, others=others, condition=condition.name, seed=seed)


def _keys(tasks: Sequence[_Task], snr: bool) -> dict[_Task, str]:
    audio = audio_keys(
        list({file.name: file for task in tasks for file in (task.clip, *task.others)}.values())
    )
    return {
        task: " ".join(
            [
                *(audio[f.name] for f in (task.clip, *task.others)),
                speech_key(snr),
                f"{task.condition} {EDITION}",
                str(task.seed),
            ]
        )
        for task in tasks
        if all(file.name in audio for file in (task.clip, *task.others))
    }


def _embed(model: SpeakerModel, task: _Task) -> Outcome:
    try:
        waveform = read_stretch(task.clip)
        changed = degrade(
            waveform.samples,
            CONDITIONS[task.condition],
            clip=task.clip.name,
            others=[read_stretch(file).samples for file in task.others],
            seed=task.seed,
        )
        samples, seconds, snr_db = to_embed(replace(waveform, samples=changed), snr=goes_by_snr(model))
        return CachedEmbedding(embedding=model.embed([samples])[0], seconds=seconds, snr_db=snr_db)
    except AudioError as error:
        return str(error)
