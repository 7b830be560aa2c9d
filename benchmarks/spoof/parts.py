"""What all parts of the benchmark are told."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What is measured.

    Attributes
    ----------
    corpora : Path
        Root of the corpora.
    split : str
        Whose speakers: ``dev`` or ``test``.
    clips : int
        Recordings of each corpus.
    seed : int
        Of what is drawn.
    """

    corpora: Path
    split: str
    clips: int
    seed: int
