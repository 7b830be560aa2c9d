"""Names in a transcript: who says which word, by the times of a diarization."""

from __future__ import annotations

import json
import os
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby
from pathlib import Path
from typing import Any

from voiceprint.arguments import check_number
from voiceprint.diarization.turns import SpeakerTurn, read_rttm
from voiceprint.errors import AudioError
from voiceprint.files.text import read_text

__all__ = ["NEAREST", "name_transcript", "read_transcript", "read_turns"]

NEAREST = 1.0
"""Seconds from a turn within which a word that is in none counts as its speaker's."""

_EXPECTED = "segments with start and end, as Whisper, faster-whisper, WhisperX and whisper.cpp write them"


def name_transcript(
    document: dict[str, Any], turns: Iterable[SpeakerTurn], *, nearest: float = NEAREST
) -> dict[str, Any]:
    """Add a speaker to every segment of a transcript, and to its words where they have times.

    A segment within which the speaker changes becomes several. The speaker is whose turns overlap most; where
    there is none, the nearest; None where that is too far.

    Parameters
    ----------
    document : dict
        What a transcriber wrote: ``segments`` with ``start`` and ``end`` in seconds and perhaps ``words``, or
        ``transcription`` with ``offsets`` in milliseconds. It is not changed.
    turns : iterable of SpeakerTurn
        Who speaks when in the same recording.
    nearest : float
        Seconds from a turn within which a word belongs to it.

    Returns
    -------
    dict
        The document with ``speaker`` in each segment and word.

    Raises
    ------
    AudioError
        If it is no such document.

    Examples
    --------
    >>> turns = [SpeakerTurn(start=0.0, stop=2.0, speaker="ada")]
    >>> name_transcript({"segments": [{"start": 0.5, "end": 1.5, "text": "hello"}]}, turns)
    {'segments': [{'start': 0.5, 'end': 1.5, 'text': 'hello', 'speaker': 'ada'}]}
    """
    check_number("nearest", nearest, least=0.0)
    speakers = _Speakers.of(turns, nearest=nearest)
    key = "transcription" if "transcription" in document else "segments"
    try:
        parts = [part for segment in document[key] for part in _named(segment, speakers)]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise AudioError(
            f"the transcript is not one that is known here; give {_EXPECTED}", source=""
        ) from error
    for number, part in enumerate(parts):
        if "id" in part:
            part["id"] = number
    return {**document, key: parts}


