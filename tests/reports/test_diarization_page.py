from __future__ import annotations

import base64
import hashlib
import io
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import soundfile
from browser import BROWSER, DRIVER, MISSING, Page, chromium
from numpy.typing import NDArray

from voiceprint.audio import Waveform
from voiceprint.audio.spooled import SpooledRecording
from voiceprint.diarization.diarizer import Diarization, DiarizedSpeaker
from voiceprint.diarization.turns import SpeakerTurn
from voiceprint.reports.diarization import diarization_page

Floats = NDArray[np.float32]


def page(voice: Callable[..., Floats], name: str = "speaker 1") -> str:
    waveform = Waveform(samples=voice("ada", seconds=4.0), source="talk.wav", original_rate=16_000)
    speaker = DiarizedSpeaker(
        name=name, identified=False, seconds_of_speech=2.0, turns=1, embedding=np.zeros(3, np.float32)
    )
    found = Diarization(
        source="a b/talk.wav",
        seconds=4.0,
        turns=(SpeakerTurn(start=1.0, stop=3.0, speaker=name),),
        speakers=(speaker,),
        model="m",
    )
    with SpooledRecording.open(waveform, max_seconds=60.0) as recording:
        return diarization_page(found, recording)


def test_the_page_runs_its_own_script_alone_and_fetches_nothing(voice: Callable[..., Floats]) -> None:
    text = page(voice)
    (script,) = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; media-src data:; "
    assert f"{policy}script-src 'sha256-{digest}'" in text
    assert not re.findall(r"(?:src|href)=\"(?!data:)", text)
    assert not re.findall(r"\son\w+=", text)


def test_the_sound_in_the_page_is_that_of_the_recording(voice: Callable[..., Floats]) -> None:
    (encoded,) = re.findall(r'src="data:audio/ogg;base64,([^"]+)"', page(voice))
    samples, rate = soundfile.read(io.BytesIO(base64.b64decode(encoded)))
    assert len(samples) / rate == 4.0


def test_names_cannot_write_the_page(voice: Callable[..., Floats]) -> None:
    class Tags(HTMLParser):
        def __init__(self) -> None:
            super().__init__()
            self.found: list[str] = []

        def handle_starttag(self, tag: str, attrs: object) -> None:
            self.found.append(tag)

    tags = Tags()
    tags.feed(page(voice, name='"><img src=x onerror=alert(1)>'))
    assert "img" not in tags.found
    assert tags.found.count("script") == 1


def test_one_is_counted_as_one(voice: Callable[..., Floats]) -> None:
    assert "1 speaker in 1 turn, 0.1 minutes." in page(voice)


@pytest.mark.skipif(BROWSER is None or DRIVER is None, reason=MISSING)
def test_on_a_phone_a_name_gives_the_command_that_enrolls(
    voice: Callable[..., Floats], tmp_path: Path, wav: Callable[..., Path]
) -> None:
    file = tmp_path / "talk.html"
    file.write_text(page(voice), encoding="utf-8")
    screen = {"width": 390, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    with chromium(wav(tmp_path / "silent.wav", np.zeros(16_000, np.float32))) as driver:
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
        driver.get(file.as_uri())
        driver.find_element("css selector", ".people input").send_keys("Ada of the long surname O'Neil")
        commands = driver.find_element("css selector", "#enroll pre")
        assert commands.text == (
            "voiceprint enroll 'Ada of the long surname O'\\''Neil' 'a b/talk.wav' "
            "--turns 'talk.rttm:speaker 1'"
        )
        assert driver.find_element("css selector", "#board text").text == "Ada of the lon…"
        assert driver.find_element("css selector", ".people tbody tr").size["height"] < 80
        assert driver.execute_script("return document.documentElement.scrollWidth") <= 390
        assert Page(driver, file.as_uri()).complaints() == []
