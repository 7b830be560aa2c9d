"""Where every corpus is published, and which file of which archive each clip comes from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """A file that is downloaded.

    Parameters
    ----------
    address : str
        Empty where it must be fetched by hand, because its site asks for a login.
    md5 : str
        As its publisher gives it; empty where none does.
    """

    name: str
    address: str
    md5: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """Where a clip is.

    Parameters
    ----------
    pattern : str
        The end of the file's path in it; ``*`` stands for anything but a slash.
    """

    archive: str
    pattern: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A corpus.

    Parameters
    ----------
    archive : callable
        From an archive's name to the archive.
    find : callable
        From a clip's path (``SPEAKER/NAME.opus``) to where it is.
    """

    corpus: str
    licence: str
    archive: Callable[[str], Archive]
    find: Callable[[PurePosixPath], Clip]
    note: str = ""


def _one(archive: Archive) -> Callable[[str], Archive]:
    return lambda name: archive


def _github(name: str, repository: str) -> Callable[[str], Archive]:
    return _one(Archive(name=name, address=f"https://github.com/{repository}/archive/refs/heads/master.zip"))


def _speechocean762(path: PurePosixPath) -> Clip:
    return Clip(archive="speechocean762.tar.gz", pattern=f"WAVE/SPEAKER{path.parent}/{path.stem}.WAV")


def _librispeech(path: PurePosixPath) -> Clip:
    reader, chapter, _ = path.stem.split("-")
    return Clip(archive="train-clean-100.tar.gz", pattern=f"{reader}/{chapter}/{path.stem}.flac")


def _arabic(path: PurePosixPath) -> Clip:
    word, take = path.stem.rsplit("_", 1)  # the publisher's names have the region between speaker and take
    return Clip(archive="arabic-speech-commands.zip", pattern=f"dataset/{word}/{path.parent}_*_{take}.wav")


def _voxforge(path: PurePosixPath) -> Clip:
    session, name = path.stem.split("_", 1)
    return Clip(archive=f"{path.parent}-{session}.tgz", pattern=f"{path.parent}-{session}/*/{name}.*")


def _digits(path: PurePosixPath) -> Clip:
    return Clip(archive="free-spoken-digit-dataset.zip", pattern=f"recordings/{path.stem}.wav")


def _five_speakers(path: PurePosixPath) -> Clip:
    return Clip(archive="speaker-recognition-dataset.zip", pattern=f"{path.parent}/{path.stem}.wav")


def _synthetic(path: PurePosixPath) -> Clip:
    language, voice, *speaker = path.parent.name.split("__")
    sample = "_".join(["sample", *filter(None, speaker)])
    return Clip(archive="mimic3-voices.zip", pattern=f".samples/{language}/{voice}/{sample}.wav")


def _noise(path: PurePosixPath) -> Clip:
    if path.parent.name[0].isdigit():
        number, kind = path.parent.name.split("_", 1)
        return Clip(archive="ESC-10.zip", pattern=f"{number} - {kind.replace('_', ' ')}/{path.stem}.ogg")
    return _five_speakers(path)


_KAGGLE = Archive(name="speaker-recognition-dataset.zip", address="")
_ESC_10 = Archive(name="ESC-10.zip", address="https://github.com/karolpiczak/ESC-10/archive/master.zip")
_VOXFORGE = "http://www.repository.voxforge1.org/downloads/SpeechCorpus/Trunk/Audio/Main/16kHz_16bit/"

SOURCES: dict[str, Source] = {
    source.corpus: source
    for source in (
        Source(
            corpus="speechocean762",
            licence="free for commercial and non-commercial use (OpenSLR 101)",
            archive=_one(
                Archive(
                    name="speechocean762.tar.gz",
                    address="https://www.openslr.org/resources/101/speechocean762.tar.gz",
                )
            ),
            find=_speechocean762,
        ),
        Source(
            corpus="librispeech",
            licence="CC BY 4.0 (OpenSLR 12)",
            archive=_one(
                Archive(
                    name="train-clean-100.tar.gz",
                    address="https://www.openslr.org/resources/12/train-clean-100.tar.gz",
                    md5="2a93770f6d5c6c964bc36631d331a522",
                )
            ),
            find=_librispeech,
            note="6.4 GB are downloaded for 1271 clips",
        ),
        Source(
            corpus="arabic_speech_commands",
            licence="CC BY 4.0",
            archive=_github(
                "arabic-speech-commands.zip", "abdulkaderghandoura/arabic-speech-commands-dataset"
            ),
            find=_arabic,
        ),
        Source(
            corpus="synthetic_voices",
            licence="CC BY-SA 4.0, and a licence of its own for each voice",
            archive=_github("mimic3-voices.zip", "MycroftAI/mimic3-voices"),
            find=_synthetic,
        ),
        Source(
            corpus="voxforge",
            licence="GPL v3",
            archive=lambda name: Archive(name=name, address=_VOXFORGE + name),
            find=_voxforge,
        ),
        Source(
            corpus="free_spoken_digits",
            licence="CC BY-SA 4.0",
            archive=_github("free-spoken-digit-dataset.zip", "Jakobovski/free-spoken-digit-dataset"),
            find=_digits,
        ),
        Source(
            corpus="five_speakers",
            licence="not stated",
            archive=_one(_KAGGLE),
            find=_five_speakers,
            note="download it by hand from kaggle.com/datasets/kongaevans/speaker-recognition-dataset",
        ),
        Source(
            corpus="noise",
            licence="CC BY and CC BY-NC by clip; not stated for those of five_speakers",
            archive=lambda name: _ESC_10 if name == _ESC_10.name else _KAGGLE,
            find=_noise,
            note="the archive of five_speakers holds some of it; see there",
        ),
    )
}
