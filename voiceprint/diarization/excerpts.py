"""What one speaker says alone, as excerpts to enroll by."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from voiceprint.audio.excerpt import Excerpt
from voiceprint.audio.sources import AudioSource
from voiceprint.diarization.turns import SpeakerTurn, one_word
from voiceprint.errors import ArgumentError

__all__ = ["excerpts_of"]

_CLIP = 6.0  # seconds of a clip to enroll by
_MOST = 5  # clips
_SHORTEST = 0.3  # seconds of a stretch that is worth taking


def excerpts_of(recording: AudioSource, turns: Iterable[SpeakerTurn], speaker: str) -> list[Excerpt]:
    """Take what a speaker says while nobody else does.

    Parameters
    ----------
    turns : iterable of SpeakerTurn
        Of all speakers.
    speaker : str
        As it is called there, or as it was before RTTM made one word of it.

    Returns
    -------
    list of Excerpt
        One for every 6 s of speech or so, one at least and five at most, so that a voiceprint rests on
        several clips.

    Raises
    ------
    ArgumentError
        If there is no such speaker, or nothing is said by that one alone.
    """
    everybody = list(turns)
    names = sorted({turn.speaker for turn in everybody})
    found = [name for name in names if name == speaker] or [
        name for name in names if one_word(name) == one_word(speaker)
    ]
    if not found:
        raise ArgumentError("speaker", speaker, f"one of {', '.join(names) or 'nobody'}")
    others = [turn for turn in everybody if turn.speaker != found[0]]
    alone = [
        stretch
        for turn in everybody
        if turn.speaker == found[0]
        for stretch in _without(turn, others)
        if stretch[1] - stretch[0] >= _SHORTEST
    ]
    if not alone:
        raise ArgumentError("speaker", speaker, f"somebody who speaks alone for {_SHORTEST} s or more")
    return [Excerpt(source=recording, ranges=tuple(part)) for part in _parts(alone)]


def _without(turn: SpeakerTurn, others: Iterable[SpeakerTurn]) -> Iterator[tuple[float, float]]:
    """Yield what of a turn no other turn covers."""
    place = turn.start
    for other in sorted(others, key=lambda each: each.start):
        if other.stop <= place or other.start >= turn.stop:
            continue
        if other.start > place:
            yield place, other.start
        place = max(place, other.stop)
    if place < turn.stop:
        yield place, turn.stop


def _parts(stretches: list[tuple[float, float]]) -> list[list[tuple[float, float]]]:
    """Divide stretches, in order of time, into clips of about equal length."""
    total = sum(stop - start for start, stop in stretches)
    count = max(1, min(_MOST, int(total / _CLIP)))
    parts: list[list[tuple[float, float]]] = [[] for _ in range(count)]
    done = 0.0
    for start, stop in sorted(stretches):
        middle = done + 0.5 * (stop - start)
        parts[min(count - 1, int(count * middle / total))].append((start, stop))
        done += stop - start
    return [part for part in parts if part]
