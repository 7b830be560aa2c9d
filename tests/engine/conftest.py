"""What the tests of this room share."""

from __future__ import annotations

from pathlib import Path

import pytest

from voiceprint.engine.verifier import Verifier
from voiceprint.model import SpeakerModel


@pytest.fixture
def verifier(tmp_path: Path, model: SpeakerModel, people: Path) -> Verifier:
    """With ada and bert enrolled by three clips each."""
    verifier = Verifier(tmp_path / "store", model=model)
    for name in ("ada", "bert"):
        verifier.enroll(name, [people / name / f"{clip}.wav" for clip in range(3)])
    return verifier
