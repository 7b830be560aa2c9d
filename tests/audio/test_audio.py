from __future__ import annotations

import hashlib
import io
import os
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from sounds import encoded, tone

from voiceprint.audio import SAMPLE_RATE, find_audio, read_audio
from voiceprint.errors import AudioError

# What is read


@pytest.mark.parametrize(
    ("file", "subtype", "tolerance"),
    [
        ("WAV", "PCM_U8", 2**-7),
        ("WAV", "PCM_16", 2**-15),
        ("WAV", "PCM_24", 2**-22),
        ("WAV", "PCM_32", 1e-6),
        ("WAV", "FLOAT", 1e-7),
        ("WAV", "DOUBLE", 1e-7),
        ("WAV", "ULAW", 0.02),
        ("FLAC", "PCM_S8", 2**-6),
        ("FLAC", "PCM_16", 2**-14),
        ("FLAC", "PCM_24", 2**-22),
        ("AIFF", "PCM_16", 2**-15),
        ("AIFF", "PCM_S8", 2**-7),
        ("OGG", "VORBIS", 0.1),
        ("OGG", "OPUS", 0.1),
        ("MP3", "MPEG_LAYER_III", 0.1),
    ],
)
def test_every_format_gives_back_the_samples(file: str, subtype: str, tolerance: float) -> None:
    waveform = read_audio(encoded(tone(), file=file, subtype=subtype))
    assert waveform.samples.dtype == np.float32
    assert waveform.samples.shape == (SAMPLE_RATE,)
    middle = slice(1000, 13000)  # Opus fades the end of the stream
    assert np.abs(waveform.samples - tone())[middle].max() <= tolerance


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 22050, 44100, 48000, 96000, 192000])
def test_any_rate_becomes_16_khz(rate: int) -> None:
    waveform = read_audio(encoded(tone(rate=rate), rate))
    assert waveform.original_rate == rate
    assert waveform.seconds == pytest.approx(1.0, abs=1e-4)
    middle = slice(1000, 15000)
    assert np.abs(waveform.samples[middle] - tone()[middle]).max() < 1e-3


def test_what_16_khz_cannot_hold_is_filtered_out() -> None:
    assert (
        np.abs(read_audio(tone(rate=48000, hertz=11_000), sample_rate=48000).samples[1000:15000]).max() < 1e-3
    )


def test_many_channels() -> None:
    samples = np.repeat(tone(seconds=0.2)[:, None], 256, axis=1)
    np.testing.assert_allclose(read_audio(encoded(samples)).samples, tone(seconds=0.2), atol=2**-14)


def test_long_clips_are_decoded_in_blocks_without_a_seam() -> None:
    samples = tone(30.0, rate=48000)  # 1.44 M samples: two blocks
    middle = slice(1000, -1000)
    whole = read_audio(encoded(samples, 48000, subtype="FLOAT")).samples
    assert len(whole) == 30 * SAMPLE_RATE
    assert np.abs(whole - tone(seconds=30.0))[middle].max() < 1e-3


@pytest.mark.parametrize("suffix", [".wav", ".bin", ".raw", ""])
def test_content_counts_not_the_name(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"clip{suffix}"
    path.write_bytes(encoded(tone(), file="FLAC"))
    assert read_audio(path).seconds == 1.0
    assert read_audio(str(path)).source == str(path)


def test_path_bytes_stream_and_array_agree(tmp_path: Path) -> None:
    data = encoded(tone(), subtype="FLOAT")
    path = tmp_path / "clip.wav"
    path.write_bytes(data)
    hashes = {
        read_audio(path).sha256,
        read_audio(data).sha256,
        read_audio(io.BytesIO(data)).sha256,
        read_audio(tone(), sample_rate=SAMPLE_RATE).sha256,
    }
    assert len(hashes) == 1
    assert read_audio(tone(hertz=441.0), sample_rate=SAMPLE_RATE).sha256 not in hashes


def test_sha256_is_of_the_little_endian_samples() -> None:
    waveform = read_audio(np.zeros(1600, dtype=np.float32), sample_rate=SAMPLE_RATE)
    assert waveform.sha256 == hashlib.sha256(bytes(6400)).hexdigest()


def test_a_dash_is_standard_input() -> None:
    program = "from voiceprint.audio import read_audio; w = read_audio('-'); print(w.source, w.seconds)"
    done = subprocess.run(
        [sys.executable, "-c", program], input=encoded(tone()), capture_output=True, check=True
    )
    assert done.stdout.split() == [b"-", b"1.0"]


def test_a_pipe_with_a_name_is_read(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = subprocess.Popen([sys.executable, "-c", f"open({str(pipe)!r}, 'wb').write({encoded(tone())!r})"])
    try:
        assert read_audio(pipe).seconds == 1.0
    finally:
        assert writer.wait(timeout=10) == 0


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (np.array([-32768, 0, 16384], dtype=np.int16), [-1, 0, 0.5]),
        (np.array([-(2**31), 0, 2**30], dtype=np.int32), [-1, 0, 0.5]),
        (np.array([-128, 0, 64], dtype=np.int8), [-1, 0, 0.5]),
        (np.array([0, 128, 192], dtype=np.uint8), [-1, 0, 0.5]),
        (np.array([-1, 0, 0.5], dtype=np.float64), [-1, 0, 0.5]),
        (np.array([-1, 0, 0.5], dtype=np.float16), [-1, 0, 0.5]),
    ],
)
def test_arrays_of_any_width_span_full_scale(array: np.ndarray, expected: list[float]) -> None:
    samples = read_audio(np.repeat(array, 1000), sample_rate=SAMPLE_RATE).samples
    np.testing.assert_array_equal(samples[::1000], np.array(expected, dtype=np.float32))


