"""Fingerprints: by which a recording is known again, encoded anew, cut, over a telephone, a little faster.

What is looked at is how the spectrum moves. Patches of 0.1 s of speech, as levels of 24 bands from 300 to
3400 Hz, go through a cosine transform in both directions; of each coefficient only the sign is stored. Signs
survive gain, filters, codecs and some noise. Two takes of a sentence never move alike for long.

Beside the signs stands the pitch. Where the signs leave a doubt, as after a codec at 6 kbit/s, it decides: a
replay has the very pitch of the recording, moment by moment; another take hardly ever has it.

This is the scheme of Haitsma and Kalker (A highly robust audio fingerprinting system, ISMIR 2002) with other
patches. Compared are all alignments: on each of them, the longest agreement counts (Kadane's algorithm), so
that a part of a recording is found in the whole and the other way round.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from voiceprint.audio.pitch import pitch_of
from voiceprint.audio.vad import Segment
from voiceprint.audio.waveform import SAMPLE_RATE

SAME_RECORDING = 1.0
"""Likeness from which on two recordings are one."""

# Chosen on 4768 pairs of takes of one word (docs/explanation/spoofing.md).
_ENOUGH = 2.8  # patches by which agreement in one stretch exceeds what is demanded
_LEAST, _NEARLY_ALL = 1.2, 0.76  # or so many, where they are nearly all of a short recording
# Where the pitch is one, less agreement does; chosen in docs/development/experiments.md.
_LOOSELY = 0.5  # agreement that is demanded then
_ENOUGH_LOOSELY, _SHARE_LOOSELY = 4.0, 0.28  # patches beyond it, and their share of all that could be
_VOICED, _ONE_PITCH = 14, 0.5  # patches with a pitch in both, and how many of them have the same one
_PITCH_STEPS = 1  # by which one pitch may differ

_HOP = SAMPLE_RATE // 100  # samples between frames: 10 ms
_WINDOW = 512  # samples of a frame
_BANDS, _LOW, _HIGH = 24, 300.0, 3400.0  # Hz: what a telephone passes
_FLOOR = 1e-3  # of the mean level: what is 30 dB below it says nothing
_PATCH = 10  # frames
_ACROSS = range(8)  # orders of the transform over the bands
_ALONG = range(1, 4)  # and over time; order 0 is what does not move, such as hum
_SIGNS = len(_ACROSS) * len(_ALONG)
_STRIDE = 4  # frames between patches whose signs are stored
_SPEEDS = (0.98, 0.99, 1.0, 1.01, 1.02)
_STILL = 1.0  # size of coefficients that hum and rounding have; those of speech are 3 and more
_LOUDEST = 1.5  # of the root mean square of a coefficient: more of it weighs no more
_NEAR = 1.5  # patches that agree roughly, at the same speed, below which no more is tried
_EXCERPTS, _EXCERPT = 5, 300  # of a recording that is longer, so many pieces of 3 s are compared
_DEMANDED, _ROUGHLY = 0.68, 0.45  # agreement, from -1 to 1, below which frames speak against a match
_APART = -1e6  # between two fingerprints, where no agreement passes
_LONGEST_PAUSE = 25  # patches (1 s): over a longer one, agreement is not added up

_RUN = struct.Struct("<II")
"""Of a stretch of a fingerprint: where it begins, and how many patches it has."""

_PITCHED = 1 << 31
"""Added to that number: behind the signs stands the pitch of each patch. Older fingerprints have none."""

_MIDDLE = _PATCH // 2 - 1
"""The frame of a patch whose pitch is that of the patch."""

_Levels = NDArray[np.float32]
_Pitch = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SoundTrace:
    """How the spectrum of a recording moves where somebody speaks.

    Attributes
    ----------
    pieces : tuple of (int, ndarray of float32, shape (frames, 24), ndarray of uint8, shape (frames,))
        Of each stretch of speech its first frame, log levels of the bands each 10 ms, and the pitch.
    """

    pieces: tuple[tuple[int, _Levels, _Pitch], ...] = field(repr=False)

    def fingerprint(self) -> bytes:
        """Return what is stored each 40 ms: 24 signs, which hold no levels or phases, and the pitch."""
        parts = []
        for first, levels, pitch in self.pieces:
            late = -first % _STRIDE
            signs = _coefficients(levels[late:])[::_STRIDE] >= 0.0
            if len(signs):
                parts += [
                    _RUN.pack((first + late) // _STRIDE, len(signs) | _PITCHED),
                    np.packbits(signs, axis=1).tobytes(),
                    pitch[late + _MIDDLE :: _STRIDE][: len(signs)].tobytes(),
                ]
        return b"".join(parts)

    def likeness(self, fingerprints: Sequence[bytes]) -> NDArray[np.float64]:
        """Compare with stored fingerprints.

        Parameters
        ----------
        fingerprints : sequence of bytes, n of them

        Returns
        -------
        ndarray of float64, shape (n,)
            How far they agree in one stretch, at least 0; one recording from `SAME_RECORDING` on.

        Raises
        ------
        ValueError
            If one of them is no fingerprint.
        """
        some = self._excerpts()
        agreeing = some._agreement(fingerprints, speeds=(1.0,), phases=(0, 2), demanded=_ROUGHLY)
        near = agreeing >= _NEAR
        nearer = [known for known, chosen in zip(fingerprints, near.tolist(), strict=True) if chosen]
        agreeing[~near] = 0.0
        agreeing[near] = some._agreement(nearer, speeds=_SPEEDS, phases=range(_STRIDE), demanded=_DEMANDED)
        most = some._most(_DEMANDED)
        nearly_all = np.minimum(agreeing / _LEAST, agreeing / (most * _NEARLY_ALL))
        found = np.maximum(agreeing / _ENOUGH, nearly_all)
        doubtful = near & (found < SAME_RECORDING)
        left = [known for known, chosen in zip(fingerprints, doubtful.tolist(), strict=True) if chosen]
        found[doubtful] = np.maximum(found[doubtful], some._likeness_by_pitch(left))
        return found

    def _likeness_by_pitch(self, fingerprints: Sequence[bytes]) -> NDArray[np.float64]:
        """Compare by less agreement, which counts where the pitch of that stretch is one: -> (n,)."""
        agreeing = self._agreement(fingerprints, speeds=(1.0,), phases=range(_STRIDE), demanded=_LOOSELY)
        share = agreeing / self._most(_LOOSELY)
        found = np.minimum(agreeing / _ENOUGH_LOOSELY, share / _SHARE_LOOSELY)
        for place in np.flatnonzero(found >= SAME_RECORDING).tolist():
            if not self._has_pitch_of(fingerprints[place]):
                found[place] = 0.0
        found[found < SAME_RECORDING] = 0.0
        return found

    def _has_pitch_of(self, fingerprint: bytes) -> bool:
        """Whether the pitch is that of a fingerprint, in the stretch where they agree longest."""
        signs, heights = _read(fingerprint)
        rows, columns = _longest_stretch(self._moves(1.0), signs, _LOOSELY)
        ours, theirs = self._pitch()[rows].astype(int), heights[columns].astype(int)
        alike = np.abs(ours - theirs)[(ours > 0) & (theirs > 0)] <= _PITCH_STEPS
        return len(alike) >= _VOICED and float(alike.mean()) >= _ONE_PITCH

    def _most(self, demanded: float) -> float:
        """Return by how many patches agreement could exceed what is demanded."""
        return max(float(np.abs(self._moves(1.0)).sum()) * (1.0 - demanded) / (_SIGNS * _STRIDE), 1e-9)

    def _agreement(
        self,
        fingerprints: Sequence[bytes],
        *,
        speeds: Sequence[float],
        phases: Sequence[int],
        demanded: float,
    ) -> NDArray[np.float64]:
        """Return for how many patches, about, each agrees in one stretch beyond what others do: -> (n,)."""
        signs, owners = _joined(fingerprints)
        best = np.zeros(len(fingerprints) + 1)  # the last is of what is between two
        for speed in speeds if len(signs) else ():
            moves = self._moves(speed)
            for phase in phases:
                np.maximum.at(
                    best, owners, _longest_agreement(moves[phase::_STRIDE], signs, owners, demanded)
                )
        return best[:-1] / _SIGNS

    def _excerpts(self) -> SoundTrace:
        """Return some of it, evenly spread, where it is long: that bounds what a comparison takes."""
        total = sum(len(levels) for _, levels, _ in self.pieces)
        if total <= _EXCERPTS * _EXCERPT:
            return self
        begins = np.linspace(0, total - _EXCERPT, _EXCERPTS).astype(int)
        pieces, passed = [], 0
        for first, levels, pitch in self.pieces:
            for begin in begins - passed:
                start, stop = max(0, int(begin)), min(len(levels), int(begin) + _EXCERPT)
                if stop - start >= _PATCH:
                    pieces.append((first + start, levels[start:stop], pitch[start:stop]))
            passed += len(levels)
        return SoundTrace(pieces=tuple(pieces))

    def _moves(self, speed: float) -> _Levels:
        """Return weighted coefficients (frames, 24) as if played at another speed; 0 in pauses."""
        pieces = [
            (round(first * speed), _coefficients(_stretched(levels, speed)))
            for first, levels, _ in self.pieces
        ]
        pieces = [piece for piece in pieces if len(piece[1])]
        if not pieces:
            return np.zeros((0, _SIGNS), np.float32)
        scale = np.sqrt(np.mean(np.square(np.concatenate([each for _, each in pieces])), axis=0)) + _STILL
        start = pieces[0][0]
        moves = np.zeros((max(first + len(each) for first, each in pieces) - start, _SIGNS), np.float32)
        for first, each in pieces:
            moves[first - start : first - start + len(each)] = np.clip(each / scale, -_LOUDEST, _LOUDEST)
        return moves

    def _pitch(self) -> _Pitch:
        """Return the pitch of each patch of `_moves(1.0)`; 0 in pauses."""
        pieces = [(first, pitch[_MIDDLE:]) for first, levels, pitch in self.pieces if len(levels) >= _PATCH]
        start = pieces[0][0]
        heights = np.zeros(max(first + len(pitch) for first, pitch in pieces) - start, np.uint8)
        for first, pitch in pieces:
            heights[first - start : first - start + len(pitch)] = pitch
        return heights


def trace_of(speech: NDArray[np.float32], stretches: Sequence[Segment]) -> SoundTrace:
    """Analyse the speech of a recording.

    Parameters
    ----------
    speech : ndarray, shape (m,), float32
        Its speech with margins, all stretches joined.
    stretches : sequence of Segment
        Where they lie in the recording.
    """
    analysed, begin = [], 0
    for stretch in stretches:
        late = -stretch.start % _HOP
        length = stretch.stop - stretch.start
        spectrum = _spectrum(speech[begin + late : begin + length])
        begin += length
        if len(spectrum) >= _PATCH:
            analysed.append(((stretch.start + late) // _HOP, spectrum @ _bands(), pitch_of(spectrum)))
    if not analysed:
        return SoundTrace(pieces=())
    mean = float(np.mean(np.concatenate([power for _, power, _ in analysed]))) + 1e-12
    return SoundTrace(
        pieces=tuple(
            (first, np.log(power / mean + _FLOOR).astype(np.float32), pitch)
            for first, power, pitch in analysed
        )
    )


def is_fingerprint(content: bytes) -> bool:
    """Whether bytes are such as `SoundTrace.fingerprint` returns."""
    try:
        _joined([content])
    except ValueError:
        return False
    return True


def _spectrum(samples: NDArray[np.float32]) -> _Levels:
    """Return the power in each bin: samples (n,) -> (frames, 257)."""
    if len(samples) < _WINDOW:
        return np.zeros((0, _WINDOW // 2 + 1), np.float32)
    frames = sliding_window_view(samples, _WINDOW)[::_HOP] * np.hanning(_WINDOW).astype(np.float32)
    spectrum: _Levels = np.square(np.abs(np.fft.rfft(frames, axis=1))).astype(np.float32)
    return spectrum


@cache
def _bands() -> _Levels:
    """Return triangular bands, evenly spaced in mel: (bins, 24)."""
    low, high = (1127.0 * np.log1p(hertz / 700.0) for hertz in (_LOW, _HIGH))
    edges = 700.0 * np.expm1(np.linspace(low, high, _BANDS + 2) / 1127.0)
    hertz = np.arange(_WINDOW // 2 + 1)[:, None] * (SAMPLE_RATE / _WINDOW)
    rising = (hertz - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - hertz) / (edges[2:] - edges[1:-1])
    bands = np.clip(np.minimum(rising, falling), 0.0, None)
    weights: _Levels = (bands / bands.sum(axis=0)).astype(np.float32)
    return weights


@cache
def _cosines() -> tuple[_Levels, _Levels]:
    """Return the transform over bands (24, 8) and over time (10, 3), which is free of what does not move."""
    bands, frames = np.arange(_BANDS) + 0.5, np.arange(_PATCH) + 0.5
    across = np.stack([np.cos(np.pi * order * bands / _BANDS) for order in _ACROSS], axis=1)
    along = np.stack([np.cos(np.pi * order * frames / _PATCH) for order in _ALONG], axis=1)
    along *= np.hanning(_PATCH + 2)[1:-1, None]
    return across.astype(np.float32), (along - along.mean(axis=0)).astype(np.float32)


def _coefficients(levels: _Levels) -> _Levels:
    """Transform each patch: levels (frames, 24) -> (frames - 9, 24)."""
    if len(levels) < _PATCH:
        return np.zeros((0, _SIGNS), np.float32)
    across, along = _cosines()
    patches = sliding_window_view(levels @ across, _PATCH, axis=0)  # (frames - 9, 8, 10)
    coefficients: _Levels = (patches @ along).reshape(len(patches), _SIGNS)
    return coefficients


def _stretched(levels: _Levels, speed: float) -> _Levels:
    """Return levels (frames, 24) of the same sound with its times multiplied by a speed."""
    if speed == 1.0:
        return levels
    times = np.arange(int((len(levels) - 1) * speed) + 1) / speed
    before = np.minimum(times.astype(np.intp), len(levels) - 2)
    share = (times - before)[:, None].astype(np.float32)
    between: _Levels = levels[before] * (1 - share) + levels[before + 1] * share
    return between


def _joined(fingerprints: Sequence[bytes]) -> tuple[_Levels, NDArray[np.intp]]:
    """Return the signs (patches, 24) of fingerprints one after the other, and whose each is; -1: between two.

    Raises
    ------
    ValueError
        If one of them is no fingerprint.
    """
    rows, owners = [np.zeros((0, _SIGNS), np.float32)], [np.zeros(0, np.intp)]
    for owner, content in enumerate(fingerprints):
        signs, _ = _read(content)
        rows += [signs, np.zeros((1, _SIGNS), np.float32)]
        owners += [np.full(len(signs), owner), np.full(1, -1)]
    return np.concatenate(rows), np.concatenate(owners)


def _read(content: bytes) -> tuple[_Levels, _Pitch]:
    """Read a fingerprint.

    Returns
    -------
    ndarray of float32, shape (patches, 24)
        The signs, 1 and -1, and 0 in its pauses, of which long ones are shortened.
    ndarray of uint8, shape (patches,)
        The pitch; 0 in pauses, where nothing is voiced, and where an older fingerprint does not tell it.
    """
    rows, heights = [np.zeros((0, _SIGNS), np.float32)], [np.zeros(0, np.uint8)]
    begin, end = 0, None
    while begin < len(content):
        if begin + _RUN.size > len(content):
            raise ValueError("a fingerprint is cut off")
        first, length = _RUN.unpack_from(content, begin)
        pitched, length = length & _PITCHED, length & ~_PITCHED
        begin += _RUN.size
        middle = begin + length * _SIGNS // 8
        stop = middle + length if pitched else middle
        if stop > len(content) or not length or (end is not None and first < end):
            raise ValueError("a fingerprint is not what it should be")
        packed = np.frombuffer(content[begin:middle], np.uint8).reshape(length, _SIGNS // 8)
        pause = 0 if end is None else min(first - end, _LONGEST_PAUSE)
        rows += [
            np.zeros((pause, _SIGNS), np.float32),
            np.unpackbits(packed, axis=1) * np.float32(2) - np.float32(1),
        ]
        pitch = np.frombuffer(content[middle:stop], np.uint8) if pitched else np.zeros(length, np.uint8)
        heights += [np.zeros(pause, np.uint8), pitch]
        begin, end = stop, first + length
    return np.concatenate(rows), np.concatenate(heights)


def _gains(moves: _Levels, signs: _Levels, demanded: float) -> _Levels:
    """Return by how much each patch agrees with each beyond what is demanded: -> (len(moves), len(signs))."""
    gains = moves @ signs.T
    gains -= demanded * np.abs(moves).sum(axis=1)[:, None] * signs.any(axis=1)
    return gains


def _longest_agreement(moves: _Levels, signs: _Levels, owners: NDArray[np.intp], demanded: float) -> _Levels:
    """Return the best sum of agreement that ends at each patch, over all alignments: -> (patches,)."""
    gains = _gains(moves, signs, demanded)
    gains[:, owners < 0] = _APART
    running = np.zeros(len(signs) + 1, np.float32)
    best = np.zeros(len(signs), np.float32)
    for gain in gains:
        running[1:] = np.maximum(running[:-1] + gain, 0.0)
        np.maximum(best, running[1:], out=best)
    return best


def _longest_stretch(
    moves: _Levels, signs: _Levels, demanded: float
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return which patches of both agree in the best stretch: rows of moves, and as many of signs."""
    best, rows, columns = np.float32(0.0), np.zeros(0, np.intp), np.zeros(0, np.intp)
    for phase in range(_STRIDE):
        running, begun = np.zeros(len(signs) + 1, np.float32), np.zeros(len(signs) + 1, np.intp)
        for step, gain in enumerate(_gains(moves[phase::_STRIDE], signs, demanded)):
            begun[1:] = np.where(running[:-1] > 0.0, begun[:-1], step)
            running[1:] = np.maximum(running[:-1] + gain, 0.0)
            last = int(running.argmax())
            if running[last] > best:
                steps = np.arange(begun[last], step + 1)
                best, rows, columns = running[last], phase + _STRIDE * steps, last - 1 - step + steps
    return rows, columns
