"""Lines are counted by kind, and what nobody writes line by line is not counted."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from benchmarks.lines import count_lines, files_of_revision, line_table

MODULE = '''"""What it is.

It has a second paragraph.
"""

NAME = "x"
"""What the name means."""


def act():
    # The reason.
    return """no

    docstring"""
'''


@pytest.mark.parametrize(
    ("path", "text", "counted"),
    [
        ("voiceprint/a.py", MODULE, {"docstrings": 5, "code": 4, "comments": 1, "blank": 4}),
        ("scripts/demo", "#!/bin/sh\n\ntrue\n", {"comments": 1, "code": 1, "blank": 1}),
        ("docs/a.md", "# Title\n\nText.\n", {"prose": 2, "blank": 1}),
        ("docs/a.json", "{\n}\n", {"data": 2}),
        ("voiceprint/models/default/LICENSE", "All rights\n", {}),
    ],
)
def test_every_kind_of_line_is_counted_apart(path: str, text: str, counted: dict[str, int]) -> None:
    assert {kind: lines for kind, lines in count_lines(path, text).items() if lines} == counted


def test_the_table_sums_up_rooms_and_leaves_data_out_of_the_lines() -> None:
    files = {
        "docs/a.json": "{}\n",
        "voiceprint/store/a.py": "x = 1\n",
        "voiceprint/store/sqlite/b.py": "y = 2\n\n",
    }
    assert [line.split() for line in line_table(files)[1:]] == [
        ["docs", "0", "0", "0", "0", "0", "0", "1"],
        ["voiceprint/store", "3", "2", "0", "0", "0", "1", "0"],
        ["all", "3", "2", "0", "0", "0", "1", "1"],
    ]


def test_a_revision_is_read_rather_than_the_folder(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    page, image = tmp_path / "docs/a.md", tmp_path / "docs/a.png"
    page.write_text("then\n")
    image.write_bytes(b"\xff\xd8")
    (tmp_path / "other.md").write_text("not counted\n")
    who = ("-c", "user.name=A", "-c", "user.email=a@example.org")
    for command in (["init", "-q"], ["add", "."], [*who, "commit", "-qm", "first"]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    page.write_text("now\n")
    assert dict(files_of_revision(tmp_path, "HEAD")) == {"docs/a.md": "then\n"}
