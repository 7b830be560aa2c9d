"""Utterance and Corpus, and the manifest file that holds a corpus.

A manifest is a CSV file with a header. ``path`` (relative to the manifest's folder, or absolute), ``speaker``
and ``seconds`` must be there; ``session``, ``split``, ``gender``, ``age``, ``text``, ``id``, ``start`` and
``stop`` may be. Other columns are ignored.
"""

from __future__ import annotations

import csv
import hashlib
import io
import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import overload

from voiceprint.errors import CorpusError
from voiceprint.files.text import read_text
from voiceprint.files.whole import write_whole

REQUIRED = ("path", "speaker", "seconds")
COLUMNS = ("path", "speaker", "session", "split", "seconds", "gender", "text", "age", "id", "start", "stop")
_OPTIONAL = COLUMNS[-4:]  # written where a line has them


@dataclass(frozen=True, slots=True, kw_only=True)
class Utterance:
    """One clip of one person, or a stretch of a longer recording.

    Parameters
    ----------
    path : Path
        The audio file, absolute.
    speaker : str
        Who speaks, unique within the corpus.
    id : str
        Unique within the corpus: the path relative to the manifest, or the id that the corpus gives.
    session : str
        Recording session, empty where the corpus does not say.
    split : str
        ``train``, ``dev``, ``test``, or empty.
    gender : str
        ``f``, ``m``, or empty.
    start, stop : float or None
        The stretch of the file in seconds; both None where the utterance is the whole file.
    """

    path: Path
    speaker: str
    seconds: float
    id: str
    session: str = ""
    split: str = ""
    gender: str = ""
    age: int | None = None
    text: str = ""
    corpus: str = ""
    start: float | None = None
    stop: float | None = None

    @property
    def speaker_id(self) -> str:
        """The speaker, unique over all corpora: ``corpus/speaker``."""
        return f"{self.corpus}/{self.speaker}" if self.corpus else self.speaker

    @property
    def session_id(self) -> str:
        """The session, unique over all speakers and corpora; empty where unknown."""
        return f"{self.speaker_id}/{self.session}" if self.session else ""


