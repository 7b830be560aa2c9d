"""What FFmpeg decodes through PyAV: read like everything else, within the same limits, and nothing beyond."""

from __future__ import annotations

import io
import sys
import time
from pathlib import Path

import av
import numpy as np
import pytest
from sounds import MEDIA, RATE, media, tone

from voiceprint.audio import probe_audio, read_audio
from voiceprint.errors import AudioError


def refusal(source: bytes | Path, **options: float) -> str:
    with pytest.raises(AudioError) as caught:
        read_audio(source, **options)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(("file", "codec", "rate"), MEDIA)
def test_every_format_gives_back_the_tone(file: str, codec: str, rate: int) -> None:
    waveform = read_audio(media(tone(2.0, rate=rate), rate, file, codec))
    assert waveform.original_rate == rate
    assert waveform.seconds == pytest.approx(2.0, abs=0.05)
    assert np.sqrt(np.mean(waveform.samples**2)) == pytest.approx(0.354, abs=0.06)


def test_an_inverted_channel_is_known_here_too() -> None:
    voice = tone(2.0, rate=48_000)
    stereo = np.stack([voice, -voice], axis=1)
    assert np.sqrt(np.mean(read_audio(media(stereo, 48_000, "mov", "alac")).samples ** 2)) > 0.3


@pytest.mark.parametrize(
    ("file", "codec"), [("webm", "libopus"), ("mp4", "aac"), ("3gp", "libopencore_amrnb")]
)
def test_too_long_is_refused(file: str, codec: str) -> None:
    rate = 8_000 if "amr" in codec else 48_000
    assert "lasts over 2 s" in refusal(media(tone(3.0, rate=rate), rate, file, codec), max_seconds=2.0)


def test_a_live_recording_without_a_length_is_bounded_while_it_is_decoded() -> None:
    silence = np.zeros(600 * 48_000, dtype=np.float32)
    data = media(silence, 48_000, "webm", "libopus", options={"live": "1"})
    assert probe_audio(data).seconds is None
    begin = time.process_time()
    assert "lasts over 5 s" in refusal(data, max_seconds=5.0)
    assert time.process_time() - begin < 5.0


def test_a_webm_that_declares_hours_is_refused_from_its_header() -> None:
    data = bytearray(media(tone(2.0, rate=48_000), 48_000, "webm", "libopus"))
    place = data.index(b"\x44\x89\x88") + 3  # Duration, a double, in milliseconds
    data[place : place + 8] = np.array(36_000_000.0, dtype=">f8").tobytes()
    assert "lasts over 3600 s (36000 s or more)" in refusal(bytes(data))


def test_many_channels_at_a_high_rate_are_bounded_as_everywhere() -> None:
    silence = np.zeros((20 * 192_000, 8), dtype=np.float32)
    data = media(silence, 192_000, "matroska", "flac")
    assert len(data) < 5_000_000
    assert read_audio(data).seconds == pytest.approx(20.0, abs=0.1)
    assert "lasts over 10 s" in refusal(data, max_seconds=10.0)


@pytest.mark.parametrize("codec", ["aac", "libopus"])
def test_eight_channels_are_refused_where_pyav_would_read_beyond_them(codec: str) -> None:
    voice = np.repeat(tone(2.0, rate=48_000)[:, None], 8, axis=1)
    assert "has 8 channels" in refusal(media(voice, 48_000, "matroska", codec))


def test_a_recording_that_was_never_finished_is_named() -> None:
    data = media(tone(2.0, rate=48_000), 48_000, "mp4", "aac")
    assert "never finished" in refusal(data[: data.index(b"moov") - 4])


@pytest.mark.parametrize(
    "text",
    [
        "ffconcat version 1.0\nfile /etc/hostname\n",
        "#EXTM3U\n#EXTINF:1,\nfile:///etc/hostname\n",
        "[playlist]\nFile1=http://127.0.0.1:9/a.mp3\n",
        "<?xml version='1.0'?><MPD><BaseURL>/etc/</BaseURL></MPD>",
    ],
)
def test_a_playlist_opens_nothing(text: str, tmp_path: Path) -> None:
    path = tmp_path / "clip.m4a"
    path.write_text(text)
    assert "cannot be decoded" in refusal(path)


def test_a_movie_opens_no_other_file(tmp_path: Path) -> None:
    """A QuickTime reference names a file beside it, where FFmpeg would look for the sound."""
    data = bytearray(media(tone(2.0, rate=RATE), RATE, "mov", "pcm_s16le"))
    (tmp_path / "other.mov").write_bytes(data)
    place = data.index(b"url \0\0\0\1")
    data[place : place + 4] = b"alis"
    data[place + 4 : place + 8] = bytes(4)
    path = tmp_path / "clip.mov"
    path.write_bytes(data)
    samples = read_audio(path).samples  # of its own bytes, whatever it refers to
    assert np.sqrt(np.mean(samples**2)) == pytest.approx(0.354, abs=0.01)


def test_without_pyav_the_message_says_what_helps(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "my voice.m4a"
    path.write_bytes(media(tone(1.0, rate=44_100), 44_100, "mp4", "aac"))
    monkeypatch.setitem(sys.modules, "av", None)
    message = refusal(path)
    assert "is an MP4/M4A file, which needs PyAV: pip install 'voiceprint-engine[media]'" in message
    assert message.endswith(f"ffmpeg -i '{path}' -ac 1 -ar 16000 '{path.with_suffix('.wav')}'")


def test_advice_names_the_formats_that_this_installation_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    assert refusal(b"no sound at all").endswith("; give a WAV, FLAC, Ogg, Opus, MP3, AIFF, M4A or WebM file")
    monkeypatch.setitem(sys.modules, "av", None)
    assert refusal(b"no sound at all").endswith("; give a WAV, FLAC, Ogg, Opus, MP3 or AIFF file")


def test_two_streams_of_sound_are_not_one_recording() -> None:
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="matroska") as container:
        streams = [container.add_stream("flac", rate=RATE, layout="mono") for _ in range(2)]
        for stream in streams:
            frame = av.AudioFrame.from_ndarray(
                (tone(1.0)[None] * 32767).astype(np.int16), format="s16", layout="mono"
            )
            frame.sample_rate, frame.pts = RATE, 0
            for piece in (frame, None):
                for packet in stream.encode(piece):
                    container.mux(packet)
    assert "2 streams of sound" in refusal(buffer.getvalue())


def test_a_damaged_first_header_is_refused() -> None:
    data = bytearray(media(tone(1.0, rate=44_100), 44_100, "asf", "wmav2"))
    data[12] ^= 0xFF
    assert "cannot be decoded" in refusal(bytes(data))
