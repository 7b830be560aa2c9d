"""Removed is gone, from every byte of every file, after whatever change and with whatever company."""

from __future__ import annotations

from pathlib import Path

import pytest
from store_voices import clips, open_store

from benchmarks.erasure_search import Person, find_traces, search_after_changes
from voiceprint.store import Consent

CHANGES = 240


@pytest.mark.parametrize("writers", [1, 4])
def test_what_a_change_takes_out_is_in_no_file(tmp_path: Path, writers: int) -> None:
    counts = search_after_changes(tmp_path / "store", changes=CHANGES, writers=writers)
    assert {what: number for what, number in counts.items() if what.startswith("traces")} == {}
    assert {"remove", "replace", "adapt", "rename", "terms", "opt_out", "expire"} <= counts.keys()


def test_the_search_finds_what_is_there(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        agreed = Consent(by="her mother", purpose="banking", given=store.add("bert", clips(2)).created)
        centroid = store.add("ada", clips(1, 3), notes="on paper", consent=agreed).centroid
        store.search(centroid, top=1)
    words = {"notes": "on paper", "by": "her mother", "purpose": "banking"}
    found = find_traces(tmp_path, Person("ada", clips(1, 3), [centroid], words))
    assert {what.split(" in ")[0] for what in found} == {"a word", "a hash", "an embedding", "a half"}