def read_transcript(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read the JSON of a transcriber.

    Raises
    ------
    AudioError
        If the file cannot be read, or holds something else.

    Examples
    --------
    >>> from pathlib import Path
    >>> from voiceprint.diarization.transcript import read_transcript
    >>> _ = Path("meeting.json").write_text('{"segments": [{"start": 0, "end": 2, "text": "hello"}]}')
    >>> read_transcript("meeting.json")["segments"][0]["text"]
    'hello'
    """
    found = _read_json(path)
    if not isinstance(found, dict) or not isinstance(found.get("segments", found.get("transcription")), list):
        raise AudioError(f"{os.fspath(path)} is no transcript; give {_EXPECTED}", source=os.fspath(path))
    return found


def read_turns(path: str | os.PathLike[str]) -> tuple[SpeakerTurn, ...]:
    """Read who speaks when: what ``voiceprint diarize --json`` printed, or RTTM.

    Raises
    ------
    AudioError
        If the file cannot be read, or holds something else.

    Examples
    --------
    >>> from pathlib import Path
    >>> line = "SPEAKER meeting 1 0.0 2.5 <NA> <NA> ada <NA> <NA>"
    >>> _ = Path("meeting.rttm").write_text(line)
    >>> read_turns("meeting.rttm")
    (SpeakerTurn(start=0.0, stop=2.5, speaker='ada'),)
    """
    if not _text_of(path).lstrip().startswith("{"):
        return read_rttm(path)
    found = _read_json(path)
    try:
        turns = (found.get("result") or found)["turns"]
        return tuple(
            SpeakerTurn(start=float(each["start"]), stop=float(each["stop"]), speaker=str(each["speaker"]))
            for each in turns
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        advice = "give what diarizing one recording gives as JSON, or RTTM"
        raise AudioError(f"{os.fspath(path)} holds no turns; {advice}", source=os.fspath(path)) from error


def _text_of(path: str | os.PathLike[str]) -> str:
    name = os.fspath(path)
    try:
        return read_text(Path(path))
    except OSError as error:
        raise AudioError(f"{name} cannot be read ({error.strerror}); check the path", source=name) from error
    except UnicodeDecodeError as error:
        raise AudioError(f"{name} is no text; give JSON", source=name) from error


def _read_json(path: str | os.PathLike[str]) -> Any:
    try:
        return json.loads(_text_of(path))
    except (ValueError, RecursionError) as error:
        raise AudioError(f"{os.fspath(path)} is no JSON ({error})", source=os.fspath(path)) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class _Speakers:
    """Turns by start, in which the speaker of a stretch is looked up."""

    turns: Sequence[SpeakerTurn]
    starts: Sequence[float]
    latest: Sequence[float]
    """The last end among the turns up to each."""
    nearest: float

    @classmethod
    def of(cls, turns: Iterable[SpeakerTurn], *, nearest: float) -> _Speakers:
        """Order turns."""
        ordered = sorted(turns, key=lambda turn: turn.start)
        return cls(
            turns=ordered,
            starts=[turn.start for turn in ordered],
            latest=[*accumulate((turn.stop for turn in ordered), max)],
            nearest=nearest,
        )

    def at(self, start: float, stop: float) -> str | None:
        """Return who speaks most from start to stop, else who speaks nearest to it."""
        first, beyond = bisect_right(self.latest, start), bisect_left(self.starts, stop)
        shares: dict[str, float] = {}
        for turn in self.turns[first:beyond]:
            if turn.stop > start:
                overlap = min(turn.stop, stop) - max(turn.start, start)
                shares[turn.speaker] = shares.get(turn.speaker, 0.0) + overlap
        if shares:
            return max(shares, key=lambda speaker: shares[speaker])
        around = [turn for turn in self.turns[:beyond] if first and turn.stop == self.latest[first - 1]][:1]
        around += self.turns[beyond : beyond + 1]
        gaps = [(max(start - turn.stop, turn.start - stop, 0.0), turn.speaker) for turn in around]
        near = [each for each in gaps if each[0] <= self.nearest]
        return min(near)[1] if near else None


def _named(segment: dict[str, Any], speakers: _Speakers) -> list[dict[str, Any]]:
    """Return a segment with its speaker, or its parts where the speaker changes."""
    start, stop = _times(segment)
    words = segment.get("words")
    if not words:
        return [{**segment, "speaker": speakers.at(start, stop)}]
    spoken: list[dict[str, Any]] = []
    for word in words:
        timed = "start" in word and "end" in word  # WhisperX leaves the times of numbers out
        before = spoken[-1]["speaker"] if spoken else speakers.at(start, stop)
        spoken.append({**word, "speaker": speakers.at(*_times(word)) if timed else before})
    runs = [[*run] for _, run in groupby(spoken, key=lambda word: word["speaker"])]
    if len(runs) == 1:
        return [{**segment, "words": spoken, "speaker": spoken[0]["speaker"]}]
    return [{**segment, **_part(run, start, stop)} for run in runs]


def _part(words: list[dict[str, Any]], start: float, stop: float) -> dict[str, Any]:
    """Return what is of some words of a segment alone."""
    texts = [str(word.get("word", word.get("text", ""))) for word in words]
    apart = "" if any(text.startswith(" ") for text in texts) else " "
    return {
        "start": next((word["start"] for word in words if "start" in word), start),
        "end": next((word["end"] for word in reversed(words) if "end" in word), stop),
        "text": apart.join(texts),
        "words": words,
        "speaker": words[0]["speaker"],
    }


def _times(stretch: dict[str, Any]) -> tuple[float, float]:
    """Return where something is said, in seconds."""
    if "offsets" in stretch:
        return float(stretch["offsets"]["from"]) / 1000, float(stretch["offsets"]["to"]) / 1000
    return float(stretch["start"]), float(stretch["end"])
