"""``voiceprint listen``: sound through a pipe, from a file and from the microphone."""

from __future__ import annotations

import json
import os
import signal
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self

import numpy as np
import pytest
import soundfile as sf
from numpy.typing import NDArray
from typer.testing import CliRunner, Result

from benchmarks.synthetic_speech import VOICES, synthesize
from voiceprint import Verifier
from voiceprint.cli import app

RATE = 16_000
runner = CliRunner()


def say(name: str, seconds: float, seed: int = 7) -> NDArray[np.float32]:
    return synthesize(seed, seconds, *VOICES[name])


def raw(samples: NDArray[np.float32]) -> bytes:
    return (32_767 * samples).astype("<i2").tobytes()


@pytest.fixture(autouse=True)
def _enrolled(monkeypatch: pytest.MonkeyPatch, model_folder: Path, people: Path, tmp_path: Path) -> None:
    """Ada and bert are enrolled in the store that commands find."""
    monkeypatch.setenv("VOICEPRINT_MODEL", str(model_folder))
    with Verifier(tmp_path / "enrollments", model=model_folder) as verifier:
        for name in ("ada", "bert"):
            verifier.enroll(name, [people / name / f"{clip}.wav" for clip in range(3)])


def listen(*options: str, sound: bytes = b"") -> Result:
    return runner.invoke(app, ["listen", *options], input=sound)


def events(output: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.splitlines()]


# Answers


@pytest.mark.parametrize(("name", "code"), [("ada", 0), ("bert", 1)])
def test_a_claim_ends_with_the_verdict(name: str, code: int) -> None:
    done = listen("-", "--claim", name, sound=raw(say("ada", 4.0)))
    assert done.exit_code == code
    word = "accepted" if code == 0 else "rejected"
    assert f"{name}: {word} (score" in done.output.splitlines()[-1]


def test_without_enough_speech_there_is_no_verdict() -> None:
    done = listen("-", "--claim", "ada", sound=raw(say("ada", 0.8)))
    assert done.exit_code == 2
    assert "ada: not enough speech (0.8 s of speech; at least 1 s are needed)" in done.output


def test_without_a_claim_it_names_who_speaks_until_the_sound_ends() -> None:
    done = listen("-", "--json", sound=raw(say("ada", 3.0)))
    told = events(done.output)
    assert done.exit_code == 0
    assert {"event", "elapsed"} <= set(told[0])
    assert [each["event"] for each in told if each["event"] != "scored"][:2] == ["speech_began", "decided"]
    assert next(each["answer"]["name"] for each in told if each["event"] == "decided") == "ada"


def test_a_watch_list_bounds_who_is_named() -> None:
    told = events(listen("-", "--json", "--among", "bert", sound=raw(say("ada", 3.0))).output)
    assert next(each["answer"]["decision"] for each in told if each["event"] == "decided") == "unknown"


# Sound


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
def test_wav_of_any_type_is_read(tmp_path: Path, subtype: str) -> None:
    path = tmp_path / "ada.wav"
    stereo = np.stack([say("bert", 4.0), say("ada", 4.0)], axis=1)
    sf.write(path, stereo, RATE, subtype=subtype)
    assert listen(str(path), "--claim", "ada", "--channel", "2").exit_code == 0
    assert listen("-", "--claim", "ada", sound=path.read_bytes()).exit_code == 1  # the first channel
    done = listen(str(path), "--channel", "3")
    assert done.exit_code == 2
    assert "there is no channel 3" in done.output


@pytest.mark.parametrize("length", [0, 0x7FFF_FFFF, 0xFFFF_FFFF])
def test_a_recorder_need_not_know_how_long_it_records(length: int) -> None:
    header = b"RIFF" + struct.pack("<I", length) + b"WAVEfmt " + struct.pack("<I", 16)
    header += struct.pack("<HHIIHH", 1, 1, RATE, 2 * RATE, 2, 16)
    header += b"LIST" + struct.pack("<I", 3) + b"abc\0" + b"data" + struct.pack("<I", length)
    assert listen("-", "--claim", "ada", sound=header + raw(say("ada", 4.0))).exit_code == 0


