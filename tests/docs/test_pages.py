"""Every block of bash and Python runs, in the page's order; none of the pages that lead evades that."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import pytest
from docs_blocks import NEEDS, ROOT, RUN, Block, Reader, blocks_of, reader_environment, unfenced_code

DOCS = ROOT / "docs"
LEADING = [
    DOCS / "getting-started.md",
    *sorted(DOCS.glob("tutorials/*.md")),
    *sorted(DOCS.glob("how-to/*.md")),
]
PAGES = [*LEADING, *sorted(DOCS.glob("reference/*.md")), *sorted(DOCS.glob("explanation/*.md"))]


@pytest.fixture
def desk(recordings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with recordings, where a reader of a page works."""
    folder = tmp_path / "desk"
    shutil.copytree(recordings, folder)
    shutil.copytree(ROOT / "configs", folder / "configs")
    for key in ("VOICEPRINT_STORE", "VOICEPRINT_MODELS"):
        monkeypatch.delenv(key)
    for key, value in reader_environment(folder).items():
        monkeypatch.setenv(key, value)
    monkeypatch.chdir(folder)
    return folder


def name_of(page: Path) -> str:
    return str(page.relative_to(DOCS))


def read(page: Path) -> list[Block]:
    return blocks_of(page.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "page", [page for page in PAGES if RUN & {each.language for each in read(page)}], ids=name_of
)
def test_every_block_runs(page: Path, desk: Path) -> None:
    if "ada-1.wav" in page.read_text(encoding="utf-8"):  # it enrolls its people itself
        shutil.rmtree(desk / "enrollments")
    reader = Reader(page, desk)
    try:
        for block in read(page):
            reader.follow(block)
    finally:
        reader.leave()


@pytest.mark.parametrize("page", LEADING, ids=name_of)
def test_no_block_evades_the_test(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert unfenced_code(text) == [], "fence the block and name its language"
    for block in blocks_of(text):
        where = f"{page}:{block.line}"
        assert block.language, f"{where}: name the block's language; text, if it is none"
        assert block.language not in {"sh", "shell", "console", "py", "pycon"}, f"{where}: bash or python"
        assert not block.needs or block.needs in NEEDS, (
            f"{where}: {block.needs!r} is no reason of {set(NEEDS)}"
        )


def test_most_blocks_run() -> None:
    counted = Counter(
        block.needs or "runs" for page in PAGES for block in read(page) if block.language in RUN
    )
    assert counted["runs"] > 0.5 * counted.total(), counted


PAGE = """Text.

```bash
ls
```

```text
a
```
*Needs Docker:*

```bash
docker run
```

- `a.toml`:

  ```toml
  x = 1
  ```
"""


def test_a_page_is_read_block_by_block() -> None:
    first, second, third, fourth = blocks_of(PAGE.replace("- `a", "`a"))
    assert (first.language, first.code, first.line, first.follows) == ("bash", "ls\n", 3, False)
    assert (second.language, second.follows) == ("text", True)
    assert (third.needs, third.follows) == ("Docker", False)
    assert (fourth.file, fourth.code) == ("a.toml", "x = 1\n")
    assert unfenced_code(PAGE) == []
    assert unfenced_code("Text.\n\n    voiceprint list\n\n- a list\n\n    its text\n") == [3]


def test_a_reader_notices_what_does_not_work(tmp_path: Path) -> None:
    reader = Reader(Path("page.md"), tmp_path)

    def follow(language: str, code: str, **more: str) -> None:
        reader.follow(Block(language=language, code=code, line=1, follows=True, **more))

    follow("toml", "x = 1\n", file="made/a.toml")
    follow("bash", "echo score 0.71; cat made/a.toml\n")
    follow("text", "score 0.80\nx = 2\n")
    with pytest.raises(AssertionError, match="but this is printed"):
        follow("text", "score 0.80 accepted\n")
    follow("python", "print('on', 'a line')\n")
    follow("text", "on ...\n")
    with pytest.raises(AssertionError, match="ended with 3"):
        follow("bash", "(exit 3)\n")
    follow("bash", "(exit 3)\n", needs="a network")
