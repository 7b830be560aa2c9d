"""A diarization as one HTML page that needs nothing else: waveform, lanes, turns to hear, names to give."""

from __future__ import annotations

import base64
import hashlib
import io
import itertools
import shlex
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template

import numpy as np
import soundfile

from voiceprint.audio import SAMPLE_RATE
from voiceprint.audio.spooled import SpooledRecording
from voiceprint.diarization.diarizer import Diarization
from voiceprint.errors import VoiceprintError
from voiceprint.files.whole import write_whole
from voiceprint.reports.html import Raw, table

__all__ = ["diarization_page", "write_diarization_page"]

_LEFT, _WIDTH, _LANE, _WAVE = 120, 1000, 26, 60  # of the drawing
_COLOURS = 8
_BLOCK = 60 * SAMPLE_RATE  # samples that are read at a time


def diarization_page(found: Diarization, recording: SpooledRecording) -> str:
    """Return the page.

    Its sound is Opus inside the page, some 7 MB an hour. Its one script is named by its hash in the page's
    policy, so nothing else runs, and nothing is fetched.

    Parameters
    ----------
    found : Diarization
    recording : SpooledRecording
        What it is of.
    """
    here = files("voiceprint.reports")
    script = here.joinpath("diarization.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    name = Path(found.source).name
    speakers = len(found.speakers)
    return Template(here.joinpath("diarization.html").read_text(encoding="utf-8")).substitute(
        title=escape(f"Who speaks in {name}"),
        lede=escape(
            f"{speakers} speaker{'' if speakers == 1 else 's'} in {len(found.turns)} turns, "
            f"{found.seconds / 60:.1f} minutes."
        ),
        hash=digest,
        style=here.joinpath("page.css").read_text(encoding="utf-8"),
        own=here.joinpath("diarization.css").read_text(encoding="utf-8"),
        sound=_sound(recording),
        board=_board(found, recording),
        people=_people(found),
        turns=_turns(found),
        script=script,
    )


def write_diarization_page(found: Diarization, recording: SpooledRecording, page: Path) -> None:
    """Write what `diarization_page` makes; VoiceprintError where the file cannot be written."""
    text = diarization_page(found, recording)
    try:
        page.parent.mkdir(parents=True, exist_ok=True)
        write_whole(page, text)
    except OSError as error:
        raise VoiceprintError(f"{page}: cannot be written: {error.strerror}") from error


def _sound(recording: SpooledRecording) -> str:
    encoded = io.BytesIO()
    with soundfile.SoundFile(
        encoded, "w", SAMPLE_RATE, 1, format="OGG", subtype="OPUS", compression_level=0.95
    ) as sound:
        for start in range(0, recording.samples, _BLOCK):
            sound.write(recording.read(start, start + _BLOCK))
    return "data:audio/ogg;base64," + base64.b64encode(encoded.getvalue()).decode()


def _board(found: Diarization, recording: SpooledRecording) -> str:
    height = _WAVE + _LANE * len(found.speakers) + 8
    parts = [f'<path class="wave" d="{_wave(recording)}"/>']
    lanes = {speaker.name: lane for lane, speaker in enumerate(found.speakers)}
    for name, lane in lanes.items():
        top = _WAVE + _LANE * lane + 4
        parts.append(
            f'<text data-lane="{lane}" x="0" y="{top + 14}">{escape(name[:18])}</text>'
            f'<rect class="lane" x="{_LEFT}" y="{top}" width="{_WIDTH}" height="{_LANE - 6}"/>'
        )
    for turn in found.turns:
        lane = lanes[turn.speaker]
        left = _LEFT + _WIDTH * turn.start / found.seconds
        width = max(1.0, _WIDTH * turn.seconds / found.seconds)
        label = escape(f"{turn.speaker}, {turn.start:.1f} to {turn.stop:.1f} s")
        parts.append(
            f'<rect class="turn s{lane % _COLOURS}" tabindex="0" role="button" aria-label="{label}" '
            f'data-start="{turn.start:.3f}" data-stop="{turn.stop:.3f}" x="{left:.2f}" '
            f'y="{_WAVE + _LANE * lane + 4}" width="{width:.2f}" height="{_LANE - 6}" rx="2">'
            f"<title>{label}</title></rect>"
        )
    parts.append(
        f'<line class="place" data-seconds="{found.seconds:.3f}" data-left="{_LEFT}" data-width="{_WIDTH}" '
        f'x1="{_LEFT}" x2="{_LEFT}" y1="0" y2="{height}"/>'
    )
    return f'<svg viewBox="0 0 {_LEFT + _WIDTH} {height}">{"".join(parts)}</svg>'


def _wave(recording: SpooledRecording) -> str:
    """Draw the loudest of each column as a path."""
    edges = np.linspace(0, recording.samples, _WIDTH + 1).astype(int)
    peaks = np.array(
        [np.abs(recording.read(a, max(b, a + 1))).max(initial=0.0) for a, b in itertools.pairwise(edges)]
    )
    heights = 0.5 * _WAVE * peaks / max(float(peaks.max()), 1e-6)
    middle = _WAVE / 2
    return "".join(
        f"M{_LEFT + column},{middle - height:.1f}h1V{middle + height:.1f}h-1z"
        for column, height in enumerate(heights.tolist())
    )


def _people(found: Diarization) -> str:
    recording = Path(found.source)
    rows = []
    for lane, speaker in enumerate(found.speakers):
        turns = f"{recording.stem}.rttm:{speaker.name}"
        field = Raw(
            f'<input aria-label="{escape(f"Name of {speaker.name}")}" placeholder="{escape(speaker.name)}" '
            f'data-lane="{lane}" data-speaker="{escape(speaker.name)}" data-turns="{escape(turns)}" '
            f'data-recording="{escape(shlex.quote(str(recording)))}">'
        )
        rows.append(
            (
                speaker.name,
                f"{speaker.seconds_of_speech:.1f} s",
                str(speaker.turns),
                field,
                Raw(f'<code id="enroll-{lane}"></code>'),
            )
        )
    columns = ("speaker", "speech", "turns", "name", "enroll by (needs the turns as RTTM)")
    return table(columns, rows, text=(0, 3, 4), kind="people")


def _turns(found: Diarization) -> str:
    rows = [(f"{turn.start:.2f}", f"{turn.stop:.2f}", turn.speaker) for turn in found.turns]
    return table(("from s", "to s", "speaker"), rows, text=(2,))
