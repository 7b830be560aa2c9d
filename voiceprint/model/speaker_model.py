"""SpeakerModel: opens a model folder and turns waveforms into unit-length embeddings.

The encoder is one ONNX file, waveform in and embedding out, run by onnxruntime; reference/model-folder.md.
"""

from __future__ import annotations

import hashlib
import math
import os
import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voiceprint.arguments import check_count
from voiceprint.audio import SAMPLE_RATE
from voiceprint.audio.clips import ClipSource, as_waveform, is_one_clip, list_clips
from voiceprint.calibration import Decider
from voiceprint.errors import AudioError, ModelError
from voiceprint.model.card import (
    CARD_FILE,
    ENCODER_FILE,
    ModelCard,
    read_model_card,
)
from voiceprint.model.cohort import read_cohort
from voiceprint.model.registry import resolve_model
from voiceprint.onnx_runtime import open_session, runtime_errors
from voiceprint.scoring import centroid

MIN_SAMPLES = SAMPLE_RATE // 10
"""Shortest waveform that is embedded: 0.1 s."""

MAX_WINDOW = 30 * SAMPLE_RATE
"""Longest stretch that meets the encoder at once; longer waveforms are cut into equal windows."""

# A batch holds at most two full windows' worth of samples, so that memory stays bounded whatever is asked.
_BATCH_SAMPLES = 2 * MAX_WINDOW
_BATCH_CLIPS = 32


