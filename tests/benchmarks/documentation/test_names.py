"""The page of public names, on a package of a few lines."""

from __future__ import annotations

from pathlib import Path

from benchmarks.documentation.names import api_index, api_page, api_rooms, offered_names


def package(root: Path) -> Path:
    files = {
        "__init__.py": (
            '"""Front."""\n'
            'if TYPE_CHECKING:\n    from voiceprint.engine.voice import Voice\n__all__ = ["Voice"]\n'
        ),
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


def test_a_page_shows_each_name_where_it_is_defined(tmp_path: Path) -> None:
    voice, sound = api_rooms(package(tmp_path))
    assert voice.page == "engine.voice.md"
    assert api_page(voice).startswith("# voiceprint.engine.voice\n\nVoices.\n\n")
    assert "\n.. autoclass:: voiceprint.engine.voice.Voice\n" in api_page(voice)
    for directive in ("autodata:: voiceprint.sound.read.RATE", "autofunction:: voiceprint.sound.read.read"):
        assert f"\n.. {directive}\n" in api_page(sound)
    assert [sound.find(name).summary for name in sound.names] == ["In Hz.", "Read a file."]


def test_the_index_leads_from_a_name_to_its_room(tmp_path: Path) -> None:
    index = api_index(package(tmp_path))
    assert "| {py:obj}`Voice <voiceprint.engine.voice.Voice>` | A voice. |" in index
    assert "| [voiceprint.sound](sound.md) | Sound. |" in index
