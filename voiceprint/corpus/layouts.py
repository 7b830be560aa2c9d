"""Readers of the layouts in which public corpora come; the audio itself is not touched.

Each reader takes the corpus's folder and yields its utterances with ``seconds`` 0 where only the audio knows;
`scan_corpus` fills that in.
"""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Literal

from voiceprint.audio import find_audio
from voiceprint.corpus.kaldi import read_kaldi, read_optional
from voiceprint.corpus.manifest import Utterance
from voiceprint.errors import AudioError, CorpusError
from voiceprint.files.text import read_text

Layout = Literal["folders", "librispeech", "voxceleb", "speechocean762", "voxforge", "kaldi", "commonvoice"]
"""How a corpus's folders are laid out."""

Reader = Callable[[Path], Iterator[Utterance]]

_VOXFORGE = re.compile(r"(?P<speaker>.+?)-(?P<session>\d{8}(?:-.+)?)")
_LIBRISPEECH = re.compile(r"(?P<split>train|dev|test)-(?:clean|other)\b.*")
_GENDERS = {"f": "f", "female": "f", "female_feminine": "f", "m": "m", "male": "m", "male_masculine": "m"}
_SPLITS = ("train", "dev", "test")
_VOXCELEB_SETS = {"dev": "train", "test": "test"}


def read_folders(folder: Path) -> Iterator[Utterance]:
    """One folder a speaker: ``SPEAKER/clip.wav``, or ``SPEAKER/SESSION/clip.wav``."""
    for speaker in _folders(folder):
        for path in _audio(speaker):
            session = path.parent.relative_to(speaker).as_posix()
            yield _utterance(folder, path, speaker.name, session="" if session == "." else session)


def read_librispeech(folder: Path) -> Iterator[Utterance]:
    """``train-clean-100/SPEAKER/CHAPTER/clip.flac`` with ``*.trans.txt``, and ``SPEAKERS.TXT`` for gender."""
    genders = _librispeech_genders(folder / "SPEAKERS.TXT")
    for subset in _folders(folder):
        split = _LIBRISPEECH.fullmatch(subset.name)
        if split is None:
            continue
        for speaker in _folders(subset):
            for chapter in _folders(speaker):
                texts = read_optional(chapter / f"{speaker.name}-{chapter.name}.trans.txt")
                for path in _audio(chapter):
                    yield _utterance(
                        folder,
                        path,
                        speaker.name,
                        session=chapter.name,
                        split=split["split"],
                        gender=genders.get(speaker.name, ""),
                        text=texts.get(path.stem, ""),
                    )


def read_voxceleb(folder: Path) -> Iterator[Utterance]:
    """``id10001/VIDEO/00001.wav`` at any depth; ``vox1_meta.csv``, ``vox2_meta.csv`` for gender and split.

    VoxCeleb calls its training set dev; here it is ``train``, of which `split_corpus` makes a ``dev``.
    """
    facts = {
        speaker: fact
        for name in ("vox1_meta.csv", "vox2_meta.csv")
        for speaker, fact in _voxceleb_meta(folder / name)
    }
    for path in _audio(folder):
        speaker, video = path.parent.parent.name, path.parent.name
        if not re.fullmatch(r"id\d{5}", speaker):
            raise CorpusError(f"{path}: is not at id00000/VIDEO/clip, so it is not known who speaks")
        gender, split = facts.get(speaker, ("", ""))
        yield _utterance(folder, path, speaker, session=video, split=split, gender=gender)


def read_speechocean762(folder: Path) -> Iterator[Utterance]:
    """Kaldi lists in ``train`` and ``test``, whose paths start at the corpus's folder."""
    for split in ("train", "test"):
        yield from read_kaldi(folder / split, root=folder, split=split)


def read_voxforge(folder: Path) -> Iterator[Utterance]:
    """``SPEAKER-YYYYMMDD-abc/wav/clip.wav`` with ``etc/README`` and ``etc/PROMPTS``; a folder is a session.

    Everybody called anonymous may be somebody else, so each such folder is a speaker of its own.
    """
    for session in _folders(folder):
        parts = _VOXFORGE.fullmatch(session.name)
        if parts is None:
            raise CorpusError(f"{session}: is not named SPEAKER-YYYYMMDD-..., so it is not known who speaks")
        speaker = session.name if parts["speaker"].lower().startswith("anonymous") else parts["speaker"]
        gender = _voxforge_gender(session / "etc" / "README")
        texts = {Path(name).name: text for name, text in read_optional(session / "etc" / "PROMPTS").items()}
        for path in _audio(session):
            yield _utterance(
                folder, path, speaker, session=parts["session"], gender=gender, text=texts.get(path.stem, "")
            )


