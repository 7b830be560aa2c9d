"""A diarization as CSV, and each speaker's speech as sound files."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable
from pathlib import Path

import soundfile

from voiceprint.audio import SAMPLE_RATE
from voiceprint.audio.spooled import SpooledRecording
from voiceprint.diarization.turns import SpeakerTurn
from voiceprint.files.whole import whole_file

__all__ = ["csv_lines", "write_speech"]

_PAUSE = SAMPLE_RATE // 4  # samples of silence between turns


def csv_lines(turns: Iterable[SpeakerTurn]) -> str:
    r"""Write turns as CSV with the columns start, stop and speaker, in seconds.

    Examples
    --------
    >>> csv_lines([SpeakerTurn(start=0.5, stop=2.0, speaker="ada")])
    'start,stop,speaker\n0.500,2.000,ada\n'
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("start", "stop", "speaker"))
    writer.writerows((f"{turn.start:.3f}", f"{turn.stop:.3f}", turn.speaker) for turn in turns)
    return text.getvalue()


def write_speech(turns: Iterable[SpeakerTurn], recording: SpooledRecording, folder: Path) -> list[Path]:
    """Write a WAV file of each speaker's turns, a quarter of a second apart; returns their paths.

    Raises
    ------
    OSError
        If a file cannot be written; each is there whole, or not at all.
    """
    folder.mkdir(parents=True, exist_ok=True)
    of: dict[str, list[SpeakerTurn]] = {}
    for turn in turns:
        of.setdefault(turn.speaker, []).append(turn)
    paths: list[Path] = []
    for speaker, said in of.items():
        path = folder / f"{_file_name(speaker, {each.stem for each in paths})}.wav"
        with (
            whole_file(path) as file,
            soundfile.SoundFile(file, "w", SAMPLE_RATE, 1, subtype="PCM_16", format="WAV") as sound,
        ):
            for turn in said:
                sound.write(recording.read(round(turn.start * SAMPLE_RATE), round(turn.stop * SAMPLE_RATE)))
                sound.write([0.0] * _PAUSE)
        paths.append(path)
    return paths


def _file_name(speaker: str, taken: set[str]) -> str:
    """Make a file name of a person's name, unlike those taken."""
    plain = re.sub(r"[^\w .-]", "_", speaker).strip(" .") or "speaker"
    name, number = plain, 2
    while name in taken:
        name, number = f"{plain} ({number})", number + 1
    return name
