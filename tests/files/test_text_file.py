"""Text that users hand in: with a byte order mark or without, and as PowerShell writes it."""

import io
from collections.abc import Callable
from pathlib import Path

import pytest

from voiceprint.cli.embed import _asked_for
from voiceprint.config import read_toml
from voiceprint.corpus import read_manifest
from voiceprint.corpus.kaldi import read_lines
from voiceprint.files.text import decode_text, open_text, read_text
from voiceprint.trials import read_enrollments, read_trials

Write = Callable[[str, str], Path]

ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le with its mark", "utf-16-be with its mark", "utf-32"]


def encoded(text: str, encoding: str) -> bytes:
    name, _, mark = encoding.partition(" ")
    return (("\ufeff" if mark else "") + text).encode(name)


@pytest.fixture(params=ENCODINGS)
def write(request: pytest.FixtureRequest, tmp_path: Path) -> Write:
    """``write(name, text)``: a file in one of the encodings, with Windows's ends of lines."""

    def write(name: str, text: str) -> Path:
        path = tmp_path / name
        path.write_bytes(encoded(text.replace("\n", "\r\n"), request.param))
        return path

    return write


def test_the_text_is_the_same_in_every_encoding(write: Write) -> None:
    path = write("list.txt", "one.wav\nzwölf \U0001f680.wav\n")
    assert read_text(path) == "one.wav\nzwölf \U0001f680.wav\n"
    with open_text(path.open("rb")) as lines:
        assert list(lines) == ["one.wav\n", "zwölf \U0001f680.wav\n"]


@pytest.mark.parametrize("raw", [b"", b"\xef\xbb\xbf", b"\xff\xfe", b"\xff\xfe\x00\x00"])
def test_a_mark_alone_is_an_empty_text(raw: bytes) -> None:
    assert decode_text(raw) == ""
    assert open_text(io.BytesIO(raw)).read() == ""


@pytest.mark.parametrize("raw", [b"\xff", b"\xff\xfea", b"caf\xe9"])
def test_what_is_no_text_is_an_error(raw: bytes) -> None:
    with pytest.raises(ValueError, match="decode"):
        decode_text(raw)
    assert decode_text(raw, errors="replace")


def test_trials_and_enrollments_are_read(write: Write) -> None:
    trials = read_trials(write("trials.txt", "ada clip.wav target\nada bob.wav nontarget\n"))
    assert [trial.test for trial in trials] == ["clip.wav", "bob.wav"]
    assert read_enrollments(write("models.txt", "ada: a.wav b.wav\n")) == {"ada": ("a.wav", "b.wav")}


def test_a_manifest_is_read(write: Write, tmp_path: Path) -> None:
    path = write("manifest.csv", "path,speaker,session,split,seconds,gender,text\na.wav,ada,1,test,2.0,,hé\n")
    assert [utterance.speaker for utterance in read_manifest(path)] == ["ada"]


def test_a_list_of_kaldi_is_read(write: Write) -> None:
    assert list(read_lines(write("wav.scp", "a /x/a.wav\nb /x/b.wav\n"))) == [
        ("a", "/x/a.wav"),
        ("b", "/x/b.wav"),
    ]


def test_a_recipe_is_read(write: Write) -> None:
    assert read_toml(write("recipe.toml", 'name = "größe"\n'))["name"] == "größe"


def test_a_list_of_clips_is_read(write: Write) -> None:
    assert _asked_for(None, write("list.txt", "one.wav\n\nzwölf.wav\n")) == ["one.wav", "zwölf.wav"]
