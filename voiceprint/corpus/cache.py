"""Decoded audio on disk, so that reading a crop is a copy and an epoch never waits for a decoder.

Per corpus two files: ``<fingerprint>.i16``, all utterances one after another as 16 kHz int16, and
``<fingerprint>.npz``, where each begins. The index is written last, so a cache is whole or is not there.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain, groupby
from pathlib import Path
from typing import BinaryIO
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from voiceprint.audio import SAMPLE_RATE, read_audio
from voiceprint.corpus.manifest import Corpus, Utterance
from voiceprint.errors import AudioError, CorpusError

Progress = Callable[[int, int], None]
"""Is told how many are done, and how many there are."""

MAX_UNREADABLE = 0.01
_FILES_AHEAD = 16  # decoded and not yet written, per worker: bounds the memory


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """An utterance whose audio cannot be used, and why."""

    utterance: Utterance
    reason: str


class AudioCache:
    """The samples of a corpus, memory-mapped; opened with `build` or `open`.

    Attributes
    ----------
    corpus : Corpus
        The utterances that could be read; indices refer to it.
    unreadable : tuple of Unreadable
        The utterances that could not be, with the reasons.
    lengths : NDArray of int64 (n,)
        Samples of each utterance.
    """

    def __init__(self, *, asked: Corpus, audio: Path, index: Path) -> None:
        self._asked, self._audio, self._index = asked, audio, index
        offsets, readable, reasons = _read_index(index, asked)
        _check_size(audio, int(offsets[-1]))
        self.corpus = Corpus(u for u, good in zip(asked, readable, strict=True) if good)
        bad = (u for u, good in zip(asked, readable, strict=True) if not good)
        self.unreadable = tuple(
            Unreadable(utterance=u, reason=reason) for u, reason in zip(bad, reasons, strict=True)
        )
        self.lengths: NDArray[np.int64] = np.diff(offsets)
        self._offsets = offsets
        self._samples = np.memmap(audio, dtype="<i2", mode="r")

    def __len__(self) -> int:
        return len(self.corpus)

    def __reduce__(self) -> tuple[Callable[..., AudioCache], tuple[Corpus, Path]]:
        # A pickled memmap would carry every sample; other processes map the file themselves.
        return AudioCache.open, (self._asked, self._audio.parent)

    @classmethod
    def open(cls, corpus: Corpus, folder: str | os.PathLike[str]) -> AudioCache:
        """Open a cache that `build` made.

        Raises
        ------
        CorpusError
            If the folder holds none for this corpus, or a damaged one.
        """
        audio, index = _files(corpus, Path(folder))
        if not index.exists():
            raise CorpusError(f"{folder}: holds no decoded audio of this corpus ({corpus!r})")
        return cls(asked=corpus, audio=audio, index=index)

    @classmethod
    def build(
        cls,
        corpus: Corpus,
        folder: str | os.PathLike[str],
        *,
        workers: int = 1,
        max_unreadable: float = MAX_UNREADABLE,
        progress: Progress | None = None,
    ) -> AudioCache:
        """Decode a corpus, or open what was decoded before.

        Parameters
        ----------
        corpus : Corpus
            What to decode.
        folder : path
            Where the files go; several corpora may share a folder.
        workers : int
            Threads that decode.
        max_unreadable : float
            The fraction of unreadable utterances above which the corpus is refused.
        progress : callable, optional
            Called with (done, total) after every utterance.

        Raises
        ------
        CorpusError
            If too many utterances cannot be read, or the files cannot be written.
        """
        place = Path(folder)
        audio, index = _files(corpus, place)
        if not index.exists():
            try:
                place.mkdir(parents=True, exist_ok=True)
                _write(
                    corpus, audio, index, workers=workers, max_unreadable=max_unreadable, progress=progress
                )
            except OSError as error:
                raise CorpusError(f"{place}: decoded audio cannot be written: {error.strerror}") from error
        return cls(asked=corpus, audio=audio, index=index)

    def read(self, index: int, start: int = 0, stop: int | None = None) -> NDArray[np.int16]:
        """Copy out samples of one utterance.

        Parameters
        ----------
        index : int
            Which utterance of ``corpus``.
        start, stop : int
            Samples within it, 0 <= start < stop <= its length; the whole utterance where left out.

        Returns
        -------
        NDArray of int16 (stop - start,)
        """
        length = int(self.lengths[index])
        stop = length if stop is None else stop
        if not 0 <= start < stop <= length:
            raise ValueError(
                f"samples {start} to {stop} are not within utterance {index} of {length} samples"
            )
        begin = int(self._offsets[index])
        return np.array(self._samples[begin + start : begin + stop])


def read_utterances(utterances: Sequence[Utterance]) -> Iterator[NDArray[np.float32] | Unreadable]:
    """Decode utterances in order; consecutive stretches of one file decode it once.

    Yields
    ------
    NDArray of float32 (n,) at 16 kHz, or Unreadable
        One for each utterance.
    """
    for path, of_file in groupby(utterances, key=lambda u: u.path):
        try:
            samples = read_audio(path).samples
        except AudioError as error:
            yield from (Unreadable(utterance=u, reason=str(error)) for u in of_file)
            continue
        yield from (_stretch(samples, u) for u in of_file)


def require_readable(
    unreadable: Sequence[Unreadable],
    *,
    total: int,
    limit: float = MAX_UNREADABLE,
    what: str = "utterances",
) -> None:
    """Raise CorpusError where more than the fraction `limit` of `total` utterances cannot be read."""
    if len(unreadable) > limit * total:
        first = "; ".join(bad.reason for bad in unreadable[:3])
        raise CorpusError(
            f"{len(unreadable)} of {total} {what} cannot be read, more than {limit:.0%}: {first}"
        )


def _stretch(samples: NDArray[np.float32], utterance: Utterance) -> NDArray[np.float32] | Unreadable:
    start = round((utterance.start or 0.0) * SAMPLE_RATE)
    stop = len(samples) if utterance.stop is None else round(utterance.stop * SAMPLE_RATE)
    stretch = samples[start:stop]
    if stretch.size == 0:
        return Unreadable(
            utterance=utterance,
            reason=f"{utterance.path}: holds nothing from {utterance.start} to {utterance.stop} s "
            f"(utterance {utterance.id!r}); it is {len(samples) / SAMPLE_RATE:.2f} s long",
        )
    # A copy, for a view would keep the whole recording in memory as long as its shortest stretch.
    return stretch if stretch.size == samples.size else stretch.copy()


def _files(corpus: Corpus, folder: Path) -> tuple[Path, Path]:
    stem = corpus.fingerprint[:24]
    return folder / f"{stem}.i16", folder / f"{stem}.npz"


def _write(
    corpus: Corpus,
    audio: Path,
    index: Path,
    *,
    workers: int,
    max_unreadable: float,
    progress: Progress | None,
) -> None:
    partial = audio.with_name(f"{audio.name}.partial-{os.getpid()}")
    partial_index = index.with_name(f"{index.name}.partial-{os.getpid()}")
    try:
        with partial.open("wb") as stream:
            lengths, unreadable = _write_samples(corpus, stream, workers=workers, progress=progress)
            stream.flush()
            os.fsync(stream.fileno())
        require_readable(unreadable, total=len(corpus), limit=max_unreadable)
        bad = {u.utterance for u in unreadable}
        with partial_index.open("wb") as stream:
            np.savez(
                stream,
                fingerprint=np.array(corpus.fingerprint),
                offsets=np.cumsum([0, *lengths], dtype=np.int64),
                readable=np.array([u not in bad for u in corpus]),
                reasons=np.array([u.reason for u in unreadable], dtype=np.str_),
            )
        partial.replace(audio)
        partial_index.replace(index)
    finally:
        partial.unlink(missing_ok=True)
        partial_index.unlink(missing_ok=True)


def _write_samples(
    corpus: Corpus, stream: BinaryIO, *, workers: int, progress: Progress | None
) -> tuple[list[int], list[Unreadable]]:
    lengths: list[int] = []
    unreadable: list[Unreadable] = []
    for done, clip in enumerate(_decode(corpus, workers), start=1):
        if isinstance(clip, Unreadable):
            unreadable.append(clip)
        else:
            lengths.append(len(clip))
            stream.write(_to_int16(clip).data)
        if progress is not None:
            progress(done, len(corpus))
    return lengths, unreadable


def _decode(corpus: Corpus, workers: int) -> Iterator[NDArray[np.float32] | Unreadable]:
    files = [list(of_file) for _, of_file in groupby(corpus, key=lambda u: u.path)]
    ahead = _FILES_AHEAD * workers
    with ThreadPoolExecutor(workers) as pool:
        for begin in range(0, len(files), ahead):
            decoded: Iterable[list[NDArray[np.float32] | Unreadable]] = pool.map(
                lambda of_file: list(read_utterances(of_file)), files[begin : begin + ahead]
            )
            yield from chain.from_iterable(decoded)


def _to_int16(samples: NDArray[np.float32]) -> NDArray[np.int16]:
    # Scaled by 32768, as decoders scale, so that 16-bit audio comes back bit for bit.
    scaled: NDArray[np.int16] = np.clip(np.rint(samples * 32768.0), -32768, 32767).astype("<i2")
    return scaled


def _read_index(path: Path, corpus: Corpus) -> tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.str_]]:
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
            found, offsets = str(arrays["fingerprint"]), arrays["offsets"]
            readable, reasons = arrays["readable"], arrays["reasons"]
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
        raise CorpusError(
            f"{path}: the index of decoded audio is damaged; delete it to decode again"
        ) from error
    if found != corpus.fingerprint or len(readable) != len(corpus) or len(offsets) != readable.sum() + 1:
        raise CorpusError(f"{path}: is the index of another corpus; delete it to decode again")
    return offsets, readable, reasons


def _check_size(audio: Path, samples: int) -> None:
    size = audio.stat().st_size if audio.exists() else 0
    if size != 2 * samples:
        raise CorpusError(
            f"{audio}: has {size} bytes where its index says {2 * samples}; "
            f"delete {audio.with_suffix('.npz').name} to decode again"
        )