class SpeakerModel:
    """A speaker encoder: waveforms to embeddings.

    Use :meth:`open`. The runtime is loaded at the first :meth:`embed`, so that opening a model to ask for its
    card or id stays cheap.

    Examples
    --------
    >>> model = SpeakerModel.open()
    >>> model.embed(["ada-1.wav", "ada-2.wav"]).shape
    (2, 192)
    """

    def __init__(self, folder: Path, card: ModelCard, encoder: bytes, *, threads: int = 1) -> None:
        self.folder = folder
        self.card = card
        self.threads = threads
        self._encoder = encoder
        self._loaded: Any = None
        self._loading = threading.Lock()

    @classmethod
    def open(cls, path: str | os.PathLike[str] | None = None, *, threads: int = 1) -> SpeakerModel:
        """Open a model folder and check that its encoder is the one its card describes.

        Parameters
        ----------
        path : path, optional
            The model folder, the name of a registered model, or ``default`` for the one that comes with the
            package; where left out, the one that `voiceprint models use` chose, else the packaged one.
        threads : int
            Threads that one embedding may use. One is fastest for short clips and leaves the other cores to
            other processes.

        Raises
        ------
        ModelError
            If the folder is missing or damaged.

        Examples
        --------
        >>> from voiceprint import SpeakerModel
        >>> SpeakerModel.open("default").dim
        192
        """
        check_count("threads", threads)
        folder = resolve_model(path)
        card = read_model_card(folder)
        return cls(folder, card, _read_encoder(folder, card), threads=threads)

    def __repr__(self) -> str:
        return f"<SpeakerModel {self.card.title}, {self.dim} dimensions, {self.folder}>"

    @property
    def id(self) -> str:
        """The sha256 of encoder.onnx.

        Examples
        --------
        >>> len(model.id)
        64
        """
        return self.card.id

    @property
    def dim(self) -> int:
        """Length of an embedding.

        Examples
        --------
        >>> model.embed([clip]).shape == (1, model.dim)
        True
        """
        return self.card.dim

    @cached_property
    def cohort(self) -> NDArray[np.float32] | None:
        """Voices of nobody in particular (n, dim), rivals in a search; None where the model has none."""
        return read_cohort(self.folder, self.card)

    def decider(self, *, shift: float = 0.0) -> Decider:
        """Return what turns this model's scores into verdicts, with the shift of a store's tuning.

        Parameters
        ----------
        shift : float
            Added to every threshold of the card; `StoreTuning.shift`.

        Examples
        --------
        >>> from voiceprint.calibration import TrialShape
        >>> shape = TrialShape(n_enroll=3, seconds=3.0)
        >>> stricter = model.decider(shift=0.1).thresholds(shape) - model.decider().thresholds(shape)
        >>> f"{float(stricter):.1f}"
        '0.1'
        """
        return Decider(
            calibration=self.card.calibration,
            default=self.card.decision,
            shift=shift,
            model=str(self.folder),
            open_set=self.card.open_set,
            cohort=self.cohort,
        )

    def embed(
        self,
        clips: ClipSource | Iterable[ClipSource],
        *,
        sample_rate: int = SAMPLE_RATE,
        channel: int | None = None,
    ) -> NDArray[np.float32]:
        """Embed a clip or several, whole, with the pauses in them.

        Each embedding is the same alone and in any company. Clips longer than 30 s are cut into equal windows
        of at most 30 s, whose embeddings are averaged. Ones shorter than the encoder's shortest input are
        repeated up to it. (`Verifier` embeds only the speech of a clip.)

        Parameters
        ----------
        clips : clip or iterable of clips
            Paths, bytes, file objects, Waveforms, or arrays as `read_audio` takes them: floats in [-1, 1] or
            integers. Several arrays come in a list; their lengths may differ.
        sample_rate : int
            Of the arrays, in Hz.
        channel : int, optional
            Which channel to take, from 1 on, of clips that hold another voice in each.

        Returns
        -------
        ndarray, float32, of shape (dim,) for one clip and (n, dim) for several
            Of unit length.

        Raises
        ------
        ArgumentError
            If the list holds numbers instead of clips.
        AudioError
            If a clip cannot be read, is shorter than 0.1 s, not finite, or digital silence.
        ModelError
            If the encoder cannot be run, or returns something that is no embedding.

        Examples
        --------
        >>> model.embed("door.wav").shape
        (192,)
        """
        sources = list_clips(clips)
        waveforms = [
            _samples(clip, sample_rate, channel, f"<array {index}>") for index, clip in enumerate(sources)
        ]
        embeddings = self._embed(waveforms)
        return embeddings[0] if is_one_clip(clips) else embeddings

    def _embed(self, waveforms: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """Embed waveforms (n_samples,) each -> (len(waveforms), dim)."""
        parts = [_windows(waveform) for waveform in self._fit(waveforms)]
        rows = self._to_unit_length(self._encode_windows([window for windows in parts for window in windows]))
        if len(rows) == len(parts):  # a window each: nothing to average
            return rows
        embeddings = np.empty((len(parts), self.dim), dtype=np.float32)
        start = 0
        for index, windows in enumerate(parts):
            embeddings[index] = centroid(rows[start : start + len(windows)])
            start += len(windows)
        return embeddings

    def encode(self, waveforms: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """Give the encoder's output, float32 (len(waveforms), dim), as it comes.

        Unlike `embed` it keeps the length of the rows, which may carry meaning to a classifier.

        Parameters
        ----------
        waveforms : sequence of ndarray, shape (n_samples,), float32
            Mono at 16 kHz, in [-1, 1], at most 30 s each; lengths may differ.

        Raises
        ------
        AudioError
            As for :meth:`embed`, or a waveform is longer than 30 s.
        ModelError
            If the encoder cannot be run, or returns something of another shape or not finite.

        Examples
        --------
        >>> model.encode([samples, samples[:16_000]]).shape == (2, model.dim)
        True
        """
        for index, waveform in enumerate(waveforms):
            if len(waveform) > MAX_WINDOW:
                seconds = len(waveform) / SAMPLE_RATE
                raise AudioError(
                    f"<array {index}>: {seconds:.1f} s are too long to encode at once; cut it to 30 s",
                    source=f"<array {index}>",
                )
        return self._encode_windows(self._fit(waveforms))

    def _fit(self, waveforms: Sequence[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        """Check waveforms, and repeat those that are shorter than the encoder's shortest input."""
        for index, waveform in enumerate(waveforms):
            _check_waveform(waveform, source=f"<array {index}>")
        shortest = max(MIN_SAMPLES, math.ceil(self.card.min_seconds * SAMPLE_RATE))
        return [_repeat(waveform, shortest) for waveform in waveforms]

    def _encode_windows(self, windows: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """Encode windows of any lengths, each length in batches of its own: (n,) each -> (len, dim)."""
        rows = np.empty((len(windows), self.dim), dtype=np.float32)
        for batch in _equal_length_batches([len(window) for window in windows]):
            first = windows[batch[0]][None]
            stacked = first if len(batch) == 1 else np.stack([windows[index] for index in batch])  # (b, n)
            rows[batch] = self._run(stacked.astype(np.float32, copy=False))
        return rows

    def _run(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Run the encoder on a batch of equal lengths: (b, n) -> (b, dim)."""
        session, errors = self._session()
        try:
            (raw,) = session.run(None, {session.get_inputs()[0].name: batch})
        except errors as error:
            raise self._error(f"cannot embed {len(batch)} x {batch.shape[1]} samples: {error}") from error
        if raw.shape != (len(batch), self.dim):
            raise self._error(
                f"gave shape {raw.shape} for {len(batch)} clips; the card says dim = {self.dim}"
            )
        if not np.isfinite(raw).all():
            raise self._error("gave an embedding that is not finite")
        output: NDArray[np.float32] = raw
        return output

    def _to_unit_length(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        lengths = np.linalg.norm(rows.astype(np.float64), axis=1, keepdims=True)
        if not lengths.all():
            raise self._error("gave an embedding that has no length")
        unit: NDArray[np.float32] = (rows / lengths).astype(np.float32)
        return unit

    def _session(self) -> tuple[Any, tuple[type[Exception], ...]]:
        """Return the inference session and the errors it may raise, loading the runtime when first asked."""
        with self._loading:
            if self._loaded is None:
                self._loaded = self._load()
                self._encoder = b""  # the session holds what it needs of it
        loaded: tuple[Any, tuple[type[Exception], ...]] = self._loaded
        return loaded

    def _load(self) -> tuple[Any, tuple[type[Exception], ...]]:
        errors = runtime_errors()
        try:
            session = open_session(self._encoder, threads=self.threads)
        except errors as error:
            raise self._error(f"cannot be loaded: {error}") from error
        if len(session.get_inputs()) != 1 or len(session.get_outputs()) != 1:
            raise self._error("does not have one input (batch, samples) and one output (batch, dim)")
        return session, errors

    def _error(self, message: str) -> ModelError:
        return ModelError(f"{self.folder / ENCODER_FILE}: the encoder {message}", path=str(self.folder))


def _read_encoder(folder: Path, card: ModelCard) -> bytes:
    """Read encoder.onnx once, so that the bytes that were checked are the bytes that run."""
    path = folder / ENCODER_FILE
    try:
        encoder = path.read_bytes()
    except FileNotFoundError as error:
        raise ModelError(
            f"{folder}: the model folder holds no {ENCODER_FILE}; copy it again", path=str(folder)
        ) from error
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror}", path=str(folder)) from error
    digest = hashlib.sha256(encoder).hexdigest()
    if digest != card.id:
        raise ModelError(
            f"{path}: sha256 is {digest[:12]}..., but {CARD_FILE} says {card.id[:12]}...; "
            "the file is damaged or belongs to another model: copy the model folder again",
            path=str(folder),
        )
    return encoder


def _samples(clip: ClipSource, sample_rate: int, channel: int | None, name: str) -> NDArray[np.float32]:
    """Samples of a clip at 16 kHz; what is such samples already is taken as it is."""
    as_it_is = channel is None and sample_rate == SAMPLE_RATE
    if as_it_is and isinstance(clip, np.ndarray) and clip.dtype == np.float32:
        _check_waveform(clip, source=name)
        return clip
    return as_waveform(clip, sample_rate=sample_rate, channel=channel).samples


def _check_waveform(waveform: NDArray[np.float32], *, source: str) -> None:
    if waveform.ndim != 1:
        raise AudioError(
            f"{source}: shape {waveform.shape} is not (n_samples,); mix it to mono", source=source
        )
    if len(waveform) < MIN_SAMPLES:
        raise AudioError(
            f"{source}: {len(waveform)} samples are too few; give at least {MIN_SAMPLES} (0.1 s at 16 kHz)",
            source=source,
        )
    if waveform.dtype.kind != "f":
        raise AudioError(
            f"{source}: samples of {waveform.dtype} are not floats in [-1, 1]; read them with read_audio",
            source=source,
        )
    if not np.isfinite(waveform).all():
        raise AudioError(f"{source}: holds samples that are not finite numbers", source=source)
    if not waveform.any():
        raise AudioError(f"{source}: is digital silence, there is nothing to embed", source=source)


def _repeat(waveform: NDArray[np.float32], shortest: int) -> NDArray[np.float32]:
    return waveform if len(waveform) >= shortest else np.resize(waveform, shortest)


def _windows(waveform: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """Cut into the fewest equal windows of at most MAX_WINDOW; less than one sample a window is lost."""
    count = math.ceil(len(waveform) / MAX_WINDOW)
    length = len(waveform) // count
    return [waveform[start : start + length] for start in range(0, count * length, length)]


def _equal_length_batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Yield the indices of equal lengths together, in batches of bounded size."""
    groups: dict[int, list[int]] = defaultdict(list)
    for index, length in enumerate(lengths):
        groups[length].append(index)
    for length, group in groups.items():
        size = max(1, min(_BATCH_CLIPS, _BATCH_SAMPLES // length))
        for start in range(0, len(group), size):
            yield group[start : start + size]
