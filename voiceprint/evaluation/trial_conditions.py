"""A trial list under every condition."""

from __future__ import annotations

from dataclasses import dataclass

from voiceprint.audio.conditions import CONDITIONS
from voiceprint.corpus import Corpus
from voiceprint.evaluation.cache import EmbeddingCache
from voiceprint.evaluation.embedding import Progress, find_files
from voiceprint.evaluation.groups import (
    SpeakerFacts,
    measure_conditions,
    measure_groups,
    measure_lengths,
    measure_sessions,
)
from voiceprint.evaluation.measure import MeasureSettings, embed_corpus
from voiceprint.evaluation.results import GroupRow, LengthRow
from voiceprint.evaluation.verification import score_set
from voiceprint.model import SpeakerModel
from voiceprint.trials import TrialList


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionsReport:
    """How a model does on a trial list with clips of every length and condition, and for groups of facts."""

    lengths: tuple[LengthRow, ...]
    conditions: tuple[GroupRow, ...]
    groups: tuple[GroupRow, ...]


def measure_trials(
    trials: TrialList,
    corpus: Corpus,
    model: SpeakerModel,
    *,
    cache: EmbeddingCache | None = None,
    jobs: int | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> ConditionsReport:
    """Measure a trial list with its test clips cut and degraded, and within groups of facts.

    Parameters
    ----------
    trials : TrialList
        Its clips are named by their id in `corpus`.
    corpus : Corpus
        Who speaks, how old they are, and the other facts who babble.
    cache, jobs, progress
        As for `embed_clips`.
    seed : int
        Of noise and intervals.

    Raises
    ------
    TrialError
        If the trials do not go with the corpus.
    """
    wanted = {file.name for file in find_files(trials.clips, corpus=corpus)}
    used = corpus.filter(lambda utterance: utterance.id in wanted)
    settings = MeasureSettings(seed=seed, conditions=tuple(CONDITIONS))
    embedded = embed_corpus(
        used, model, settings, name=model.card.title, cache=cache, jobs=jobs, progress=progress
    )
    facts, decider = SpeakerFacts.of(used), embedded.decider
    found = score_set(trials, embedded.clips, facts.speakers, decider)
    single = all(len(each.clips) == 1 for each in trials.models)
    return ConditionsReport(
        lengths=measure_lengths(trials, embedded.lengths, facts, decider, seed=seed),
        conditions=measure_conditions(trials, embedded.clips, embedded.conditions, facts, decider, seed=seed),
        groups=(
            *measure_groups(found, facts, seed=seed),
            *(measure_sessions(found, facts, seed=seed) if single else ()),
        ),
    )
