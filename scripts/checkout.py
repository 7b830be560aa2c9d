"""The programs beside this file run the code of their own checkout."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.program import run

__all__ = ["run"]
