"""Which of several channels is taken, and when the caller has to say."""

from __future__ import annotations

import io

import numpy as np
import pytest
from numpy.typing import NDArray
from sounds import RATE, encoded, tone

from voiceprint.audio import read_audio
from voiceprint.errors import ArgumentError, AudioError


def talk(seed: int, seconds: float = 6.0) -> NDArray[np.float32]:
    """Noise that comes and goes as syllables and pauses do."""
    random = np.random.default_rng(seed)
    envelope = np.repeat(random.uniform(0, 1, round(10 * seconds)) ** 3, RATE // 10)
    return (0.3 * envelope * random.standard_normal(len(envelope))).clip(-1, 1).astype(np.float32)


def noise(level: float, seconds: float = 6.0) -> NDArray[np.float32]:
    random = np.random.default_rng(99)
    return (level * random.standard_normal(round(RATE * seconds))).clip(-1, 1).astype(np.float32)


def mixed(*channels: NDArray[np.floating], channel: int | None = None) -> NDArray[np.float32]:
    stacked = np.stack(channels, axis=1)
    from_array = read_audio(stacked, sample_rate=RATE, channel=channel).samples
    from_file = read_audio(encoded(stacked, subtype="FLOAT"), channel=channel).samples
    np.testing.assert_allclose(from_array, from_file, atol=1e-6)
    return from_array


@pytest.mark.parametrize("voice", [talk(1), tone(6.0)], ids=["speech", "tone"])
def test_alike_channels_are_averaged(voice: NDArray[np.float32]) -> None:
    np.testing.assert_allclose(mixed(voice, voice / 2), 0.75 * voice, atol=1e-6)
    np.testing.assert_allclose(mixed(*[voice] * 8), voice, atol=1e-6)


@pytest.mark.parametrize("voice", [talk(1), tone(6.0)], ids=["speech", "tone"])
def test_an_inverted_channel_does_not_silence_the_other(voice: NDArray[np.float32]) -> None:
    np.testing.assert_allclose(mixed(voice, -voice), voice, atol=1e-6)
    np.testing.assert_allclose(mixed(0.5 * voice, -0.9 * voice), -0.9 * voice, atol=1e-6)
    np.testing.assert_allclose(mixed(voice, -voice, voice, -voice), voice, atol=1e-6)


def test_a_dead_channel_does_not_halve_the_other() -> None:
    voice = talk(1)
    np.testing.assert_allclose(mixed(np.zeros_like(voice), voice), voice, atol=1e-6)
    np.testing.assert_allclose(mixed(voice, noise(1e-4)), voice, atol=1e-6)


def test_steady_noise_is_not_taken_for_a_voice_however_loud_it_is() -> None:
    voice = talk(1)
    np.testing.assert_allclose(mixed(noise(0.4), voice), voice, atol=1e-6)


def test_microphones_apart_give_the_louder_one() -> None:
    voice = talk(1)
    late = np.roll(voice, 40)
    np.testing.assert_allclose(mixed(0.5 * late, voice), voice, atol=1e-6)


def test_two_people_are_not_mixed_and_the_message_says_what_to_do() -> None:
    stereo = np.stack([talk(1), 0.8 * talk(2)], axis=1)
    with pytest.raises(AudioError, match=r"different sounds in its channels 1 and 2.*channel=1"):
        read_audio(stereo, sample_rate=RATE)


def test_the_caller_may_say_which_channel() -> None:
    for number, voice in enumerate((talk(1), talk(2)), start=1):
        np.testing.assert_allclose(mixed(talk(1), talk(2), channel=number), voice, atol=1e-6)


@pytest.mark.parametrize("channel", [3, 9])
def test_a_channel_that_there_is_not(channel: int) -> None:
    with pytest.raises(AudioError, match=f"has 2 channels; there is no channel {channel}"):
        read_audio(np.zeros((RATE, 2)), sample_rate=RATE, channel=channel)


def test_a_constant_in_one_channel_says_nothing() -> None:
    voice = talk(1)
    np.testing.assert_allclose(mixed(voice, np.full_like(voice, 0.9)), voice, atol=1e-6)


def test_silence_and_clips_shorter_than_a_frame_are_read() -> None:
    assert read_audio(np.zeros((RATE, 2)), sample_rate=RATE).is_digital_silence
    assert read_audio(np.zeros((1600, 2)), sample_rate=RATE).seconds == 0.1


def test_not_a_number_in_one_channel_is_refused() -> None:
    stereo = np.stack([talk(1), talk(1)], axis=1)
    stereo[7, 1] = np.nan
    with pytest.raises(AudioError, match="NaN"):
        read_audio(io.BytesIO(encoded(stereo, subtype="FLOAT")))


@pytest.mark.parametrize("channel", [0, -1, 1.5])
def test_channels_are_counted_from_one(channel: float) -> None:
    with pytest.raises(ArgumentError, match="channel"):
        read_audio(np.zeros((RATE, 2)), sample_rate=RATE, channel=channel)  # type: ignore[arg-type]
