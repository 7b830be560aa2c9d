"""A pack: training speech in few megabytes, to train where neither corpora nor pool are.

A pack is a root of corpora, with what a pool holds beside speech. ::

    pack.json                  what it is, which corpora are trained on, the sha256 of every other file
    CORPUS/manifest.csv        clips to train on, clips to validate on, or noise: stretches of ...
    CORPUS/0.opus, 1.opus ...  some minutes each, clip after clip
    teacher.npy, teacher.json  float16, the teacher's embeddings of the clips trained on; whose they are
    rooms-*.flac               room responses end to end, 16 bits

It holds the speakers' own voices and all speakers. Where not all clips fit, everyone keeps as many seconds.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import chain, groupby
from pathlib import Path

import numpy as np
import soundfile as sf
from numpy.typing import NDArray

from voiceprint.audio import SAMPLE_RATE
from voiceprint.audio.opus import encode_opus
from voiceprint.corpus import Corpus, Unreadable, Utterance, read_manifest, write_manifest
from voiceprint.corpus.reading import read_utterances
from voiceprint.errors import CorpusError
from voiceprint.files.arrays import open_npy
from voiceprint.files.whole import write_whole
from voiceprint.training.data.pool import (
    PACK_FILE,
    TEACHER_FILE,
    Pool,
    open_pool,
    pool_id,
    read_packed,
    read_teacher,
)
from voiceprint.training.data.rendering import render_shard
from voiceprint.training.data.voices import DrawnVoice
from voiceprint.training.origins import UNKNOWN, SourceModel, save_record

_KBPS = (24.0, 16.0, 12.0, 10.0)  # below 9, Opus takes away everything above 4 kHz
_CONTAINER = 1.03  # pages, headers and a variable bit rate, over the nominal one
_ROW_BYTES = 530  # of a clip: its line of a manifest, and its row of a teacher's embeddings
_FILE_SAMPLES = 240 * SAMPLE_RATE
_TEACHER_ARRAY = "teacher.npy"

Clip = tuple[Utterance, NDArray[np.float32]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pooled:
    """An utterance, and its place in a pool."""

    utterance: Utterance
    index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PackFacts:
    """What ``pack.json`` holds.

    Parameters
    ----------
    title : str
        How much of how many clips it holds, and how they are coded.
    speech : list of str
        The corpora whose split ``train`` is trained on, in the order of the teacher's embeddings.
    rooms : dict of str to list of int
        The shape of the responses in each file of them.
    files : dict of str to str
        The sha256 of every other file of the pack.
    """

    title: str
    speech: list[str]
    rooms: dict[str, list[int]]
    files: dict[str, str]


def write_pack(
    folder: Path,
    speech: Corpus,
    *,
    beside: Corpus,
    pool: Path,
    limit: int,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> PackFacts:
    """Pack what a pool holds of training speech, and what a run reads beside it.

    Parameters
    ----------
    folder : Path
        Made, and refused where it is there.
    speech : Corpus
        What is trained on, rendered in ``pool``.
    beside : Corpus
        Clips to validate on, and noise; all of them are packed.
    limit : int
        Bytes of all files together.
    progress : callable
        ``progress(clips done, clips in all)``.

    Raises
    ------
    CorpusError
        The folder is there; the pool lacks the speech; a clip cannot be read; or not even the first clip of
        everybody fits.
    """
    if folder.exists():
        raise CorpusError(f"{folder}: is there already; name another folder for the pack, or remove it")
    source = open_pool(pool, speech, voices=1)
    folder.mkdir(parents=True)
    try:
        rooms = _write_rooms(pool, folder)
        kbps, kept = _fitting(_pooled(source, speech), beside, room=limit - _size_of(folder))
        samples = (source.read(one.index) for one in kept)
        clips = chain(zip((one.utterance for one in kept), samples, strict=True), _read(beside))
        _write_corpora(clips, folder, kbps, lambda done: progress(done, len(kept) + len(beside)))
        _write_teacher(source, kept, folder)
        about = PackFacts(
            title=f"a pack of {len(kept)} of {len(speech)} clips in Opus at {kbps:g} kbit/s",
            speech=list(dict.fromkeys(one.utterance.corpus for one in kept)),
            rooms=rooms,
            files={path.relative_to(folder).as_posix(): _sha256(path) for path in _files(folder)},
        )
        write_whole(folder / PACK_FILE, json.dumps(asdict(about), indent=1))
        if (size := _size_of(folder)) > limit:
            raise CorpusError(f"{folder}: takes {size} bytes, more than {limit}; set the limit lower by that")
    except BaseException:
        shutil.rmtree(folder)
        raise
    return about


def read_pack(folder: Path) -> PackFacts:
    """Read what a pack is, and check every file of it.

    Raises
    ------
    CorpusError
        It is no pack, or a file is missing or another than it was.
    """
    try:
        about = PackFacts(**json.loads((folder / PACK_FILE).read_text(encoding="utf-8")))
        _require_listed(about, folder)
        damaged = [name for name, digest in about.files.items() if _sha256(folder / name) != digest]
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise CorpusError(f"{folder}: is no whole pack ({error}); copy it again, or make another") from error
    if damaged:
        raise CorpusError(f"{folder / damaged[0]}: is damaged; copy the pack again, or make another")
    return about


def _require_listed(about: PackFacts, folder: Path) -> None:
    """Refuse names that lead elsewhere, and files that are used without a checksum; ValueError."""
    teacher = [name for name in (_TEACHER_ARRAY, TEACHER_FILE) if (folder / name).exists()]
    for name in (*about.speech, *about.rooms):
        if Path(name).name != name:
            raise ValueError(f"{name!r} is no plain name")
    for name in (*(f"{name}/manifest.csv" for name in about.speech), *about.rooms, *teacher):
        if name not in about.files:
            raise ValueError(f"{name} has no checksum")
    for name in about.files:
        if not (folder / name).resolve().is_relative_to(folder.resolve()):
            raise ValueError(f"{name!r} lies elsewhere")


def unpack(folder: Path, pool: Path, *, jobs: int) -> SourceModel:
    """Make a pool of a pack; one that was made of it is left as it is.

    Parameters
    ----------
    pool : Path
        The pool's folder; `PACK_FILE` in it says what it was made of.
    jobs : int
        Threads that decode.

    Returns
    -------
    SourceModel
        The pack, as the origins of a run name it.

    Raises
    ------
    CorpusError
        As of `read_pack`; or the pool holds something else, or cannot be written.
    """
    about = read_pack(folder)
    pack = SourceModel(title=about.title, id=_sha256(folder / PACK_FILE))
    if (pool / "voice-0.json").exists():
        if read_packed(pool) == pack:
            return pack
        raise CorpusError(f"{pool}: holds other speech than {folder}; name another folder for the pool")
    listed = (read_manifest(folder / name, name=name).filter(split="train") for name in about.speech)
    speech = Corpus(utterance for corpus in listed for utterance in corpus)
    if not all(one.path.resolve().is_relative_to(folder.resolve()) for one in speech):
        raise CorpusError(f"{folder}: names clips that lie elsewhere; make another pack")
    try:
        pool.mkdir(parents=True, exist_ok=True)
        for name, shape in about.rooms.items():
            responses = sf.read(folder / name, dtype="float32")[0].reshape(shape)
            np.save(pool / Path(name).with_suffix(".npy"), responses)
        if (folder / _TEACHER_ARRAY).exists():
            shutil.copy(folder / TEACHER_FILE, pool / TEACHER_FILE)
            np.save(pool / "voice-0.teacher.npy", open_npy(folder / _TEACHER_ARRAY).astype(np.float32))
        save_record(pack, pool / PACK_FILE)
    except (OSError, ValueError, sf.SoundFileError) as error:
        raise CorpusError(f"{pool}: the pack cannot be unpacked there ({error})") from error
    voices = dict.fromkeys(speech.speakers, DrawnVoice())
    render_shard(speech, pool, 0, voices=voices, read=partial(_read_in_threads, jobs=jobs))
    return pack


def _pooled(source: Pool, speech: Corpus) -> list[_Pooled]:
    """The clips that a pool has of a corpus."""
    index_of = {one.id: index for index, one in enumerate(source.utterances)}
    return [_Pooled(utterance=u, index=index_of[id_]) for u in speech if (id_ := pool_id(u)) in index_of]


def _fitting(speech: Sequence[_Pooled], beside: Corpus, *, room: int) -> tuple[float, list[_Pooled]]:
    """The highest bit rate at which all fits into ``room`` bytes; at the lowest, the clips that fit."""
    for kbps in _KBPS:
        left = room - sum(_bytes_of(utterance, kbps) for utterance in beside)
        if sum(_bytes_of(one.utterance, kbps) for one in speech) <= left:
            return kbps, list(speech)
    # Of a speaker's earlier clips: whoever has least gets the next.
    seconds = dict.fromkeys((one.utterance.speaker_id for one in speech), 0.0)
    turns = []
    for place, one in enumerate(speech):
        turns.append((seconds[one.utterance.speaker_id], place))
        seconds[one.utterance.speaker_id] += one.utterance.seconds
    turns.sort()
    costs = np.cumsum([_bytes_of(speech[place].utterance, kbps) for _, place in turns])
    fitting = int(np.searchsorted(costs, left, side="right"))
    if fitting < len(seconds):
        raise CorpusError(
            f"the pack: one clip of each of {len(seconds)} speakers and what is beside them takes "
            f"{room - left + int(costs[len(seconds) - 1])} bytes, and there are {room}; give it more, or "
            "less to validate on (validation.clips_per_speaker)"
        )
    return kbps, [speech[place] for place in sorted(place for _, place in turns[:fitting])]


def _bytes_of(utterance: Utterance, kbps: float) -> int:
    return int(utterance.seconds * kbps * 125 * _CONTAINER) + _ROW_BYTES


def _read(beside: Corpus) -> Iterator[Clip]:
    """Read clips; one that cannot be read would move the noise that is held out by its place."""
    for utterance, samples in zip(beside, read_utterances(beside), strict=True):
        if isinstance(samples, Unreadable):
            raise CorpusError(f"{utterance.path}: cannot be read; a pack needs all of dev and noise")
        yield utterance, samples


def _write_corpora(clips: Iterable[Clip], folder: Path, kbps: float, advance: Callable[[int], None]) -> None:
    """Write clips to files of some minutes, and what stands where in them to their corpora's manifests."""
    rows: dict[str, list[Utterance]] = {}
    done = 0
    for number, group in enumerate(_files_of(clips)):
        path = folder / group[0][0].corpus / f"{number}.opus"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode_opus(np.concatenate([samples for _, samples in group]), kbps=kbps))
        offset = 0
        for utterance, samples in group:
            start, offset = offset, offset + len(samples)
            stretch = replace(
                utterance,
                path=path.absolute(),
                text="",
                start=start / SAMPLE_RATE,
                stop=offset / SAMPLE_RATE,
            )
            rows.setdefault(utterance.corpus, []).append(stretch)
        done += len(group)
        advance(done)
    for name, of_corpus in rows.items():
        write_manifest(Corpus(of_corpus), folder / name / "manifest.csv")


