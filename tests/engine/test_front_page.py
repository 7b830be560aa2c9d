"""What a Verifier and the package say of themselves."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import pytest

import voiceprint
from voiceprint import errors
from voiceprint.audio import read_audio
from voiceprint.audio.clips import read_clip
from voiceprint.engine.verifier import Verifier
from voiceprint.errors import (
    SpeakerOptedOutError,
)
from voiceprint.model import SpeakerModel
from voiceprint.store import Consent


def test_a_verifier_is_a_collection_of_people(verifier: Verifier) -> None:
    assert len(verifier) == 2
    assert "ada" in verifier
    assert "nobody" not in verifier
    verifier.remove("ada")
    verifier.remove("bert")
    assert len(verifier) == 0
    assert verifier  # an empty one is there all the same


def test_consent_and_opting_out(verifier: Verifier, people: Path) -> None:
    consent = Consent(by="Ada Lovelace", purpose="the door", given=datetime.now(UTC))
    assert verifier.set_terms("ada", consent=consent, expires=None).consent == consent
    verifier.opt_out("ada")
    assert "ada" not in verifier
    assert list(verifier.opt_outs()) == ["ada"]
    assert verifier.opted_out("ada") is not None
    with pytest.raises(SpeakerOptedOutError):
        verifier.enroll("ada", people / "ada/3.wav")
    verifier.opt_in("ada")
    assert verifier.opted_out("ada") is None
    assert verifier.remove_expired() == []


def test_what_is_shown_is_short_and_holds_no_voice(verifier: Verifier, people: Path) -> None:
    waveform = read_audio(people / "ada/3.wav")
    clip, person = read_clip(waveform), verifier.show("ada")
    utterance = verifier.store.utterances("ada")[0]
    for shown in (verifier, verifier.model, verifier.model.card, waveform, clip, person, utterance):
        assert len(repr(shown)) < 1000
        assert "array(" not in repr(shown)
    assert "store" in repr(verifier)
    assert verifier.model.card.title in repr(verifier)


def test_a_password_is_not_shown(model: SpeakerModel) -> None:
    assert "secret" not in repr(Verifier("postgresql://me:secret@host/voices", model=model))


def test_everything_offered_is_there_and_sorted() -> None:
    assert voiceprint.__all__ == sorted(voiceprint.__all__)
    assert set(errors.__all__) <= set(voiceprint.__all__)
    for name in voiceprint.__all__:
        assert getattr(voiceprint, name) is not None
        assert name in dir(voiceprint)


def test_the_package_knows_its_version() -> None:
    assert voiceprint.__version__ == version("voiceprint-engine")


@pytest.mark.parametrize("option", ["-h", "--help"])
def test_python_m_voiceprint_is_the_command_line(option: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "voiceprint", "verify", option], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Usage: voiceprint verify")