@pytest.mark.parametrize(
    ("sound", "message"),
    [
        (b"RIFF\0\0\0\0WAVEjunk", "its header is damaged"),
        (b"RIFF\0\0\0\0WAVEdata\0\0\0\0", "its header is damaged"),
        (b"RIFF\0\0\0\0WAVEfmt " + struct.pack("<IHHIIHH", 16, 85, 1, RATE, 0, 1, 0), "format 85"),
        (b"RIFF\0\0\0\0WAVEfmt " + struct.pack("<I", 2**31), "its header is damaged"),
        (b"fLaC\0\0\0\x22".ljust(900, b"\1"), "neither WAV nor raw samples; decode it on its way: ffmpeg"),
        (b"OggS".ljust(900, b"\1"), "neither WAV nor raw samples"),
        (b"ID3\3".ljust(900, b"\1"), "neither WAV nor raw samples"),
        (b"\0\0\0\x18ftypM4A ".ljust(900, b"\1"), "neither WAV nor raw samples"),
        (b"FORM\0\0\0\0AIFF".ljust(900, b"\1"), "neither WAV nor raw samples"),
    ],
)
def test_what_is_no_pcm_is_refused(sound: bytes, message: str) -> None:
    done = listen("-", sound=sound)
    assert done.exit_code == 2
    assert message in done.output


def test_bad_options_are_refused_in_a_line(tmp_path: Path) -> None:
    for options, message in (
        (("--claim", "ada", "--among", "bert"), "--claim"),
        (("--far", "0.9"), "--far"),
        (("--rate", "4000"), "4000 Hz"),
        (("--rate", "-1"), "sample rate"),
        (("--claim", "zoe"), "zoe"),
        (("--latest", "90"), "--latest"),
        (("--device", "1"), "--device is of the microphone"),
    ):
        done = listen("-", *options, sound=raw(say("ada", 1.0)))
        assert done.exit_code == 2
        assert message in done.output.splitlines()[-1]
    assert "No such file" in listen(str(tmp_path / "none.wav")).output


class Microphone:
    """Plays three seconds of ada again and again."""

    def __init__(self, **options: Any) -> None:
        self.position = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def read(self, frames: int) -> tuple[NDArray[np.float32], bool]:
        block = np.take(say("ada", 3.0), range(self.position, self.position + frames), mode="wrap")
        self.position += frames
        return block[:, None], False


def test_the_microphone_is_listened_to(monkeypatch: pytest.MonkeyPatch) -> None:
    module = SimpleNamespace(InputStream=Microphone, PortAudioError=OSError)
    monkeypatch.setitem(sys.modules, "sounddevice", module)
    done = listen("--claim", "ada")
    assert done.exit_code == 0
    assert "Listening" in done.output


# Processes


@pytest.fixture
def started() -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """``started(*options)``: a process of its own that listens to its standard input."""
    processes = []

    def start(*options: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "voiceprint", "listen", "-", *options]
        pipe = subprocess.PIPE
        processes.append(
            subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, env=dict(os.environ))
        )
        return processes[-1]

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def test_it_ends_when_it_is_decided_though_the_sound_goes_on(
    started: Callable[..., subprocess.Popen[bytes]],
) -> None:
    process = started("--claim", "ada")
    assert process.stdin is not None and process.stdout is not None and process.stderr is not None
    process.stdin.write(raw(say("ada", 4.0)))
    process.stdin.flush()
    assert process.wait(timeout=120) == 0
    assert b"accepted" in process.stdout.read()
    assert process.stderr.read() == b""


@pytest.mark.parametrize(
    ("options", "code"), [((), 0), (("--claim", "bert", "--min-speech", "20", "--latest", "20"), 130)]
)
def test_ctrl_c_ends_it_while_it_waits_for_sound(
    started: Callable[..., subprocess.Popen[bytes]], options: tuple[str, ...], code: int
) -> None:
    process = started("--json", *options)
    assert process.stdin is not None and process.stdout is not None and process.stderr is not None
    process.stdin.write(raw(say("ada", 2.0)))
    process.stdin.flush()
    assert b"speech_began" in process.stdout.readline()
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=120) == code
    assert process.stderr.read() == b""
    assert (b"decided" in process.stdout.read()) == (code == 0)
