"""Licences of corpora: read, checked, and put where the card has the corpora."""

from __future__ import annotations

from pathlib import Path

import pytest

from voiceprint.errors import ConfigError
from voiceprint.training.export.licences import CorpusLicence, read_licences, with_licences


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("readers", "kitchen"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "manifest.csv").touch()
    return tmp_path


def write(root: Path, text: str) -> Path:
    path = root / "licences.toml"
    path.write_text(text)
    return path


def test_speech_and_noise_get_what_is_stated(root: Path) -> None:
    path = write(root, '[readers]\nlicence = "CC0"\nsource = "home"\n[kitchen]\nlicence = "CC BY"\n')
    licences = read_licences(path, root)
    assert licences["readers"] == CorpusLicence(licence="CC0", source="home")
    table = {
        "steps": 5,
        "speech": {"readers": {"speakers": 2}, "others": {"speakers": 1}},
        "noise": {"kitchen": {"utterances": 3}},
    }
    assert with_licences(table, licences) == {
        "steps": 5,
        "speech": {"readers": {"speakers": 2, "licence": "CC0", "source": "home"}, "others": {"speakers": 1}},
        "noise": {"kitchen": {"utterances": 3, "licence": "CC BY"}},
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[reader]\nlicence = "CC0"\n', r"licences.toml: \[reader\]: no such corpus .* mean 'readers'"),
        ('[x]\nlicence = "CC0"\n', r"\[x\]: no such corpus .*; there are: kitchen, readers"),
        ('readers = "CC0"\n', r"readers = 'CC0': write a table \[readers\]"),
        ('[readers]\nlicense = "CC0"\n', "readers.license: unknown key; did you mean 'licence'"),
        ('[readers]\nsource = "home"\n', r"\[readers\]: missing .*'licence'"),
        ("[readers]\nlicence = 3\n", "readers.licence: expected str"),
    ],
)
def test_what_is_wrong_is_named(root: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read_licences(write(root, text), root)
