"""Trial lists made from a corpus."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voiceprint.arguments import check_count
from voiceprint.corpus import Corpus
from voiceprint.errors import TrialError
from voiceprint.trials.lists import EnrollmentModel, TrialList

_UNKNOWN = -1

Members = Sequence[NDArray[np.intp]]


def make_trials(
    corpus: Corpus,
    *,
    n_enroll: int = 1,
    targets: int | None = None,
    nontargets: int | None = None,
    same_gender: bool = False,
    cross_session: bool = False,
    seed: int = 0,
) -> TrialList:
    """Make trials from the utterances of one corpus; clips are named by their ``id``.

    With one enrollment clip every pair of utterances is a trial, once. With more, each speaker gets one model
    of `n_enroll` drawn clips, and every utterance outside it is a test.

    Parameters
    ----------
    n_enroll : int
        Enrollment clips of a model, at least 1.
    targets, nontargets : int, optional
        How many to draw at random; all there are where left out.
    same_gender : bool
        Only nontarget trials within a gender; utterances of unknown gender make none.
    cross_session : bool
        Only target trials between sessions; utterances of unknown session make none.

    Returns
    -------
    TrialList
        Target trials first; ``left_out`` names the speakers with too few clips.

    Raises
    ------
    TrialError
        If there are fewer trials of a kind than asked for, or none, or the corpus lacks what a rule needs.

    Examples
    --------
    >>> trials = make_trials(corpus)
    >>> len(trials), int(trials.target.sum())  # five people, five clips each
    (300, 50)
    """
    check_count("seed", seed, least=0)
    for argument, wanted in (("n_enroll", n_enroll), ("targets", targets), ("nontargets", nontargets)):
        if wanted is not None:
            check_count(argument, wanted)
    _check_corpus(corpus, same_gender=same_gender, cross_session=cross_session)
    rng = np.random.default_rng(seed)
    members, left_out = _models(corpus, n_enroll, rng)
    rules = _Rules.of(corpus, pairs=n_enroll == 1, same_gender=same_gender, cross_session=cross_session)
    target_rows, target_columns = _choose(members, rules.targets, targets, "target", rng)
    other_rows, other_columns = _choose(members, rules.nontargets, nontargets, "nontarget", rng)
    return TrialList(
        models=tuple(_enrollment(corpus, clips) for clips in members),
        tests=tuple(u.id for u in corpus),
        enroll=np.concatenate([target_rows, other_rows]).astype(np.int32),
        test=np.concatenate([target_columns, other_columns]).astype(np.int32),
        target=np.repeat([True, False], [len(target_rows), len(other_rows)]),
        left_out=left_out,
    )


def _check_corpus(corpus: Corpus, *, same_gender: bool, cross_session: bool) -> None:
    if len({u.corpus for u in corpus}) > 1:
        raise TrialError("trials are made of one corpus at a time: clips are named by their id in it")
    if same_gender and not any(u.gender for u in corpus):
        raise TrialError("same_gender needs genders, and the corpus has none")
    if cross_session and not any(u.session for u in corpus):
        raise TrialError("cross_session needs sessions, and the corpus has none")


def _models(
    corpus: Corpus, n_enroll: int, rng: np.random.Generator
) -> tuple[list[NDArray[np.intp]], tuple[str, ...]]:
    if n_enroll == 1:
        return list(np.arange(len(corpus)).reshape(-1, 1)), ()
    members = [
        np.sort(rng.choice(clips, n_enroll, replace=False))
        for clips in corpus.by_speaker.values()
        if len(clips) > n_enroll
    ]
    short = [speaker for speaker, clips in corpus.by_speaker.items() if len(clips) <= n_enroll]
    if not members:
        raise TrialError(f"no speaker has more than {n_enroll} utterances: ask for fewer enrollment clips")
    if not short:
        return members, ()
    return members, (
        f"{len(short)} speakers have {n_enroll} utterances or fewer and no model: {', '.join(short)}",
    )


def _enrollment(corpus: Corpus, clips: NDArray[np.intp]) -> EnrollmentModel:
    first = corpus[int(clips[0])]
    name = first.id if len(clips) == 1 else first.speaker
    return EnrollmentModel(name=name, clips=tuple(corpus[int(i)].id for i in clips))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rules:
    """Which utterances may test a model; a code (n,) a fact, `_UNKNOWN` where the corpus does not say."""

    speaker: NDArray[np.int64]
    gender: NDArray[np.int64]
    session: NDArray[np.int64]
    pairs: bool
    same_gender: bool
    cross_session: bool

    @classmethod
    def of(cls, corpus: Corpus, *, pairs: bool, same_gender: bool, cross_session: bool) -> _Rules:
        return cls(
            speaker=_codes([u.speaker_id for u in corpus]),
            gender=_codes([u.gender for u in corpus]),
            session=_codes([u.session_id for u in corpus]),
            pairs=pairs,
            same_gender=same_gender,
            cross_session=cross_session,
        )

    def targets(self, model: NDArray[np.intp]) -> NDArray[np.intp]:
        keep = self.speaker == self.speaker[model[0]]
        if self.cross_session:
            enrolled = self.session[model]
            keep &= (
                (self.session != _UNKNOWN) & ~np.isin(self.session, enrolled) & np.all(enrolled != _UNKNOWN)
            )
        return self._outside(model, keep)

    def nontargets(self, model: NDArray[np.intp]) -> NDArray[np.intp]:
        keep = self.speaker != self.speaker[model[0]]
        if self.same_gender:
            keep &= (self.gender == self.gender[model[0]]) & (self.gender != _UNKNOWN)
        return self._outside(model, keep)

    def _outside(self, model: NDArray[np.intp], keep: NDArray[np.bool_]) -> NDArray[np.intp]:
        keep[model] = False
        if self.pairs:
            keep[: model[0]] = False  # a pair of clips is one trial, not two
        return np.flatnonzero(keep)


def _codes(values: Sequence[str]) -> NDArray[np.int64]:
    code = {value: i for i, value in enumerate(sorted(set(values) - {""}))}
    return np.array([code.get(value, _UNKNOWN) for value in values], dtype=np.int64)


def _choose(
    members: Members,
    eligible: Callable[[NDArray[np.intp]], NDArray[np.intp]],
    size: int | None,
    kind: str,
    rng: np.random.Generator,
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Draw `size` (model, test) places of all eligible ones, each at most once, in order."""
    counts = np.array([len(eligible(model)) for model in members])
    ends = np.cumsum(counts)
    available = int(ends[-1])
    if available < (size or 1):
        raise TrialError(
            f"the corpus makes {available} {kind} trials under these rules, {size or 1} are needed: "
            "ask for fewer, loosen the rules, or give a larger corpus"
        )
    drawn = np.arange(available) if size is None else np.sort(rng.choice(available, size, replace=False))
    rows = np.searchsorted(ends, drawn, side="right")
    within = drawn - (ends - counts)[rows]
    cuts = np.flatnonzero(np.diff(rows)) + 1
    columns = [
        eligible(members[row[0]])[places]
        for row, places in zip(np.split(rows, cuts), np.split(within, cuts), strict=True)
    ]
    return rows, np.concatenate(columns)
