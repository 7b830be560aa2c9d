"""Nothing phones home: no library reports to its makers, writes below HOME, or looks a name up."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HOME_OF_ONNXRUNTIME = ROOT / "voiceprint/onnx_runtime.py"
# It runs in an environment of its own, where there is no voiceprint, and forbids the reports itself.
ELSEWHERE = ROOT / "benchmarks/peers/programs/embed_peer.py"
SOURCES = [
    path
    for folder in ("voiceprint", "benchmarks", "scripts", "tests")
    for path in sorted((ROOT / folder).rglob("*"))
    if path.is_file() and (path.suffix == ".py" or b"python" in path.read_bytes()[:40])
    if path not in {HOME_OF_ONNXRUNTIME, ELSEWHERE}
]


def runtime_imports(path: Path) -> list[str]:
    """Return where a file imports onnxruntime, in whatever way; names in annotations alone do no harm."""
    tree = ast.parse(path.read_text(), filename=str(path))
    typing = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }
    return [
        ast.unparse(node)
        for node in ast.walk(tree)
        if node not in typing
        and re.match(
            r"(from|import) onnxruntime\b|(\w+\.)?(import_module|__import__)\('onnxruntime", ast.unparse(node)
        )
    ]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_onnxruntime_is_imported_where_its_reports_are_forbidden_and_nowhere_else(path: Path) -> None:
    assert runtime_imports(path) == []