class Corpus(Sequence[Utterance]):
    """A sequence of utterances that is never empty.

    Parameters
    ----------
    utterances : iterable of Utterance
        At least one; corpora are joined with ``+``.

    Raises
    ------
    CorpusError
        If there are none, or two have the same corpus and id.

    Examples
    --------
    >>> corpus.speakers
    ('ada', 'bert', 'cleo', 'dmitri', 'edda')
    >>> len(corpus), len(corpus[:5])
    (25, 5)
    """

    __slots__ = ("__dict__", "_utterances")

    def __init__(self, utterances: Iterable[Utterance]) -> None:
        self._utterances = tuple(utterances)
        if not self._utterances:
            raise CorpusError("the corpus is empty: give at least one utterance")
        seen: set[tuple[str, str]] = set()
        for utterance in self._utterances:
            key = (utterance.corpus, utterance.id)
            if key in seen:
                raise CorpusError(f"utterance {utterance.id!r} of corpus {utterance.corpus!r} is there twice")
            seen.add(key)

    def __len__(self) -> int:
        return len(self._utterances)

    @overload
    def __getitem__(self, index: int) -> Utterance: ...
    @overload
    def __getitem__(self, index: slice) -> Corpus: ...
    def __getitem__(self, index: int | slice) -> Utterance | Corpus:
        if isinstance(index, slice):
            return Corpus(self._utterances[index])
        return self._utterances[index]

    def __iter__(self) -> Iterator[Utterance]:
        return iter(self._utterances)

    def __add__(self, other: Corpus) -> Corpus:
        return Corpus((*self, *other))

    def __repr__(self) -> str:
        return f"Corpus({len(self)} utterances, {len(self.speakers)} speakers, {self.seconds / 3600:.2f} h)"

    @cached_property
    def speakers(self) -> tuple[str, ...]:
        """The distinct ``speaker_id``, sorted."""
        return tuple(sorted({u.speaker_id for u in self}))

    @cached_property
    def splits(self) -> tuple[str, ...]:
        """The distinct splits, sorted."""
        return tuple(sorted({u.split for u in self}))

    @cached_property
    def seconds(self) -> float:
        """Length of all utterances in seconds."""
        return math.fsum(u.seconds for u in self)

    @cached_property
    def by_speaker(self) -> Mapping[str, tuple[int, ...]]:
        """Indices of each speaker's utterances, keyed by ``speaker_id``, in the order of ``speakers``."""
        indices: dict[str, list[int]] = {speaker: [] for speaker in self.speakers}
        for index, utterance in enumerate(self):
            indices[utterance.speaker_id].append(index)
        return {speaker: tuple(of_speaker) for speaker, of_speaker in indices.items()}

    @cached_property
    def fingerprint(self) -> str:
        """Hash (sha256, hex) of which utterances these are and in what order; paths may move."""
        digest = hashlib.sha256()
        for u in self:
            digest.update(
                "\0".join((u.corpus, u.id, f"{u.seconds:.2f}", f"{u.start}", f"{u.stop}\n")).encode()
            )
        return digest.hexdigest()

    def filter(
        self,
        keep: Callable[[Utterance], bool] | None = None,
        *,
        split: str | None = None,
        corpus: str | None = None,
    ) -> Corpus:
        """Select utterances; all conditions given must hold.

        Parameters
        ----------
        keep : callable, optional
            Takes an Utterance, returns whether to keep it.
        split, corpus : str, optional
            The split or corpus to keep.

        Raises
        ------
        CorpusError
            If nothing is left.
        """
        kept = [
            u
            for u in self
            if (split is None or u.split == split)
            and (corpus is None or u.corpus == corpus)
            and (keep is None or keep(u))
        ]
        if not kept:
            asked = {"split": split, "corpus": corpus}
            named = [f"of {what} {value!r}" for what, value in asked.items() if value is not None]
            raise CorpusError(
                f"{' '.join(['no utterance is left', *named])}; there are the splits {list(self.splits)} and "
                f"the corpora {sorted({u.corpus for u in self})}"
            )
        return Corpus(kept)

    def first_clips(self, count: int) -> Corpus:
        """Keep the first ``count`` utterances of every speaker; all of them where it is 0."""
        kept = sorted(index for indices in self.by_speaker.values() for index in indices[: count or None])
        return Corpus(self[index] for index in kept)

    def require_disjoint_splits(self) -> None:
        """Raise CorpusError where a speaker is in more than one split."""
        split_of: dict[str, str] = {}
        for u in self:
            if split_of.setdefault(u.speaker_id, u.split) != u.split:
                raise CorpusError(
                    f"speaker {u.speaker_id!r} is in the splits {split_of[u.speaker_id]!r} and {u.split!r}: "
                    "speakers of different splits must differ; split it by speakers"
                )


def read_manifest(path: str | os.PathLike[str], *, name: str | None = None) -> Corpus:
    """Read a manifest; the audio files are not touched. A line that is there twice is read once.

    Parameters
    ----------
    path : path
        The CSV file, or a folder that holds a ``manifest.csv``.
    name : str, optional
        Name of the corpus; the folder's name where left out.

    Raises
    ------
    CorpusError
        If the file is missing or empty, lacks a column, or a line is wrong; the message begins with file and
        line.

    Examples
    --------
    >>> from voiceprint.corpus import write_manifest
    >>> _ = write_manifest(corpus, "manifest.csv")
    >>> len(read_manifest("manifest.csv"))
    25
    """
    file = Path(path)
    if file.is_dir():
        file = file / "manifest.csv"
    folder = file.parent.absolute()
    try:
        reader = csv.DictReader(io.StringIO(read_text(file), newline=""), strict=True)
        _require_columns(reader.fieldnames, file)
        corpus_name = folder.name if name is None else name
        utterances = [
            _utterance(row, folder=folder, corpus=corpus_name, where=f"{file}:{reader.line_num}")
            for row in reader
        ]
    except FileNotFoundError as error:
        raise CorpusError(
            f"{file}: there is no such manifest; scan the folder of its clips to make one"
        ) from error
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CorpusError(f"{file}: cannot be read as a CSV file: {error}") from error
    if not utterances:
        raise CorpusError(f"{file}: the corpus is empty: the manifest has a header and no lines")
    try:
        return Corpus(dict.fromkeys(utterances))
    except CorpusError as error:
        raise CorpusError(f"{file}: {error}") from error


