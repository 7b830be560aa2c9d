"""LivenessCheck: whether what is said in clips sounds spoken live, at the rate that was asked for."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal, Self

from voiceprint.audio import SAMPLE_RATE
from voiceprint.audio.clips import Clip
from voiceprint.countermeasure.detector import Countermeasure, SpoofScore

DEFAULT_SPOOF_FAR = 0.01
"""The share of people that may be rejected, where the caller does not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Liveness:
    """The answer to "does somebody speak here, and not a machine?".

    Attributes
    ----------
    decision : {"live", "spoofed", "not_enough_speech"}
        The answer. "spoofed": it sounds made by a machine, or played by a loudspeaker.
    spoof : SpoofScore or None
        How clearly; of several recordings that of the one that sounds least live. None where there is too
        little speech.
    seconds_of_speech : float
        Speech in the clip, of several in all.
    reason : str
        The decision in a sentence.
    """

    decision: Literal["live", "spoofed", "not_enough_speech"]
    spoof: SpoofScore | None = None
    seconds_of_speech: float
    reason: str

    def __bool__(self) -> bool:
        """Whether it sounds spoken live; never with too little speech."""
        return self.decision == "live"


class LivenessCheck:
    """A countermeasure, and the rate at which it decides.

    It is cautious in two ways. What is too short to be judged is not live. And of several recordings each
    must sound live by itself: a recording of a machine cannot hide behind one of a person.

    Parameters
    ----------
    countermeasure : Countermeasure
    spoof_far : float
        The share of people that may be rejected, of those rates that the card has thresholds for. The
        higher, the stricter.

    Raises
    ------
    ArgumentError
        If the card has no thresholds for the rate.
    """

    def __init__(self, countermeasure: Countermeasure, *, spoof_far: float = DEFAULT_SPOOF_FAR) -> None:
        countermeasure.card.check_rate(spoof_far)
        self.countermeasure = countermeasure
        self.spoof_far = spoof_far

    @classmethod
    def open(
        cls, folder: str | os.PathLike[str] | None = None, *, spoof_far: float = DEFAULT_SPOOF_FAR
    ) -> Self:
        """Open the countermeasure that comes with the package, or another one's folder.

        Raises
        ------
        ModelError
            If there is none, or it is damaged.
        ArgumentError
            If its card has no thresholds for the rate.
        """
        found = Countermeasure.open(None if folder is None else Path(folder))
        return cls(found, spoof_far=spoof_far)

    def __reduce__(self) -> tuple[Callable[[], Self], tuple[()]]:
        """Let another process open it for itself."""
        return partial(type(self).open, self.countermeasure.folder, spoof_far=self.spoof_far), ()

    @property
    def least_seconds(self) -> float:
        """Seconds of speech, with its margins, below which nothing is promised and nothing decided."""
        return self.countermeasure.card.seconds[0]

    def judge(self, clip: Clip) -> Liveness:
        """Say whether a clip, or each of those that it was pooled of, sounds spoken live.

        Returns
        -------
        Liveness
            Which is true exactly if it does.
        """
        said = partial(Liveness, seconds_of_speech=clip.quality.seconds_of_speech)
        shortest = min(clip.recordings, key=lambda each: len(each.speech))
        seconds = len(shortest.speech) / SAMPLE_RATE
        if seconds < self.least_seconds:
            needed = f"at least {self.least_seconds:g} s are needed to tell whether somebody speaks live"
            which = f"{shortest.source}: " if clip.parts else ""
            reason = f"{which}{seconds:.2f} s of speech with its margins; {needed}"
            return said(decision="not_enough_speech", reason=reason)
        scores = [
            self.countermeasure.score(each.speech, spoof_far=self.spoof_far) for each in clip.recordings
        ]
        worst = min(scores, key=lambda each: each.score - each.threshold)
        return said(decision="live" if worst.is_live else "spoofed", spoof=worst, reason=worst.reason)