def _files_of(clips: Iterable[Clip]) -> Iterator[list[Clip]]:
    """Clips of one corpus that make a file."""
    for _, of_corpus in groupby(clips, key=lambda clip: clip[0].corpus):
        group: list[Clip] = []
        samples = 0
        for clip in of_corpus:
            group.append(clip)
            samples += len(clip[1])
            if samples >= _FILE_SAMPLES:
                yield group
                group, samples = [], 0
        if group:
            yield group


def _write_rooms(pool: Path, folder: Path) -> dict[str, list[int]]:
    shapes = {}
    for path in sorted(pool.glob("rooms-*.npy")):
        responses = open_npy(path)  # of unit energy, so none exceeds full scale
        shapes[f"{path.stem}.flac"] = list(responses.shape)
        sf.write(folder / f"{path.stem}.flac", responses.ravel(), SAMPLE_RATE, subtype="PCM_16")
    return shapes


def _write_teacher(source: Pool, kept: Sequence[_Pooled], folder: Path) -> None:
    if source.teacher is not None:
        np.save(folder / _TEACHER_ARRAY, source.teacher[[one.index for one in kept]].astype(np.float16))
        save_record(read_teacher(source.folder) or UNKNOWN, folder / TEACHER_FILE)


def _read_in_threads(
    utterances: Sequence[Utterance], *, jobs: int
) -> Iterator[NDArray[np.float32] | Unreadable]:
    files = [list(of_file) for _, of_file in groupby(utterances, key=lambda utterance: utterance.path)]
    with ThreadPoolExecutor(jobs) as threads:
        for clips in threads.map(lambda of_file: list(read_utterances(of_file)), files):
            yield from clips


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in _files(folder))


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
