"""How many of the right people to expect at a store's size, and what more clips would bring."""

from __future__ import annotations

from dataclasses import dataclass

from voiceprint.calibration import Decider, TrialShape

__all__ = ["MORE_CLIPS", "SECONDS", "Expectation", "expect"]

SECONDS = 3.0
"""Speech in the clips that are expected to be named."""

MORE_CLIPS = 10
"""Clips with which a voiceprint is compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """Shares of the clips of enrolled people that are decided rightly, as on the people of the model's card.

    Attributes
    ----------
    people, clips : int
        How many are enrolled, and clips in each voiceprint.
    far, seconds : float
        The false-accept rate that it holds for, and seconds of speech in each clip.
    named, accepted : float
        Shares of the clips that `identify` names rightly, and that `verify` accepts.
    more_clips : int
        A larger number of clips in each voiceprint.
    named_with_more, accepted_with_more : float
        The same shares with so many.
    """

    people: int
    far: float
    seconds: float
    clips: int
    named: float
    accepted: float
    more_clips: int
    named_with_more: float
    accepted_with_more: float

    def __str__(self) -> str:
        """Say it in words."""
        said = (
            f"{_of_100(self.named)} of 100 clips of {self.seconds:g} s named rightly among {self.people} at "
            f"{100 * self.far:g} %, {_of_100(self.accepted)} accepted as claimed"
        )
        if self.clips >= self.more_clips:
            return said
        more = f"{_of_100(self.named_with_more)} and {_of_100(self.accepted_with_more)}"
        return f"{said}; with {self.more_clips} clips instead of {self.clips}: {more}"


def expect(decider: Decider, *, people: int, clips: int) -> Expectation | None:
    """Say what to expect of a store of so many people, with so many clips in a voiceprint.

    At the decider's default operating point; None where it has no calibration, or decides at no rate.
    """
    point, more = decider.default, max(clips, MORE_CLIPS)
    shape = TrialShape(n_enroll=[clips, more], seconds=SECONDS)
    alone, among = decider.p_miss(shape), decider.p_miss(shape, point.among(people))
    if alone is None or among is None:
        return None
    return Expectation(
        people=people,
        far=point.p_fa,
        seconds=SECONDS,
        clips=clips,
        named=1.0 - float(among[0]),
        accepted=1.0 - float(alone[0]),
        more_clips=more,
        named_with_more=1.0 - float(among[1]),
        accepted_with_more=1.0 - float(alone[1]),
    )


def _of_100(share: float) -> int:
    return round(100 * share)
