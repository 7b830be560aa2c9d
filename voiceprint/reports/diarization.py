"""A diarization as one HTML page that needs nothing else: waveform, lanes, turns to hear, names to give."""

from __future__ import annotations

import base64
import io
import itertools
import shlex
from html import escape
from pathlib import Path

import numpy as np
import soundfile

from voiceprint.audio import SAMPLE_RATE
from voiceprint.audio.spooled import SpooledRecording
from voiceprint.diarization.diarizer import Diarization
from voiceprint.html import Raw
from voiceprint.reports.document import document, packaged_text, write_documents
from voiceprint.reports.html import table

_LEFT, _WIDTH, _LANE, _WAVE = 120, 1000, 26, 60  # of the drawing
_COLOURS = 8
_LETTERS = 15  # of a name before its lane
_BLOCK = 60 * SAMPLE_RATE  # samples that are read at a time


def diarization_page(found: Diarization, recording: SpooledRecording) -> str:
    """Return the page.

    Its sound is Opus inside the page, some 7 MB an hour. Its one script is named by its hash in the page's
    policy, so nothing else runs, and nothing is fetched.
    """
    name = Path(found.source).name
    speakers, turns = _counted(len(found.speakers), "speaker"), _counted(len(found.turns), "turn")
    rttm = escape(f"{Path(found.source).stem}.rttm")
    body = f"""<section>
<h1>{escape(f"Who speaks in {name}")}</h1>
<p class="lede">{speakers} in {turns}, {found.seconds / 60:.1f} minutes.</p>
<audio id="sound" controls preload="auto" src="{_sound(recording)}"></audio>
<div id="board" role="group" aria-label="Who speaks when">{_board(found, recording)}</div>
<p class="meta" id="said" role="status" aria-live="polite">Choose a turn to hear it.</p>
{_people(found)}
<div id="enroll" hidden><p class="meta">With the turns written beside it as RTTM, in <code>{rttm}</code>,
these commands enroll them:</p><pre></pre></div>
<details><summary>All turns</summary>{_turns(found)}</details>
</section>"""
    return document(
        f"Who speaks in {name}",
        body,
        brand="voiceprint diarization",
        style=packaged_text("diarization.css"),
        script=packaged_text("diarization.js"),
        media="data:",
    )


def write_diarization_page(found: Diarization, recording: SpooledRecording, page: Path) -> None:
    """Write what `diarization_page` makes; VoiceprintError where the file cannot be written."""
    write_documents({page: diarization_page(found, recording)})


def _counted(number: int, thing: str) -> str:
    return f"{number} {thing}" + ("" if number == 1 else "s")


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
            f'<text data-lane="{lane}" data-letters="{_LETTERS}" x="0" y="{top + 15}">'
            f"{escape(_short(name))}</text>"
            f'<rect class="lane" x="{_LEFT}" y="{top}" width="{_WIDTH}" height="{_LANE - 6}"/>'
        )
    for turn in found.turns:
        lane = lanes[turn.speaker]
        left = _LEFT + _WIDTH * turn.start / found.seconds
        width = max(1.0, _WIDTH * turn.seconds / found.seconds)
        label = escape(f"{turn.speaker}, {turn.start:.1f} to {turn.stop:.1f} s")
        parts.append(
            f'<rect class="turn h{lane % _COLOURS}" tabindex="0" role="button" aria-label="{label}" '
            f'data-start="{turn.start:.3f}" data-stop="{turn.stop:.3f}" x="{left:.2f}" '
            f'y="{_WAVE + _LANE * lane + 4}" width="{width:.2f}" height="{_LANE - 6}" rx="2">'
            f"<title>{label}</title></rect>"
        )
    parts.append(
        f'<line class="place" data-seconds="{found.seconds:.3f}" data-left="{_LEFT}" data-width="{_WIDTH}" '
        f'x1="{_LEFT}" x2="{_LEFT}" y1="0" y2="{height}"/>'
    )
    return f'<svg viewBox="0 0 {_LEFT + _WIDTH} {height}">{"".join(parts)}</svg>'


def _short(name: str) -> str:
    """Cut a name to what fits before its lane."""
    return name if len(name) <= _LETTERS else name[: _LETTERS - 1] + "…"


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
            )
        )
    return table(("speaker", "speech", "turns", "name"), rows, text=(0, 3), kind="people")


def _turns(found: Diarization) -> str:
    rows = [(f"{turn.start:.2f}", f"{turn.stop:.2f}", turn.speaker) for turn in found.turns]
    return table(("from s", "to s", "speaker"), rows, text=(2,))