def test_overshoot_is_clipped_to_full_scale() -> None:
    square = np.sign(tone(rate=44100)) * np.float32(1.0)
    samples = read_audio(square, sample_rate=44100).samples
    assert np.abs(samples).max() == 1.0


@pytest.mark.parametrize("offset", [0.02, -0.3])
def test_a_constant_offset_is_subtracted(offset: float) -> None:
    speech = tone() * np.linspace(0, 1, SAMPLE_RATE, dtype=np.float32)
    samples = read_audio(speech + np.float32(offset), sample_rate=SAMPLE_RATE).samples
    np.testing.assert_allclose(samples, speech, atol=1e-3)
    slight = read_audio(speech + np.float32(0.004), sample_rate=SAMPLE_RATE).samples
    np.testing.assert_array_equal(slight, speech + np.float32(0.004))


def test_silence_is_read_and_known_as_such() -> None:
    assert read_audio(np.zeros(8000), sample_rate=8000).is_digital_silence
    assert not read_audio(tone(), sample_rate=SAMPLE_RATE).is_digital_silence


# What is refused


def refusal(source: object, **options: object) -> str:
    with pytest.raises(AudioError) as caught:
        read_audio(source, **options)  # type: ignore[arg-type]
    message = str(caught.value)
    assert "\n" not in message
    assert caught.value.source in message
    return message


def test_missing_file(tmp_path: Path) -> None:
    assert "none.wav does not exist" in refusal(tmp_path / "none.wav")


def test_folder(tmp_path: Path) -> None:
    assert "is a folder" in refusal(tmp_path)


@pytest.mark.parametrize("path", ["nul\0character.wav", "x" * 5000, "clip.wav/inside"])
def test_impossible_paths(tmp_path: Path, path: str) -> None:
    (tmp_path / "clip.wav").write_bytes(encoded(tone()))
    refusal(str(tmp_path / path))


def test_a_name_with_a_line_break_stays_on_one_line(tmp_path: Path) -> None:
    assert r"two\nlines.wav" in refusal(tmp_path / "two\nlines.wav")


@contextmanager
def ordinary_user() -> Iterator[None]:
    """Root may read everything: be nobody for a while."""
    was_root = os.geteuid() == 0
    if was_root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if was_root:
            os.seteuid(0)


def test_no_permission(tmp_path: Path) -> None:
    path = tmp_path / "private.wav"
    path.write_bytes(encoded(tone()))
    path.chmod(0)
    with ordinary_user():
        assert "may not be read" in refusal(path)


@pytest.mark.parametrize("source", [b"", io.BytesIO(b"")])
def test_empty(source: object) -> None:
    assert "is empty" in refusal(source)


@pytest.mark.parametrize("size", [1, 3, 16, 100, 4096])
def test_random_bytes(size: int) -> None:
    assert "cannot be decoded" in refusal(b"\x07" + np.random.default_rng(size).bytes(size - 1))


def test_jpeg_called_wav(tmp_path: Path) -> None:
    path = tmp_path / "photo.wav"
    path.write_bytes(b"\xff\xd8\xff\xe0\x00\x10JFIF" + bytes(1000))
    assert "photo.wav is a JPEG image" in refusal(path)


