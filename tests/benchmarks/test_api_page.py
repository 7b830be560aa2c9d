"""The page of public names, on a package of a few lines."""

from __future__ import annotations

from pathlib import Path

from benchmarks.api_page import offered_names, render_api


def package(root: Path) -> Path:
    files = {
        "__init__.py": '"""Front."""\n__all__ = ["Voice"]\n',
        "sound/__init__.py": (
            '"""Sound."""\nfrom voiceprint.sound.read import RATE, read\n__all__ = ["RATE", "read"]\n'
        ),
        "sound/read.py": (
            '"""Reading."""\n__all__ = ["RATE", "read"]\nRATE = 16_000\n"""In Hz.\n\nOf all sound."""\n'
            'def read(path: str, *, rate: int = RATE) -> bytes:\n    """Read a file.\n\n    All."""\n'
        ),
        "engine/__init__.py": '"""Engine."""\n',
        "engine/voice.py": '"""Voices."""\n__all__ = ["Voice"]\nclass Voice:\n    """A voice."""\n',
        "cli/tune.py": '"""A command."""\n__all__ = ["tune"]\ndef tune(): pass\n',
    }
    for name, text in files.items():
        path = root / "voiceprint" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_rooms_offer_their_names_and_those_without_offer_their_modules(tmp_path: Path) -> None:
    assert offered_names(package(tmp_path)) == {
        "voiceprint": ["Voice"],
        "voiceprint.engine.voice": ["Voice"],
        "voiceprint.sound": ["RATE", "read"],
    }


def test_a_name_is_described_by_the_first_line_of_its_docstring(tmp_path: Path) -> None:
    page = render_api(package(tmp_path))
    assert "## voiceprint.engine.voice\n\nVoices.\n\n- `class Voice`: A voice.\n" in page
    assert page.endswith(
        "## voiceprint.sound\n\nSound.\n\n- `RATE`: In Hz.\n- `read(path, *, rate=RATE)`: Read a file.\n"
    )