def read_manifests(paths: Iterable[str | os.PathLike[str]], *, split: str) -> Corpus:
    """Read the people of several manifests as one corpus.

    Parameters
    ----------
    paths : iterable of path
        As for `read_manifest`.
    split : str
        Whose utterances are taken; "all" takes every one.

    Raises
    ------
    CorpusError
        As of `read_manifest`; or two manifests hold one utterance.
    """
    found = [read_manifest(path) for path in paths]
    return Corpus(
        utterance for one in found for utterance in (one if split == "all" else one.filter(split=split))
    )


def write_manifest(corpus: Corpus, path: str | os.PathLike[str]) -> None:
    """Write a manifest, whole or not at all; paths below its folder are written relative to it.

    Raises
    ------
    CorpusError
        If the file cannot be written.

    Examples
    --------
    >>> _ = write_manifest(corpus, "manifest.csv")
    >>> Path("manifest.csv").read_text().startswith("path,speaker")
    True
    """
    file = Path(path)
    folder = file.parent.absolute()
    rows = [_row(utterance, folder) for utterance in corpus]
    columns = [name for name in COLUMNS if name not in _OPTIONAL or any(row[name] for row in rows)]
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    try:
        write_whole(file, text.getvalue())
    except OSError as error:
        raise CorpusError(f"{file}: cannot be written: {error.strerror}") from error


def _require_columns(columns: Sequence[str] | None, file: Path) -> None:
    missing = [column for column in REQUIRED if column not in (columns or ())]
    if missing:
        raise CorpusError(
            f"{file}:1: the header lacks {', '.join(missing)}; it is {','.join(columns or ())!r}"
        )


def _utterance(row: Mapping[str, str | None], *, folder: Path, corpus: str, where: str) -> Utterance:
    if None in row.values() or None in row:
        raise CorpusError(f"{where}: the line does not have as many fields as the header")
    text = {key: (value or "").strip() for key, value in row.items()}
    for column in REQUIRED:
        if not text[column]:
            raise CorpusError(f"{where}: {column} is empty")
    age = _number(text, "age", where)
    return Utterance(
        path=folder / text["path"],
        speaker=text["speaker"],
        seconds=_number(text, "seconds", where) or 0.0,
        id=text.get("id") or text["path"],
        session=text.get("session", ""),
        split=text.get("split", ""),
        gender=text.get("gender", ""),
        age=None if age is None else int(age),
        text=text.get("text", ""),
        corpus=corpus,
        start=_number(text, "start", where),
        stop=_number(text, "stop", where),
    )


def _number(text: Mapping[str, str], column: str, where: str) -> float | None:
    if not text.get(column):
        return None
    try:
        value = float(text[column])
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= 0):
        raise CorpusError(f"{where}: {column} {text[column]!r} is not a number of 0 or more")
    return value


def _row(utterance: Utterance, folder: Path) -> dict[str, str]:
    path = utterance.path
    written = (path.relative_to(folder) if path.is_relative_to(folder) else path).as_posix()
    return {
        "path": written,
        "speaker": utterance.speaker,
        "session": utterance.session,
        "split": utterance.split,
        "seconds": f"{utterance.seconds:.3f}",
        "gender": utterance.gender,
        "text": utterance.text,
        "age": "" if utterance.age is None else str(utterance.age),
        "id": "" if utterance.id == str(PurePosixPath(written)) else utterance.id,
        "start": "" if utterance.start is None else repr(utterance.start),
        "stop": "" if utterance.stop is None else repr(utterance.stop),
    }
