from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self

import numpy as np
import pytest
import soundfile as sf
from numpy.typing import NDArray
from typer.testing import CliRunner

from voiceprint.cli import app
from voiceprint.cli.record import meter_line

runner = CliRunner()


class Microphone:
    """Plays ada's clips one after the other, again and again, whoever listens."""

    samples: NDArray[np.float32]

    def __init__(self, **options: Any) -> None:
        self.position = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def read(self, frames: int) -> tuple[NDArray[np.float32], bool]:
        block = np.take(self.samples, range(self.position, self.position + frames), mode="wrap")
        self.position += frames
        return block[:, None], False


@pytest.fixture(autouse=True)
def _microphone(monkeypatch: pytest.MonkeyPatch, people: Path, model_folder: Path) -> Iterator[None]:
    clips = [sf.read(people / "ada" / f"{clip}.wav", dtype="float32")[0] for clip in range(3)]
    Microphone.samples = np.concatenate(clips)
    module = SimpleNamespace(InputStream=Microphone, PortAudioError=OSError)
    monkeypatch.setitem(sys.modules, "sounddevice", module)
    monkeypatch.setenv("VOICEPRINT_MODEL", str(model_folder))
    yield


def test_who_speaks_is_enrolled(people: Path) -> None:
    result = runner.invoke(app, ["record", "ada", "--seconds", "5"])
    assert result.exit_code == 0
    assert "<microphone>" in result.stdout
    assert "ada is enrolled with 1 clip of" in result.stdout
    assert runner.invoke(app, ["verify", "ada", str(people / "ada/4.wav")]).exit_code == 0


def test_a_machine_at_the_microphone_is_not_enrolled(countermeasure: Path) -> None:
    asked = ["record", "ada", "--seconds", "5", "--liveness", "--countermeasure", str(countermeasure)]
    Microphone.samples = -Microphone.samples  # as the tiny countermeasure knows machines
    refused = runner.invoke(app, asked)
    assert (refused.exit_code, "speaking live" in refused.stderr) == (2, True)
    Microphone.samples = -Microphone.samples
    assert runner.invoke(app, asked).exit_code == 0


def test_a_second_recording_is_added_when_asked(people: Path) -> None:
    assert runner.invoke(app, ["record", "ada", "--seconds", "5", "--json"]).exit_code == 0
    refused = runner.invoke(app, ["record", "ada"])
    assert refused.exit_code == 2
    assert "enrolled already" in refused.stderr
    Microphone.samples = np.concatenate([sf.read(people / "ada" / f"{clip}.wav")[0] for clip in (3, 4)])
    added = runner.invoke(app, ["record", "ada", "--add", "--seconds", "4", "--json"])
    assert json.loads(added.stdout)["clips_in_voiceprint"] == 2


def test_a_recording_can_be_written_to_standard_output() -> None:
    result = runner.invoke(app, ["record", "-", "--seconds", "2"])
    assert result.exit_code == 0
    samples, rate = sf.read(io.BytesIO(result.stdout_bytes), dtype="float32")
    assert (len(samples), rate) == (32_000, 16_000)
    np.testing.assert_allclose(samples, Microphone.samples[:32_000], atol=1e-4)


def test_without_a_microphone_one_line_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**options: Any) -> None:
        raise OSError("Error querying device -1")

    monkeypatch.setattr(sys.modules["sounddevice"], "InputStream", refuse)
    result = runner.invoke(app, ["record", "ada"])
    assert result.exit_code == 2
    assert result.stderr == (
        "Error: cannot record: Error querying device -1; "
        "is a microphone connected, and may this program use it?\n"
    )


def test_the_meter_shows_the_level_and_what_is_wrong_with_it() -> None:
    assert meter_line(-60.0) == "[" + "." * 30 + "]  -60 dB too quiet"
    assert meter_line(-30.0) == "[" + "#" * 15 + "." * 15 + "]  -30 dB          "
    assert meter_line(0.0) == "[" + "#" * 30 + "]    0 dB too loud "
