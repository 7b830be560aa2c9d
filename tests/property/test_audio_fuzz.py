"""Whatever bytes come in: finite samples, or an AudioError on one line, soon."""

from __future__ import annotations

import io
import time

import numpy as np
import soundfile as sf
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from voiceprint.audio import SAMPLE_RATE, read_audio
from voiceprint.errors import AudioError

MAX_SECONDS = 30.0
LIMIT = 5.0  # seconds for one input, far above what any takes


def encoded(file: str, subtype: str | None = None) -> bytes:
    samples = 0.3 * np.random.default_rng(0).standard_normal(SAMPLE_RATE // 2)
    buffer = io.BytesIO()
    sf.write(buffer, samples.clip(-1, 1), SAMPLE_RATE, format=file, subtype=subtype)
    return buffer.getvalue()


FILES = [
    encoded("WAV"),
    encoded("WAV", "FLOAT"),
    encoded("WAV", "IMA_ADPCM"),
    encoded("AIFF"),
    encoded("AU"),
    encoded("CAF"),
    encoded("W64"),
    encoded("FLAC"),
    encoded("OGG", "VORBIS"),
    encoded("OGG", "OPUS"),
    encoded("MP3"),
]
MAGIC = [data[:size] for data in FILES for size in (4, 12, 44)]

fuzz = settings(
    max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.data_too_large]
)


def is_read_or_refused(data: bytes) -> None:
    begin = time.process_time()
    try:
        waveform = read_audio(data, max_seconds=MAX_SECONDS)
    except AudioError as error:
        assert str(error).isprintable()
    else:
        assert waveform.samples.dtype == np.float32
        assert waveform.samples.ndim == 1
        assert 0.1 <= waveform.seconds <= MAX_SECONDS + 0.01
        assert np.abs(waveform.samples).max() <= 1.0  # False for NaN as well
    assert time.process_time() - begin < LIMIT


@fuzz
@given(st.binary(max_size=4096))
@example(b"\xff\xfb\x90\x64")
def test_random_bytes(data: bytes) -> None:
    is_read_or_refused(data)


@fuzz
@given(st.sampled_from(MAGIC), st.binary(max_size=4096))
def test_random_bytes_after_a_familiar_beginning(magic: bytes, data: bytes) -> None:
    is_read_or_refused(magic + data)


@fuzz
@given(st.sampled_from(FILES), st.floats(0, 1))
def test_cut_anywhere(data: bytes, fraction: float) -> None:
    is_read_or_refused(data[: round(len(data) * fraction)])


@fuzz
@given(
    st.sampled_from(FILES),
    st.lists(st.tuples(st.integers(0, 127), st.integers(0, 255)), min_size=1, max_size=6),
)
def test_changed_headers(data: bytes, changes: list[tuple[int, int]]) -> None:
    changed = bytearray(data)
    for place, value in changes:
        changed[place] = value
    is_read_or_refused(bytes(changed))


@fuzz
@given(
    st.sampled_from(FILES), st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=20)
)
def test_changed_anywhere(data: bytes, changes: list[tuple[float, int]]) -> None:
    changed = bytearray(data)
    for fraction, value in changes:
        changed[int(fraction * (len(data) - 1))] = value
    is_read_or_refused(bytes(changed))
