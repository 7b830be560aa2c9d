"""Print the bytes on disk of a distribution with everything that it requires, in this environment, as JSON.

It imports nothing of voiceprint, which is not installed in the peers' environment. Run it in the checkout's
folder: ``python -m benchmarks.peers.programs.installed_size DISTRIBUTION``.
"""

from __future__ import annotations

import importlib.metadata
import json
import re
import sys
from pathlib import Path

from packaging.requirements import Requirement

OURS = "voiceprint-engine"
PACKAGE = Path(__file__).resolve().parents[3] / "voiceprint"


def main() -> None:
    """Print the size of the distribution that the command line names."""
    found: dict[str, int] = {}
    _add_size(sys.argv[1], found)
    largest = dict(sorted(found.items(), key=lambda item: -item[1])[:4])
    print(json.dumps({"bytes": sum(found.values()), "packages": len(found), "largest": largest}))


def _add_size(name: str, found: dict[str, int]) -> None:
    key = re.sub(r"[-_.]+", "-", name).lower()
    if key in found:
        return
    try:
        distribution = importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        if key == "webrtcvad":  # these are its ready builds
            _add_size("webrtcvad-wheels", found)
        return
    found[key] = _checkout_bytes() if key == OURS else _files_bytes(distribution)
    for line in distribution.requires or []:
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            _add_size(requirement.name, found)


def _checkout_bytes() -> int:
    """Return the size of this checkout's package as the wheel holds it."""
    files = (path for path in PACKAGE.rglob("*") if path.is_file())
    return sum(
        path.stat().st_size
        for path in files
        if "__pycache__" not in path.parts and path.name != "weights.safetensors"
    )


def _files_bytes(distribution: importlib.metadata.Distribution) -> int:
    paths = [Path(str(file.locate())) for file in distribution.files or []]
    return sum(path.stat().st_size for path in paths if path.suffix != ".pyc" and path.exists())


if __name__ == "__main__":
    main()
