"""Mutated audio of every format: read as it should be or refused, soon, and nobody else is accepted."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import soundfile as sf
from numpy.typing import NDArray

from benchmarks.campaign.core import Attempt, BrokenPromiseError, Case
from benchmarks.campaign.mutation import mutate_bytes
from benchmarks.campaign.worker import Worker
from benchmarks.campaign.world import IMPOSTOR, VICTIM, World
from voiceprint import Verifier
from voiceprint.audio import read_audio
from voiceprint.errors import AudioError

MOST_SECONDS = 20.0
"""Processor time that a clip of a few seconds may take, on a slow machine."""

_MUST_READ = ("AIFF", "AU", "CAF", "FLAC", "MP3", "OGG", "W64", "WAV", "WAVEX")
"""Formats that people have; others may be refused."""

_EITHER_RATE = (8000, 16000, 48000)  # Opus takes a few rates only; so everything is written in one of these


@contextmanager
def sounds(world: World, folder: Path) -> Iterator[Attempt]:
    """Lend the attack on the reading of audio, with a voice that must not be accepted."""
    store = world.copy_store(folder)
    with Worker(_open, str(store)) as worker:

        def attempt(case: Case) -> str:
            draw = case.generator()
            data, name, seconds = _layout(draw, world)
            if draw.random() < 0.8:
                data, how = mutate_bytes(data, draw)
                name, seconds = f"{name}, {how}", None
            file = case.folder / "clip"
            file.write_bytes(data)
            return worker.call(_listen, str(file), name, seconds)

        yield attempt


_VERIFIER: list[Verifier] = []


def _open(store: str) -> None:
    _VERIFIER[:] = [Verifier(store, max_seconds=60.0)]


def _listen(file: str, what: str, seconds: float | None) -> str:
    """Claim to be the victim with a clip of the impostor; `seconds`: how long it must be, if it is sound."""
    begin = time.process_time()
    try:
        clip = read_audio(file, max_seconds=60.0)
        verdict = _VERIFIER[0].verify(VICTIM, clip)
    except AudioError as error:
        if not str(error).isprintable():
            raise BrokenPromiseError(f"an error that a terminal cannot show: {error!r}, {what}") from None
        if seconds is not None and what.split(maxsplit=1)[0] in _MUST_READ:
            raise BrokenPromiseError(f"sound, and refused: {what}: {error}") from None
        return "refused"
    finally:
        if time.process_time() - begin > MOST_SECONDS:
            raise BrokenPromiseError(f"slow: {time.process_time() - begin:.0f} s, {what}")
    samples = clip.samples
    if not (np.abs(samples).max(initial=0.0) <= 1.0):  # NaN is not either
        raise BrokenPromiseError(f"samples outside [-1, 1]: {what}")
    if seconds is not None and abs(clip.seconds - seconds) > 0.3 + 0.02 * seconds:
        raise BrokenPromiseError(f"not all of it is read: {clip.seconds:.2f} s of {seconds:.2f} s, {what}")
    if seconds is not None and verdict.decision == "not_enough_speech":
        raise BrokenPromiseError(f"no speech is detected in what is speech: {what}")
    if verdict.accepted:
        raise BrokenPromiseError(f"the impostor is accepted: score {verdict.score:.3f}, {what}")
    return verdict.decision.replace("_", " ")


def _layout(draw: np.random.Generator, world: World) -> tuple[bytes, str, float | None]:
    """Return a file of the impostor's voice in some format, what it is, and how many seconds it holds."""
    samples, rate = sf.read(world.clip(IMPOSTOR, int(draw.integers(6))), dtype="float32")
    kind, subtype = _FORMATS[int(draw.integers(len(_FORMATS)))]
    new_rate = int(draw.choice(_EITHER_RATE))
    samples = np.interp(np.arange(0, len(samples), rate / new_rate), np.arange(len(samples)), samples)
    channels, how = _channels(samples, draw)
    data, seconds = _encoded(channels, new_rate, kind, subtype), len(samples) / new_rate
    name = f"{kind} {subtype} {new_rate} Hz, {how}"
    trick = draw.random()
    if trick < 0.2 and kind in ("OGG", "MP3"):
        return data + data, f"{name}, twice in a row", 2 * seconds
    if trick < 0.4 and kind == "WAV":
        place = data.index(b"data") + 4
        size = bytes(4) if draw.random() < 0.5 else b"\xff" * 4
        return data[:place] + size + data[place + 4 :], f"{name}, streamed", seconds
    return data, name, seconds


def _channels(samples: NDArray[Any], draw: np.random.Generator) -> tuple[NDArray[Any], str]:
    silent = np.zeros_like(samples)
    kinds = {
        "mono": samples,
        "stereo": np.stack([samples, samples], axis=1),
        "left only": np.stack([samples, silent], axis=1),
        "right only": np.stack([silent, samples], axis=1),
        "inverted": np.stack([samples, -samples], axis=1),
    }
    name = list(kinds)[int(draw.integers(len(kinds)))]
    return kinds[name], name


def _encoded(samples: NDArray[Any], rate: int, kind: str, subtype: str) -> bytes:
    buffer = io.BytesIO()
    sf.write(buffer, samples, rate, format=kind, subtype=subtype)
    return buffer.getvalue()


def _formats() -> list[tuple[str, str]]:
    """List the formats that can be written here, each with every coding of it."""
    found = []
    trial = np.zeros((4800, 2), dtype=np.float32)
    # SD2 keeps its header in a second file, which libsndfile writes as `._` into the working directory.
    # With that file there it takes every MP3 for an SD2.
    for kind in sorted(set(sf.available_formats()) - {"RAW", "SD2"}):
        # libsndfile writes packets of ALAC_20 at times that neither it nor FFmpeg can read.
        for subtype in sorted(set(sf.available_subtypes(kind)) - {"ALAC_20"}):
            try:
                for rate in _EITHER_RATE:
                    _encoded(trial, rate, kind, subtype)
            except (sf.LibsndfileError, ValueError):
                continue
            found.append((kind, subtype))
    return found


_FORMATS = _formats()
