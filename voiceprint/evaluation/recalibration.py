"""A model folder calibrated anew: another card beside the same encoder."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voiceprint.calibration import Calibration, CellScores, Method, OpenSet, OperatingPoint, fit_pooled
from voiceprint.calibration.fitting import FEWEST_NONTARGETS, FEWEST_TARGETS
from voiceprint.calibration.side_information import shifted
from voiceprint.corpus import Corpus
from voiceprint.errors import TooFewTrialsError
from voiceprint.evaluation.calibrated import trial_snr
from voiceprint.evaluation.calibration_trials import SECONDS, claim_trials, embed_parts
from voiceprint.evaluation.cohort import CHANNELS, cluster_voices
from voiceprint.evaluation.embedding import EmbeddedClips, Length, Progress, embed_lengths, find_files
from voiceprint.evaluation.open_set_trials import MOST_ON_ONE_KIND, search_trials
from voiceprint.evaluation.report import speaker_trials
from voiceprint.evaluation.scores import as_test, score_apart
from voiceprint.model import SpeakerModel
from voiceprint.model.card import COHORT_FILE, ModelCard
from voiceprint.model.cohort import write_cohort
from voiceprint.model.folder import staged_folder, write_model_card
from voiceprint.trials import TrialList


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibrated:
    """A calibration, and what it was fitted on, as the card says it.

    Attributes
    ----------
    source : mapping of str to Any
        Corpora, splits, how many speakers and utterances, and a hash of which ones; how it was fitted.
    target_llrs, nontarget_llrs : NDArray of float64 (n,)
        What it makes of the very trials that it was fitted to, of all shapes; for a reliability diagram.
    open_set : OpenSet or None
        Where a search decides; None without a cohort, or where there are too few people.
    cohort : NDArray of float32 (n, dim) or None
        The voices that it was fitted with.
    """

    calibration: Calibration
    source: Mapping[str, Any]
    target_llrs: NDArray[np.float64]
    nontarget_llrs: NDArray[np.float64]
    open_set: OpenSet | None = None
    cohort: NDArray[np.float32] | None = None


def calibrate(
    corpus: Corpus,
    model: SpeakerModel,
    *,
    method: Method = "logistic",
    snr: bool = False,
    cohort: Corpus | None = None,
    seed: int = 0,
    jobs: int | None = None,
    progress: Progress | None = None,
) -> Calibrated:
    """Fit a model's calibration to development speakers of one or more corpora.

    Parameters
    ----------
    corpus : Corpus
        People whose error rates nobody will report, and on whom the model was not trained.
    method : {"logistic", "isotonic"}
        How likelihood ratios are fitted; thresholds are the same.
    snr : bool
        Also go by the noise in the test clip. The clips are then used with noise added, too.
    cohort : Corpus, optional
        Training speakers, of whom the voices of a new cohort are made (`cluster_voices`). Where it is left
        out the model's own cohort is used, if it has one.
    seed, jobs, progress
        As for `calibration_trials`.

    Raises
    ------
    AudioError
        If a clip cannot be read.
    CalibrationError
        If scores say nothing of who speaks; TooFewTrialsError if there are too few speakers or clips.
    """
    embed = partial(embed_parts, corpus, model, seed=seed, jobs=jobs, progress=progress)
    parts = embed(snr=snr)
    trials, source = claim_trials(parts, seed=seed), {**_source(corpus), "seed": seed}
    fitted = _fit(trials, source, method=method, snr=snr)
    voices = model.cohort if cohort is None else cluster_voices(cohort, model, seed=seed, jobs=jobs)
    if voices is None:
        return fitted
    kinds = {"as recorded": parts, "degraded": embed(conditions=CHANNELS)}
    open_set = fit_open_set(search_trials(kinds, voices, seed=seed))
    known = fitted.source if cohort is None else {**fitted.source, "cohort": _source(cohort)}
    return replace(fitted, source=known, open_set=open_set, cohort=voices)


def calibrate_on_trials(
    trials: TrialList,
    corpus: Corpus,
    model: SpeakerModel,
    *,
    method: Method = "logistic",
    snr: bool = False,
    seconds: Sequence[float] = SECONDS,
    jobs: int | None = None,
    progress: Progress | None = None,
) -> Calibrated:
    """Fit a model's calibration to a trial list; test clips are cut to each of the lengths they reach.

    Parameters
    ----------
    trials : TrialList
        Its clips are named by their id in `corpus`.
    corpus : Corpus
        Who speaks in them.
    model, method, jobs, progress
        As for `calibrate`.
    snr : bool
        Also go by the noise in the test clip, as the clips have it: nothing is added to them.
    seconds : sequence of float
        Lengths of test speech to fit thresholds for, rising; one that too few clips reach is left out.

    Raises
    ------
    TooFewTrialsError
        If there are too few trials or speakers for any length.
    TrialError
        If the trials do not go with the corpus.
    """
    files = find_files(trials.clips, corpus=corpus)
    clips = embed_lengths(files, model, [None, *seconds], jobs=jobs, progress=progress, snr=snr)
    speakers = {u.id: u.speaker_id for u in corpus}
    by_length = [_cells_of(trials, clips, length, speakers) for length in seconds]
    cells = [cell for of_length in by_length if all(map(_is_enough, of_length)) for cell in of_length]
    if not cells:
        raise TooFewTrialsError(
            f"{len(trials)} trials are too few to calibrate on at any of the lengths {tuple(seconds)} s: at "
            f"least {FEWEST_TARGETS} target and {FEWEST_NONTARGETS} nontarget trials are needed"
        )
    source = {**_source(corpus), "trials": len(trials)}
    return _fit({"trials": cells}, source, method=method, snr=snr)


def fit_open_set(kinds: Mapping[str, Sequence[CellScores]]) -> OpenSet | None:
    """Fit where a search decides, to the margins that `search_trials` gives.

    Returns
    -------
    OpenSet or None
        None where there are too few people for some shape of trial.

    Raises
    ------
    CalibrationError
        If the margins do not allow it for any other reason.
    """
    shapes = {(cell.n_enroll, cell.seconds) for cells in kinds.values() for cell in cells}
    clips, seconds = ({shape[place] for shape in shapes} for place in (0, 1))
    if not shapes or len(shapes) < len(clips) * len(seconds):
        return None
    try:
        return OpenSet(grid=fit_pooled(kinds, most_on_one=MOST_ON_ONE_KIND))
    except TooFewTrialsError:
        return None


def write_calibrated(
    model: SpeakerModel,
    calibrated: Calibrated,
    folder: Path,
    *,
    decision: OperatingPoint | None = None,
    overwrite: bool = False,
) -> ModelCard:
    """Write a model folder with another calibration; everything else is copied. All of it or nothing.

    Parameters
    ----------
    folder : Path
        The new folder, or the model's.
    decision : OperatingPoint, optional
        Where the model decides by default; as before where left out.
    overwrite : bool
        Whether a model folder that exists may be replaced. One inside an installed package never is.

    Returns
    -------
    ModelCard
        The new card; its id is that of `model`, so voiceprints stay valid.

    Raises
    ------
    ModelError
        If the folder exists, belongs to an installed package, or cannot be written.
    """
    # The voices of a cohort that stays are still of the speakers that the old card names.
    before = model.card.extra.get("calibrated_on", {})
    kept = {"cohort": before["cohort"]} if "cohort" in before else {}
    with staged_folder(folder, overwrite=overwrite) as staged:
        shutil.copytree(model.folder, staged, ignore=shutil.ignore_patterns(".*"), dirs_exist_ok=True)
        files = dict(model.card.files)
        if calibrated.cohort is not None:
            files[COHORT_FILE] = write_cohort(staged, calibrated.cohort)
        card = replace(
            model.card,
            files=files,
            calibration=calibrated.calibration,
            open_set=calibrated.open_set,
            decision=decision or model.card.decision,
            extra={**model.card.extra, "calibrated_on": {**kept, **calibrated.source}},
        )
        write_model_card(staged, card)
    return card


def _fit(
    corpora: Mapping[str, Sequence[CellScores]],
    source: Mapping[str, Any],
    *,
    method: Method,
    snr: bool,
) -> Calibrated:
    fitted = fit_pooled(corpora, method=method, snr=snr)
    cells = [cell for of_corpus in corpora.values() for cell in of_corpus]
    cells = cells if fitted.snr is None else [shifted(cell, fitted.snr) for cell in cells]
    target, nontarget = (
        [fitted.llrs(scores, n_enroll=cell.n_enroll, seconds=cell.seconds) for cell, scores in sides]
        for sides in ([(c, c.targets) for c in cells], [(c, c.nontargets) for c in cells])
    )
    return Calibrated(
        calibration=fitted,
        source={**source, "method": method, "side_information": ["duration", *(["snr"] if snr else [])]},
        target_llrs=np.concatenate(target),
        nontarget_llrs=np.concatenate(nontarget),
    )


def _source(corpus: Corpus) -> dict[str, Any]:
    return {
        "corpora": sorted({u.corpus for u in corpus}),
        "splits": list(corpus.splits),
        "speakers": len(corpus.speakers),
        "utterances": len(corpus),
        "fingerprint": corpus.fingerprint,
    }


def _cells_of(
    trials: TrialList, clips: Mapping[Length, EmbeddedClips], length: float, speakers: Mapping[str, str]
) -> list[CellScores]:
    """Score whole enrollment clips against tests of one length: a cell for each number of clips enrolled."""
    whole, cut = clips[None], clips[length]
    if not cut.names:
        return []
    scored, both = score_apart(trials, enrolled=whole, tested=cut)
    sides = speaker_trials(scored, {**speakers, **{as_test(clip): who for clip, who in speakers.items()}})
    n_enroll = np.array([len(model.clips) for model in trials.models])[scored.trials.enroll]
    snr_db = trial_snr(scored, both)
    return [
        CellScores.from_trials(
            sides.select(n_enroll == n),
            n_enroll=int(n),
            seconds=length,
            snr_db=None if snr_db is None else snr_db[n_enroll == n],
        )
        for n in np.unique(n_enroll)
    ]


def _is_enough(cell: CellScores) -> bool:
    return len(cell.targets) >= FEWEST_TARGETS and len(cell.nontargets) >= FEWEST_NONTARGETS
