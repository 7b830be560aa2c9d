"""A checksum differs wherever what is stored differs, and stays what older stores hold."""

from __future__ import annotations

import pytest

from voiceprint.files.checksum import checksum


@pytest.mark.parametrize(
    "other", [("ada", 1.0, None), ("ada", 1, "None"), ("ada", "1", None), (1, "ada", None), ("ada", 1)]
)
def test_other_facts_have_another_checksum(other: tuple[object, ...]) -> None:
    assert checksum(other) != checksum(("ada", 1, None))


def test_content_counts() -> None:
    assert checksum((), b"a") == checksum((), memoryview(b"a")) != checksum((), b"b")


def test_the_checksums_of_existing_stores_stay() -> None:
    assert checksum(["ada", 1, None, b"\x00"]).hex() == "4a81db0c97ff1272"
    assert checksum(("ada", 1, None), b"abc").hex() == "a432e9636d9d0106"