def test_a_cut_mp3_is_refused_without_noise_on_standard_error(capfd: pytest.CaptureFixture[str]) -> None:
    data = encoded(tone(seconds=3.0), file="MP3")
    tag = b"ID3\x04\0\0\0\0\x01\x00" + bytes(128)  # an ID3v2 tag of 128 bytes before the sound
    assert read_audio(tag + data).seconds == pytest.approx(3.0, abs=0.2)
    assert "is cut short" in refusal(data[: len(data) // 2])
    assert "is cut short" in refusal(tag + data[: len(data) // 2])
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("rate", [1, 7999, 192_001, 1_000_000_000])
def test_rate_in_the_header(rate: int) -> None:
    data = bytearray(encoded(tone()))
    data[24:28] = struct.pack("<I", rate)
    assert f"sample rate of {rate} Hz" in refusal(bytes(data))
    assert f"sample rate of {rate} Hz" in refusal(tone(), sample_rate=rate)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_not_a_number(bad: float) -> None:
    samples = tone()
    samples[1234] = bad
    assert "NaN or infinite" in refusal(samples, sample_rate=SAMPLE_RATE)
    assert "NaN or infinite" in refusal(encoded(samples, subtype="FLOAT"))


def test_samples_that_were_never_scaled() -> None:
    assert "[-1, 1]" in refusal(tone() * 32768, sample_rate=SAMPLE_RATE)


def test_the_shortest_clip_is_a_tenth_of_a_second() -> None:
    assert read_audio(tone(seconds=0.1), sample_rate=SAMPLE_RATE).seconds == 0.1
    assert "lasts 0.099 s" in refusal(tone()[:1590], sample_rate=SAMPLE_RATE)
    assert "lasts 0.000 s" in refusal(encoded(tone()[:0]))


def test_three_hours_are_refused_from_the_header(tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    size = 3 * 3600 * 2 * SAMPLE_RATE
    path.write_bytes(encoded(tone()))
    data = bytearray(path.read_bytes()[:44])
    data[4:8], data[40:44] = struct.pack("<I", 36 + size), struct.pack("<I", size)
    path.write_bytes(data)
    os.truncate(path, 44 + size)  # sparse: takes no disk
    begin = time.process_time()
    assert "lasts over 3600 s (10800 s or more)" in refusal(path)
    assert time.process_time() - begin < 0.5


def test_a_flac_that_does_not_say_its_length_is_bounded_while_it_is_decoded() -> None:
    data = bytearray(encoded(np.zeros(60 * SAMPLE_RATE), file="FLAC"))
    assert len(data) < 20_000
    data[21] &= 0xF0  # the 36-bit sample count in STREAMINFO: 0 is unknown
    data[22:26] = bytes(4)
    assert read_audio(bytes(data)).seconds == 60.0
    assert "lasts over 5 s" in refusal(bytes(data), max_seconds=5.0)


def test_the_limit_is_inclusive() -> None:
    assert read_audio(encoded(tone()), max_seconds=1.0).seconds == 1.0
    assert "lasts over 0.9 s" in refusal(encoded(tone()), max_seconds=0.9)
    assert "lasts over 0.9 s" in refusal(tone(), sample_rate=SAMPLE_RATE, max_seconds=0.9)


def test_rate_belongs_to_arrays() -> None:
    assert "give sample_rate=" in refusal(tone())
    assert "only an array needs one" in refusal(encoded(tone()), sample_rate=SAMPLE_RATE)


@pytest.mark.parametrize("shape", [(), (2, 16000), (10, 10, 10), (16000, 0)])
def test_shapes_that_are_no_clip(shape: tuple[int, ...]) -> None:
    assert f"of shape {shape}" in refusal(np.zeros(shape), sample_rate=SAMPLE_RATE)


@pytest.mark.parametrize("kind", [np.int64, np.uint16, np.complex64, np.bool_, object])
def test_types_that_are_no_samples(kind: type) -> None:
    assert "give floats" in refusal(np.zeros(16000, dtype=kind), sample_rate=SAMPLE_RATE)


@pytest.mark.parametrize("source", [3, None, [0.0] * 16000, io.StringIO("text")])
def test_other_objects(source: object) -> None:
    refusal(source)


def test_an_endless_stream_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("voiceprint.audio.sources._MAX_STREAM_BYTES", 1 << 22)
    with open("/dev/zero", "rb") as endless:  # noqa: PTH123
        assert "/dev/zero holds over 4194304 bytes" in refusal(endless)


def test_closed_stream() -> None:
    stream = io.BytesIO(encoded(tone()))
    stream.close()
    assert "cannot be read" in refusal(stream)


# What is found


def test_find_audio_searches_folders_in_order(tmp_path: Path) -> None:
    for name in ("b/2.WAV", "b/1.flac", "a.mp3", "notes.txt", ".hidden.wav", "c/voice.m4a"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = [path.relative_to(tmp_path).as_posix() for path in find_audio([tmp_path])]
    assert found == ["a.mp3", "b/1.flac", "b/2.WAV", "c/voice.m4a"]


def test_find_audio_takes_files_as_they_are_and_once(tmp_path: Path) -> None:
    clip = tmp_path / "clip.data"
    clip.touch()
    assert find_audio([clip, clip, Path("-")]) == [clip, Path("-")]


def test_find_audio_refuses_what_is_not_there(tmp_path: Path) -> None:
    for name in ("x" * 5000, "nul\0", "two\nlines"):
        with pytest.raises(AudioError, match=r"^[^\n]* (does not exist|cannot be read)"):
            find_audio([tmp_path / name])
    with pytest.raises(AudioError, match="does not exist"):
        find_audio([tmp_path / "none"])
    with pytest.raises(AudioError, match="holds no audio files"):
        find_audio([tmp_path])