def read_commonvoice(folder: Path) -> Iterator[Utterance]:
    """``clips/`` with ``train.tsv``, ``dev.tsv`` and ``test.tsv``, or else ``validated.tsv``."""
    lists = {split: folder / f"{split}.tsv" for split in _SPLITS if (folder / f"{split}.tsv").exists()}
    for split, file in (lists or {"": folder / "validated.tsv"}).items():
        for row in _tsv(file, ("client_id", "path")):
            yield _utterance(
                folder,
                folder / "clips" / row["path"],
                row["client_id"],
                split=split,
                gender=_GENDERS.get(row.get("gender") or "", ""),
                text=row.get("sentence") or "",
            )


READERS: Mapping[Layout, Reader] = {
    "kaldi": read_kaldi,
    "speechocean762": read_speechocean762,
    "commonvoice": read_commonvoice,
    "voxceleb": read_voxceleb,
    "librispeech": read_librispeech,
    "voxforge": read_voxforge,
    "folders": read_folders,
}


def detect_layout(folder: str | os.PathLike[str]) -> Layout:
    """Tell the layout of a corpus from its files; ``folders`` where nothing else fits.

    Raises
    ------
    CorpusError
        If there is no such folder, or it holds no folders.

    Examples
    --------
    >>> detect_layout("people")
    'folders'
    """
    root = Path(folder)
    if not root.is_dir():
        raise CorpusError(f"{root}: there is no such folder")
    names = [path.name for path in _folders(root)]
    found: dict[Layout, bool] = {
        "kaldi": (root / "wav.scp").exists(),
        "speechocean762": (root / "train" / "wav.scp").exists() and (root / "test" / "wav.scp").exists(),
        "commonvoice": (root / "clips").is_dir() and any(root.glob("*.tsv")),
        "voxceleb": any(root.glob("vox?_meta.csv")) or any(re.fullmatch(r"id\d{5}", name) for name in names),
        "librispeech": any(map(_LIBRISPEECH.fullmatch, names)),
        "voxforge": bool(names) and all((root / name / "wav").is_dir() for name in names),
        "folders": bool(names),
    }
    layout = next((layout for layout, fits in found.items() if fits), None)
    if layout is None:
        raise CorpusError(f"{root}: holds no folders; give one folder a speaker, or name the layout")
    return layout


def _utterance(
    folder: Path,
    path: Path,
    speaker: str,
    *,
    session: str = "",
    split: str = "",
    gender: str = "",
    text: str = "",
) -> Utterance:
    return Utterance(
        path=path,
        speaker=speaker,
        seconds=0.0,
        id=path.relative_to(folder).as_posix(),
        session=session,
        split=split,
        gender=gender,
        text=text,
        corpus=folder.name,
    )


def _folders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))


def _audio(folder: Path) -> list[Path]:
    try:
        return find_audio([folder])
    except AudioError:  # a folder without audio is nothing to stop at; a corpus without any is refused later
        return []


def _librispeech_genders(file: Path) -> dict[str, str]:
    if not file.exists():
        return {}
    lines = read_text(file, errors="replace").splitlines()
    rows = ([field.strip() for field in line.split("|")] for line in lines if not line.startswith(";"))
    return {row[0]: _GENDERS.get(row[1].lower(), "") for row in rows if len(row) > 1}


def _voxceleb_meta(file: Path) -> Iterator[tuple[str, tuple[str, str]]]:
    if not file.exists():
        return
    for line in read_text(file).splitlines()[1:]:
        fields = [field.strip() for field in re.split(r"[\t,]", line)]
        gender = next((_GENDERS[field.lower()] for field in fields[1:] if field.lower() in _GENDERS), "")
        yield fields[0], (gender, _VOXCELEB_SETS.get(fields[-1], ""))


def _voxforge_gender(file: Path) -> str:
    if not file.exists():
        return ""
    text = read_text(file, errors="replace")
    found = re.search(r"^\s*Gender\s*:\s*(\w+)", text, flags=re.MULTILINE | re.IGNORECASE)
    return _GENDERS.get(found[1].lower(), "") if found else ""


def _tsv(file: Path, required: tuple[str, ...]) -> Iterator[dict[str, str]]:
    if not file.exists():
        raise CorpusError(f"{file}: there is no such list")
    reader = csv.DictReader(io.StringIO(read_text(file)), delimiter="\t", quoting=csv.QUOTE_NONE)
    missing = [column for column in required if column not in (reader.fieldnames or ())]
    if missing:
        raise CorpusError(f"{file}:1: the header lacks {', '.join(missing)}")
    for row in reader:
        if any(not row[column] for column in required):
            raise CorpusError(f"{file}:{reader.line_num}: lacks {' or '.join(required)}")
        yield row
