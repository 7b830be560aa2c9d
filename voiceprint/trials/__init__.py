"""Trials: pairs of an enrollment and a test clip, with the answer; made, read, written and scored."""

from voiceprint.trials.formats import Style, read_enrollments, read_trials, write_enrollments, write_trials
from voiceprint.trials.lists import EnrollmentModel, Trial, TrialList
from voiceprint.trials.making import make_trials
from voiceprint.trials.scored import ScoredTrials, UnscoredTrial, read_scores, write_scores

__all__ = [
    "EnrollmentModel",
    "ScoredTrials",
    "Style",
    "Trial",
    "TrialList",
    "UnscoredTrial",
    "make_trials",
    "read_enrollments",
    "read_scores",
    "read_trials",
    "write_enrollments",
    "write_scores",
    "write_trials",
]
