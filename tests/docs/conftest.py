"""The recordings of a reader, made once."""

from __future__ import annotations

from pathlib import Path

import pytest
from docs_recordings import enroll_readers, write_recordings


@pytest.fixture(scope="session")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of recordings, with ada and bert enrolled; to copy from."""
    folder = tmp_path_factory.mktemp("recordings")
    write_recordings(folder)
    enroll_readers(folder)
    return folder
