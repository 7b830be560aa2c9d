"""From archives to a corpus: folders of 16 kHz mono Opus files and a manifest."""

from __future__ import annotations

import csv
import fnmatch
import hashlib
import sys
import tarfile
import urllib.error
import urllib.request
import zipfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import soundfile
from numpy.typing import NDArray

from benchmarks.corpora.sources import Archive, Source
from voiceprint.audio import SAMPLE_RATE, read_audio
from voiceprint.corpus import Corpus, Utterance, write_manifest
from voiceprint.errors import AudioError

LISTS = Path(__file__).with_name("lists")

_CHUNK = 1 << 20
_TOLERANCE = 0.05  # seconds that a clip may differ from its list


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """What became of a corpus.

    Parameters
    ----------
    problems : tuple of str
        Clips that are missing, unreadable or of another length, and archives that could not be had.
    """

    written: int
    problems: tuple[str, ...]


Row = Mapping[str, str]


def read_rows(path: Path) -> list[Row]:
    """Read a committed list: which clips, how long, in which split."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def build_corpus(
    source: Source, rows: Sequence[Row], folder: Path, archives: Path, *, download: bool = True
) -> Built:
    """Write the clips of a list that are not there yet, and the manifest of all that are.

    Parameters
    ----------
    archives : Path
        Where archives are kept, and looked for before anything is downloaded.
    download : bool
        Whether to fetch what is not there.
    """
    problems: list[str] = []
    for name, wanted in _by_archive(source, rows, folder).items():
        archive = source.archive(name)
        path = archives / name
        problem = _fetch(archive, path, download=download)
        if problem:
            problems.append(f"{problem} ({len(wanted)} clips)")
            continue
        problems += _extract(path, wanted, folder)
    found = [row for row in rows if (folder / row["path"]).exists()]
    if found:
        write_manifest(Corpus(_utterance(row, folder) for row in found), folder / "manifest.csv")
    return Built(written=len(found), problems=tuple(problems))


def _by_archive(source: Source, rows: Sequence[Row], folder: Path) -> dict[str, dict[str, Row]]:
    """Group the clips that are still to be made by archive: pattern -> row."""
    wanted: dict[str, dict[str, Row]] = defaultdict(dict)
    for row in rows:
        if not (folder / row["path"]).exists():
            clip = source.find(PurePosixPath(row["path"]))
            wanted[clip.archive][clip.pattern] = row
    return wanted


def _fetch(archive: Archive, path: Path, *, download: bool) -> str:
    """Download an archive that is not there and check it; return what is wrong, or nothing."""
    if not path.exists():
        if not download or not archive.address:
            return f"{path}: not there" + ("" if archive.address else "; fetch it by hand")
        print(f"downloading {archive.address}", file=sys.stderr)
        problem = _download(archive.address, path)
        if problem:
            return problem
    if archive.md5:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "md5").hexdigest()
        if digest != archive.md5:
            return f"{path}: md5 is {digest}, its publisher says {archive.md5}; delete it and try again"
    return ""


def _download(address: str, path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".part")
    try:
        with urllib.request.urlopen(address, timeout=60) as response, partial.open("wb") as file:
            while chunk := response.read(_CHUNK):
                file.write(chunk)
    except (urllib.error.URLError, TimeoutError) as error:
        partial.unlink(missing_ok=True)
        return f"{address}: cannot be downloaded: {error}"
    partial.replace(path)
    return ""


def _extract(path: Path, wanted: Mapping[str, Row], folder: Path) -> list[str]:
    """Write the wanted clips of one archive; return what is wrong with them."""
    problems, missing = [], dict(wanted)
    names = _Patterns(wanted)
    try:
        for name, data in _members(path, names):
            pattern = names.match(name)
            row = missing.pop(pattern, None) if pattern else None
            if row is not None:
                problem = _write_clip(data, row, folder)
                problems += [f"{path.name}: {name}: {problem}"] if problem else []
    except (tarfile.TarError, zipfile.BadZipFile, EOFError) as error:
        problems.append(f"{path}: damaged ({error}); delete it and try again")
    return problems + [f"{path.name}: holds no {pattern}" for pattern in missing]


class _Patterns:
    """Which pattern a member's name ends with; plain ones by lookup, for archives hold many members."""

    def __init__(self, patterns: Mapping[str, Row]) -> None:
        self._plain = {pattern.lower(): pattern for pattern in patterns if "*" not in pattern}
        self._starred = defaultdict(list)
        for pattern in patterns:
            if "*" in pattern:
                self._starred[_key(pattern)].append(pattern)

    def match(self, name: str) -> str | None:
        """Return the pattern of a member, or None."""
        parts = PurePosixPath(name).parts
        for count in range(1, len(parts) + 1):
            tail = "/".join(parts[-count:]).lower()
            if tail in self._plain:
                return self._plain[tail]
            for pattern in self._starred.get(_key(tail), ()):
                if tail.count("/") == pattern.count("/") and fnmatch.fnmatch(tail, pattern.lower()):
                    return pattern
        return None


def _key(pattern: str) -> str:
    """The first folder of a pattern or tail, by which starred patterns are found."""
    return pattern.lower().split("/", 1)[0]


def _members(path: Path, names: _Patterns) -> Iterator[tuple[str, bytes]]:
    """Yield the wanted files of a tar or zip archive, reading it once from front to back."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as bundle:
            for entry in bundle.infolist():
                if not entry.is_dir() and names.match(entry.filename):
                    yield entry.filename, bundle.read(entry)
        return
    with tarfile.open(path, "r|*") as archive:
        for member in archive:
            stream = archive.extractfile(member) if member.isfile() and names.match(member.name) else None
            if stream is not None:
                yield member.name, stream.read()


def _write_clip(data: bytes, row: Row, folder: Path) -> str:
    """Write one clip, cut to the length of its list; return what is wrong with it."""
    try:
        samples = read_audio(data).samples
    except AudioError as error:
        return str(error)
    seconds = float(row["seconds"])
    samples = samples[: round((seconds + _TOLERANCE / 2) * SAMPLE_RATE)]
    path = folder / row["path"]
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".part")
    _write_opus(partial, samples)
    partial.replace(path)
    if abs(len(samples) / SAMPLE_RATE - seconds) > _TOLERANCE:
        return f"is {len(samples) / SAMPLE_RATE:.2f} s long, the list says {seconds:.2f}"
    return ""


def _write_opus(path: Path, samples: NDArray[np.float32]) -> None:
    with soundfile.SoundFile(path, "w", SAMPLE_RATE, 1, format="OGG", subtype="OPUS") as file:
        # The encoder overflows its stack on very long writes.
        for start in range(0, len(samples), SAMPLE_RATE):
            file.write(samples[start : start + SAMPLE_RATE])


def _utterance(row: Row, folder: Path) -> Utterance:
    path = PurePosixPath(row["path"])
    return Utterance(
        path=folder / path,
        speaker=row.get("speaker") or path.parts[0],
        seconds=float(row["seconds"]),
        id=str(path),
        session=row.get("session", ""),
        split=row.get("split", ""),
        gender=row.get("gender", ""),
        age=int(row["age"]) if row.get("age") else None,
        corpus=folder.name,
    )
