"""A trial list under every condition."""

from __future__ import annotations

from dataclasses import dataclass

from voiceprint.audio.conditions import CONDITIONS
from voiceprint.corpus import Corpus
from voiceprint.evaluation import EmbeddingCache, find_files
from voiceprint.evaluation.embedding import Progress
from voiceprint.model import SpeakerModel
from voiceprint.reports.data import GroupRow, LengthRow
from voiceprint.reports.groups import (
    People,
    measure_conditions,
    measure_groups,
    measure_lengths,
    measure_sessions,
)
from voiceprint.reports.measure import Settings, hear
from voiceprint.reports.verification import score_set
from voiceprint.trials import TrialList

__all__ = ["ConditionsReport", "measure_trials"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionsReport:
    """How a model does on a trial list with clips of every length and condition, and for groups of people.

    Parameters
    ----------
    lengths : tuple of LengthRow
    conditions, groups : tuple of GroupRow
    """

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
    """Measure a trial list with its test clips cut and made worse, and within groups of people.

    Parameters
    ----------
    trials : TrialList
        Its clips are named by their id in `corpus`.
    corpus : Corpus
        Who speaks, how old they are, and the other people who babble.
    model : SpeakerModel
    cache, jobs, progress
        As for `embed_clips`.
    seed : int
        Of noise and intervals.

    Returns
    -------
    ConditionsReport

    Raises
    ------
    TrialError
        If the trials do not go with the corpus.
    """
    wanted = {file.name for file in find_files(trials.clips, corpus=corpus)}
    used = corpus.filter(lambda utterance: utterance.id in wanted)
    settings = Settings(seed=seed, conditions=tuple(CONDITIONS))
    heard = hear(used, model, settings, name=model.card.title, cache=cache, jobs=jobs, progress=progress)
    people, decider = People.of(used), heard.decider
    found = score_set(trials, heard.clips, people.speakers, decider)
    single = all(len(each.clips) == 1 for each in trials.models)
    return ConditionsReport(
        lengths=measure_lengths(trials, heard.lengths, people, decider, seed=seed),
        conditions=measure_conditions(trials, heard.clips, heard.conditions, people, decider, seed=seed),
        groups=(
            *measure_groups(found, people, seed=seed),
            *(measure_sessions(found, people, seed=seed) if single else ()),
        ),
    )
