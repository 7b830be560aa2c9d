"""Front pages: each name that a room offers is loaded from its module, when it is asked for."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "voiceprint"
PAGES = [
    ".".join(path.parent.relative_to(PACKAGE.parent).parts)
    for path in sorted(PACKAGE.rglob("__init__.py"))
    if "front_page(" in path.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("page", PAGES)
def test_every_name_of_a_front_page_is_there(page: str) -> None:
    module = import_module(page)
    for name in module.__all__:
        assert getattr(module, name) is not None
        assert name in vars(module), "it is kept once it was asked for"


@pytest.mark.parametrize("page", PAGES)
def test_a_name_that_is_not_there_is_an_attribute_error(page: str) -> None:
    with pytest.raises(AttributeError, match=f"module '{page}' has no attribute 'nonsense'"):
        import_module(page).nonsense  # noqa: B018


def test_a_front_page_loads_none_of_its_modules() -> None:
    code = f"import sys, {', '.join(PAGES)}\nprint(*[name for name in sys.modules if 'voiceprint.' in name])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) - {*PAGES, "voiceprint.errors", "voiceprint.onnx_runtime"} == {
        "voiceprint.front"
    }
