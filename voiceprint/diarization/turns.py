"""SpeakerTurn: who speaks from when to when; turns as RTTM, read and written."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from voiceprint.errors import AudioError
from voiceprint.files.text import read_text

__all__ = ["SpeakerTurn", "join_turns", "one_word", "read_rttm", "rttm_lines"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeakerTurn:
    """A stretch in which one person speaks; others may speak at the same time.

    Parameters
    ----------
    start, stop : float
        In seconds from the beginning of the recording.
    speaker : str
        The name of somebody enrolled, or such as ``speaker 1``.

    Examples
    --------
    >>> SpeakerTurn(start=1.0, stop=2.5, speaker="ada").seconds
    1.5
    """

    start: float
    stop: float
    speaker: str

    @property
    def seconds(self) -> float:
        """Length in seconds.

        Examples
        --------
        >>> from voiceprint.diarization.turns import SpeakerTurn
        >>> SpeakerTurn(start=1.0, stop=2.5, speaker="ada").seconds
        1.5
        """
        return self.stop - self.start


def join_turns(turns: Iterable[SpeakerTurn], *, pause: float = 0.0) -> tuple[SpeakerTurn, ...]:
    """Join turns of one speaker that overlap or lie at most `pause` seconds apart.

    Parameters
    ----------
    pause : float
        In seconds.

    Returns
    -------
    tuple of SpeakerTurn
        By start, then by speaker.

    Examples
    --------
    >>> a, b = SpeakerTurn(start=0.0, stop=1.0, speaker="x"), SpeakerTurn(start=1.1, stop=2.0, speaker="x")
    >>> join_turns([a, b], pause=0.2)
    (SpeakerTurn(start=0.0, stop=2.0, speaker='x'),)
    """
    last: dict[str, SpeakerTurn] = {}
    joined: list[SpeakerTurn] = []
    for turn in sorted(turns, key=lambda each: (each.start, each.speaker)):
        before = last.get(turn.speaker)
        if before is not None and turn.start - before.stop <= pause:
            turn = SpeakerTurn(start=before.start, stop=max(before.stop, turn.stop), speaker=turn.speaker)  # noqa: PLW2901
        elif before is not None:
            joined.append(before)
        last[turn.speaker] = turn
    return tuple(sorted([*joined, *last.values()], key=lambda each: (each.start, each.speaker)))


def rttm_lines(turns: Iterable[SpeakerTurn], recording: str) -> str:
    r"""Write turns as RTTM (Rich Transcription Time Marked, NIST 2009), a line each.

    Fields of RTTM are parted by spaces, so a space in a name is written as ``_``.

    Returns
    -------
    str
        With a line's end after each line.

    Examples
    --------
    >>> rttm_lines([SpeakerTurn(start=0.5, stop=2.0, speaker="speaker 1")], "meeting")
    'SPEAKER meeting 1 0.500 1.500 <NA> <NA> speaker_1 <NA> <NA>\n'
    """
    file = one_word(recording)
    return "".join(
        f"SPEAKER {file} 1 {turn.start:.3f} {turn.seconds:.3f} <NA> <NA> {name} <NA> <NA>\n"
        for turn, name in ((turn, one_word(turn.speaker)) for turn in turns)
    )


def read_rttm(path: str | os.PathLike[str]) -> tuple[SpeakerTurn, ...]:
    """Read the turns of an RTTM file of one recording.

    Parameters
    ----------
    path : path
        Lines of other types than SPEAKER, and empty ones, are passed over.

    Returns
    -------
    tuple of SpeakerTurn
        As they come in the file; names as they stand there.

    Raises
    ------
    AudioError
        If the file cannot be read, a line is damaged, no turn is in it, or it is of several recordings.

    Examples
    --------
    >>> from pathlib import Path
    >>> turn = SpeakerTurn(start=1.0, stop=2.5, speaker="ada")
    >>> _ = Path("a.rttm").write_text(rttm_lines([turn], "a"))
    >>> read_rttm("a.rttm")
    (SpeakerTurn(start=1.0, stop=2.5, speaker='ada'),)
    """
    name = os.fspath(path)
    try:
        lines = read_text(Path(path)).splitlines()
    except OSError as error:
        raise AudioError(f"{name} cannot be read ({error.strerror}); check the path", source=name) from error
    except UnicodeDecodeError as error:
        raise AudioError(f"{name} is no text; give an RTTM file", source=name) from error
    turns, recordings = [], set()
    for number, line in enumerate(lines, start=1):
        fields = line.split()
        if not fields or fields[0] != "SPEAKER":
            continue
        turns.append(_turn(fields, f"{name}:{number}"))
        recordings.add(fields[1])
    if not turns:
        raise AudioError(f"{name} holds no line of a turn (SPEAKER ...); give an RTTM file", source=name)
    if len(recordings) > 1:
        listed = ", ".join(sorted(recordings)[:3])
        raise AudioError(f"{name} is of several recordings ({listed}); give the turns of one", source=name)
    return tuple(turns)


def _turn(fields: list[str], place: str) -> SpeakerTurn:
    try:
        start, seconds, speaker = float(fields[3]), float(fields[4]), fields[7]
    except (IndexError, ValueError):
        start = seconds = float("nan")
        speaker = ""
    # Also false of NaN.
    if not (start >= 0.0 and 0.0 <= seconds < float("inf")):
        raise AudioError(
            f"{place}: is no turn: SPEAKER FILE CHANNEL START SECONDS <NA> <NA> NAME is expected",
            source=place,
        )
    return SpeakerTurn(start=start, stop=start + seconds, speaker=speaker)


def one_word(text: str) -> str:
    """Return text as a field of RTTM holds it, without spaces.

    Examples
    --------
    >>> one_word("speaker 1")
    'speaker_1'
    """
    return "_".join(text.split()) or "_"
