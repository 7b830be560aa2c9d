"""The lists of a Kaldi data folder: ``wav.scp``, ``utt2spk``, ``segments``, ``text`` and so on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from voiceprint.corpus.manifest import Utterance
from voiceprint.errors import CorpusError
from voiceprint.files.text import read_text


def read_kaldi(folder: Path, *, root: Path | None = None, split: str = "") -> Iterator[Utterance]:
    """Read a Kaldi data folder; the audio itself is not touched.

    Parameters
    ----------
    folder : Path
        Holds at least ``wav.scp`` and ``utt2spk``.
    root : Path, optional
        What paths in ``wav.scp`` are relative to; the folder itself where left out.
    split : str
        Of all its utterances.

    Raises
    ------
    CorpusError
        If a list is missing or wrong, or ``wav.scp`` holds commands or archives, which are not run or opened.
    """
    base = folder if root is None else root
    recordings = {
        name: _path(base, value, folder / "wav.scp") for name, value in read_lines(folder / "wav.scp")
    }
    speakers = dict(read_lines(folder / "utt2spk"))
    texts, genders, ages = (read_optional(folder / name) for name in ("text", "spk2gender", "spk2age"))
    for name, (recording, start, stop) in _stretches(folder, recordings).items():
        speaker = speakers.get(name)
        if speaker is None:
            raise CorpusError(f"{folder / 'utt2spk'}: does not say who speaks in {name!r}")
        yield Utterance(
            path=recordings[recording],
            speaker=speaker,
            seconds=0.0 if start is None or stop is None else stop - start,
            id=name,
            split=split,
            gender=genders.get(speaker, ""),
            age=int(ages[speaker]) if ages.get(speaker, "").isdecimal() else None,
            text=texts.get(name, ""),
            corpus=base.name,
            start=start,
            stop=stop,
        )


def read_lines(file: Path) -> Iterator[tuple[str, str]]:
    """Yield the first word and the rest of each line; CorpusError where there is no rest, or no file."""
    try:
        lines = read_text(file).splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise CorpusError(f"{file}: cannot be read as text: {error}") from error
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        key, *rest = line.strip().split(maxsplit=1)
        if not rest:
            raise CorpusError(f"{file}:{number}: {line!r} has nothing after its first word")
        yield key, rest[0]


def read_optional(file: Path) -> dict[str, str]:
    """Read the lines of a file by their first words; none where there is no file."""
    return dict(read_lines(file)) if file.exists() else {}


def _path(base: Path, value: str, file: Path) -> Path:
    if value.endswith("|"):
        raise CorpusError(
            f"{file}: {value!r} is a command, which is not run; decode the audio to files first"
        )
    if value.rpartition(":")[2].isdecimal():
        raise CorpusError(f"{file}: {value!r} is a place in an archive; copy the audio to files first")
    return base.absolute() / value


def _stretches(
    folder: Path, recordings: dict[str, Path]
) -> dict[str, tuple[str, float | None, float | None]]:
    """Return the recording, start and stop of each utterance; without ``segments``, whole recordings."""
    file = folder / "segments"
    if not file.exists():
        return {name: (name, None, None) for name in recordings}
    found: dict[str, tuple[str, float | None, float | None]] = {}
    for name, rest in read_lines(file):
        try:
            recording, start, stop = rest.split()
            stretch = recording, float(start), float(stop)
        except ValueError:
            raise CorpusError(f"{file}: {name} {rest!r} is not 'utterance recording start stop'") from None
        if recording not in recordings:
            raise CorpusError(f"{file}: recording {recording!r} of {name!r} is not in wav.scp")
        if not 0 <= stretch[1] < stretch[2]:
            raise CorpusError(f"{file}: {name} ends at {stop} s, not after its start at {start} s")
        found[name] = stretch
    return found
