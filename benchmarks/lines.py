"""Count the lines of package, scripts and documents: code, docstrings, comments and blank lines apart."""

from __future__ import annotations

import ast
import io
import subprocess
import tarfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

COUNTED = ("voiceprint", "scripts", "benchmarks", "docs")
CODE = frozenset({".py", ".js", ".css", ".html", ".sh"})
PROSE, DATA = frozenset({".md"}), frozenset({".json", ".jsonl"})
"""All else is not written line by line: weights, corpora's tables, images, a card's data, licences."""

KINDS = ("code", "docstrings", "prose", "comments", "blank", "data")


def line_table(files: dict[str, str]) -> list[str]:
    """Return the lines of every room as a table; the last row is their sum.

    Parameters
    ----------
    files : dict of str to str
        The text of each file by its path in the checkout.
    """
    rooms: dict[str, Counter[str]] = {}
    for path, text in files.items():
        folder, *below = path.split("/")[:-1]
        rooms.setdefault("/".join([folder, *below[:1]]), Counter()).update(count_lines(path, text))
    rooms["all"] = sum(rooms.values(), Counter())
    rows = [["", "lines", *KINDS]]
    for room, lines in rooms.items():
        # What a script prints again is no line that somebody has to read.
        numbers = [lines.total() - lines["data"], *(lines[kind] for kind in KINDS)]
        rows.append([room, *(f"{number:,}" for number in numbers)])
    return [f"{room:28}" + "".join(f"{cell:>12}" for cell in cells) for room, *cells in rows]


def count_lines(path: str, text: str) -> Counter[str]:
    """Count a file's lines of each kind; nothing of a file that nobody writes line by line."""
    suffix, lines = Path(path).suffix, text.splitlines()
    blank = sum(not line.strip() for line in lines)
    if suffix in DATA:
        return Counter(data=len(lines))
    if suffix in PROSE:
        return Counter(prose=len(lines) - blank, blank=blank)
    is_program = suffix == "" and text.startswith("#!")
    if suffix not in CODE and not is_program:
        return Counter()
    documented = docstring_lines(text) if suffix == ".py" or (is_program and "python" in lines[0]) else set()
    rest = [line.strip() for number, line in enumerate(lines, 1) if number not in documented]
    kinds = ("blank" if not line else "comments" if line.startswith("#") else "code" for line in rest)
    return Counter({"docstrings": len(documented)}) + Counter(kinds)


def docstring_lines(text: str) -> set[int]:
    """Return the numbers of the lines that stand in docstrings."""
    return {
        number
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        for number in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }


def files_of_revision(root: Path, revision: str) -> Iterator[tuple[str, str]]:
    """Yield path and text of the files that a revision holds below the counted folders."""
    packed = subprocess.run(["git", "archive", revision], cwd=root, capture_output=True, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        for member in archive:
            file = archive.extractfile(member)
            if file is not None and member.name.startswith(COUNTED):
                try:
                    yield member.name, file.read().decode()
                except UnicodeDecodeError:
                    continue
