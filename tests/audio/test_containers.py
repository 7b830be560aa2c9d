"""Everything in a file is read, or the file is refused with the reason."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from sounds import MEDIA, RATE, SNDFILE, encoded, media, tone

from voiceprint.audio import probe_audio, read_audio
from voiceprint.errors import AudioError


def file_of(file: str, subtype: str | None, seconds: float = 3.0, *, hertz: float = 440.0) -> bytes:
    return encoded(tone(seconds, hertz=hertz), file=file, subtype=subtype)


def loudness(samples: np.ndarray, hertz: float) -> float:
    """How much of a tone there is, 0 to 1."""
    wave = np.exp(2j * np.pi * hertz * np.arange(len(samples)) / RATE)
    return float(4 * np.abs(np.mean(samples * wave)))


def refusal(data: bytes) -> str:
    with pytest.raises(AudioError) as caught:
        read_audio(data)
    return str(caught.value)


def with_bytes(data: bytes, place: int, new: bytes) -> bytes:
    return data[:place] + new + data[place + len(new) :]


# Several in one


@pytest.mark.parametrize(("file", "subtype"), SNDFILE)
def test_files_that_were_joined_are_read_one_after_another(file: str, subtype: str | None) -> None:
    joined = file_of(file, subtype, 3.0) + file_of(file, subtype, 2.0, hertz=880.0)
    samples = read_audio(joined).samples
    assert len(samples) == pytest.approx(5 * RATE, abs=0.1 * RATE)
    assert loudness(samples[: 3 * RATE], 440.0) > 0.9
    assert loudness(samples[-2 * RATE :], 880.0) > 0.9


@pytest.mark.parametrize(("file", "codec", "rate"), MEDIA)
def test_so_are_those_that_ffmpeg_decodes(file: str, codec: str, rate: int) -> None:
    first, second = (media(tone(2.0, rate=rate, hertz=hertz), rate, file, codec) for hertz in (440.0, 880.0))
    samples = read_audio(first + second).samples
    assert len(samples) == pytest.approx(4 * RATE, abs=0.15 * RATE)
    assert loudness(samples[: 2 * RATE], 440.0) > 0.5
    assert loudness(samples[-2 * RATE :], 880.0) > 0.5


def test_joined_files_may_differ_in_rate_and_channels() -> None:
    stereo = np.repeat(tone(2.0, rate=48_000)[:, None], 2, axis=1)
    for file in ("WAV", "FLAC", "MP3"):
        joined = file_of(file, None, 3.0) + encoded(stereo, 48_000, file)
        assert read_audio(joined).seconds == pytest.approx(5.0, abs=0.1)
    streamed = with_bytes(file_of("WAV", None), 40, b"\xff" * 4) + encoded(stereo, 48_000)
    assert read_audio(streamed).seconds == pytest.approx(5.0, abs=1e-3)


def test_a_thousand_files_in_one_are_too_many() -> None:
    assert "recordings one after another" in refusal(1001 * encoded(tone(0.001)))


def test_streams_side_by_side_are_refused() -> None:
    first, second = file_of("OGG", "VORBIS"), file_of("OGG", "OPUS")
    page = 27 + first[26] + sum(first[27 : 27 + first[26]])
    assert "several streams" in refusal(first[:page] + second)


# Cut short


@pytest.mark.parametrize(("file", "subtype"), SNDFILE)
@pytest.mark.parametrize("part", [0.5, 0.9])
def test_what_is_cut_short_is_refused(file: str, subtype: str | None, part: float) -> None:
    data = file_of(file, subtype)
    assert "cut short" in refusal(data[: round(part * len(data))])


@pytest.mark.parametrize(("file", "codec", "rate"), MEDIA)
def test_so_is_what_ffmpeg_would_take_for_whole(file: str, codec: str, rate: int) -> None:
    data = media(tone(2.0, rate=rate), rate, file, codec)
    assert "cut short" in refusal(data[: round(0.7 * len(data))])
    assert "cut short" in refusal(data[:-3])


def test_an_ogg_stream_without_its_last_page_is_cut_short() -> None:
    data = file_of("OGG", "OPUS", 5.0)
    assert "no last page" in refusal(data[: data.rindex(b"OggS")])


def test_what_is_left_of_a_cut_clip_can_be_saved_by_the_command_it_is_told(tmp_path: Path) -> None:
    path = tmp_path / "clip.wav"
    path.write_bytes(file_of("WAV", None)[:5000])
    with pytest.raises(AudioError, match=rf"ffmpeg -i {path} .* {tmp_path}/clip.16k.wav$"):
        read_audio(path)


# Counted wrongly


@pytest.mark.parametrize("size", [0, 0xFFFF_FFFF, 0x7FFF_FFFF, 0x7FFF_F000, 0x8000_0000])
@pytest.mark.parametrize("riff", [0, 36, 0xFFFF_FFFF])
def test_a_wav_that_does_not_know_its_size_is_read_to_its_end(size: int, riff: int) -> None:
    data = with_bytes(file_of("WAV", None), 4, struct.pack("<I", riff))
    assert read_audio(with_bytes(data, 40, struct.pack("<I", size))).seconds == 3.0


@pytest.mark.parametrize(
    ("file", "mark", "sizes"),
    [
        ("AIFF", b"SSND", [b"\0\0\0\0", b"\xff\xff\xff\xff"]),
        ("AU", b".snd\0\0\0\x18", [b"\0\0\0\0", b"\xff\xff\xff\xff"]),
        ("CAF", b"\0\0\0\0data", [bytes(8), b"\xff" * 8]),
        ("W64", b"data\xf3\xac\xd3\x11\x8c\xd1\x00\xc0\x4f\x8e\xdb\x8a", [bytes(8), b"\xff" * 8]),
        ("RF64", b"ds64\x1c\0\0\0" + b"?" * 8, [bytes(8), b"\xff" * 8]),
    ],
)
def test_so_is_every_other_container_of_chunks(file: str, mark: bytes, sizes: list[bytes]) -> None:
    data = file_of(file, None)
    place = data.index(mark.rstrip(b"?")) + len(mark)
    for size in sizes:
        assert read_audio(with_bytes(data, place, size)).seconds == 3.0


@pytest.mark.parametrize("size", [1, 1000, 1001, 95_000])
def test_more_sound_than_the_header_counts_is_refused(size: int) -> None:
    data = file_of("WAV", None)
    if len(data) - 44 - size > 1024:
        assert "header does not count" in refusal(with_bytes(data, 40, struct.pack("<I", size)))
    assert "header does not count" in refusal(data + b"\x55" * 5000)


def test_an_empty_wav_with_a_comment_stays_empty() -> None:
    data = encoded(tone()[:0]) + b"LIST\x0c\0\0\0INFOICMT\0\0\0\0"
    assert "lasts 0.000 s" in refusal(data)


@pytest.mark.parametrize(
    "tail", [b"LIST\x04\0\0\0INFO", b"TAG" + bytes(125), b"id3 \x05\0\0\0abcde", bytes(5000)]
)
def test_what_is_no_sound_may_follow_it(tail: bytes) -> None:
    assert read_audio(file_of("WAV", None) + tail).seconds == 3.0


def test_sound_of_an_odd_number_of_bytes() -> None:
    data = encoded(tone()[:15_999], subtype="PCM_U8")
    assert struct.unpack("<I", data[40:44]) == (15_999,)
    assert read_audio(data.rstrip(b"\0")[: 44 + 15_999] + b"LIST\x04\0\0\0INFO").seconds == 15_999 / RATE


@pytest.mark.parametrize("count", [0, 10, 50])
def test_an_mp3_is_read_to_its_end_whatever_its_xing_header_counts(count: int) -> None:
    data = file_of("MP3", None)
    place = data.index(b"Xing") + 8
    assert read_audio(with_bytes(data, place, struct.pack(">I", count))).seconds == pytest.approx(3, abs=0.1)
    assert "cut short" in refusal(with_bytes(data, place, struct.pack(">I", 500)))


def test_an_mp3_of_changing_bit_rate_needs_no_xing_header() -> None:
    samples = np.concatenate([np.zeros(5 * RATE, dtype=np.float32), tone(10.0)])
    data = encoded(samples, file="MP3")
    frame = 144  # bytes of its first frame, at 32 kbit/s and 16 kHz
    start = data.index(data[:2], 20)
    assert start <= 4 * frame
    assert read_audio(data[start:]).seconds == pytest.approx(15.0, abs=0.1)


def test_tags_around_an_mp3_are_no_sound(capfd: pytest.CaptureFixture[str]) -> None:
    id3v2 = b"ID3\x04\0\0\0\0\x01\x00" + bytes(128)
    ape = b"APETAGEX" + struct.pack("<IIII", 2000, 32, 0, 0) + bytes(8)
    data = id3v2 + file_of("MP3", None) + ape + b"TAG" + bytes(125)
    assert read_audio(data + data).seconds == pytest.approx(6.0, abs=0.1)
    assert capfd.readouterr().err == ""


def test_a_flac_is_read_to_its_end_whatever_its_header_counts() -> None:
    data = file_of("FLAC", None)
    short = with_bytes(data, 21, bytes([data[21] & 0xF0]) + struct.pack(">I", RATE))
    assert read_audio(short).seconds == 3.0
    long = with_bytes(data, 21, bytes([data[21] & 0xF0]) + struct.pack(">I", 4 * RATE))
    assert "is cut short: 3.00 of 4.00 s" in refusal(long)


# Damaged


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
def test_a_damaged_or_lost_ogg_page_is_refused(subtype: str) -> None:
    data = encoded(np.random.default_rng(0).uniform(-0.5, 0.5, 10 * RATE), file="OGG", subtype=subtype)
    pages = [place for place in range(len(data)) if data.startswith(b"OggS", place)]
    assert len(pages) >= 5
    middle, after = pages[3], pages[4]
    assert "does not match its checksum" in refusal(with_bytes(data, middle + 200, b"\x00\x01\x02"))
    assert "are lost" in refusal(data[:middle] + data[after:])
    assert "no Ogg page" in refusal(with_bytes(data, middle, b"XXXX"))


def test_a_hole_in_an_mp3_is_refused() -> None:
    data = file_of("MP3", None, 30.0)
    data = data[data.index(data[:2], 20) :]  # without its Xing frame, which would tell
    middle = len(data) // 2
    assert "is damaged" in refusal(data[:middle] + bytes(3000) + data[middle + 3000 :])


# What headers tell


@pytest.mark.parametrize(("file", "subtype"), SNDFILE)
def test_the_length_is_told_without_decoding(file: str, subtype: str | None) -> None:
    stereo = np.repeat(tone(3.0)[:, None], 2, axis=1)
    info = probe_audio(encoded(stereo, file=file, subtype=subtype))
    assert info.seconds == pytest.approx(3.0, abs=0.1)
    assert (info.channels, info.sample_rate) == (2, RATE)
    assert info.format.startswith(file)


def test_probing_counts_every_link_and_leaves_a_stream_where_it_was(tmp_path: Path) -> None:
    path = tmp_path / "clip.ogg"
    path.write_bytes(file_of("OGG", "OPUS", 3.0) + file_of("OGG", "OPUS", 2.0))
    with path.open("rb") as stream:
        assert probe_audio(stream).seconds == pytest.approx(5.0)
        assert stream.tell() == 0


def test_an_unknown_length_is_none() -> None:
    data = file_of("FLAC", None)
    assert probe_audio(with_bytes(data, 21, bytes([data[21] & 0xF0]) + bytes(4))).seconds is None


@pytest.mark.parametrize("source", [5, None, ["clip.wav"]])
def test_what_is_no_source_of_sound_is_refused(source: object) -> None:
    with pytest.raises(AudioError, match="is not audio; give a path"):
        probe_audio(source)  # type: ignore[arg-type]
