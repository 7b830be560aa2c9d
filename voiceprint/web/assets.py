"""What the site runs on: the scripts that ``web/`` of a checkout is built into, and onnxruntime-web."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from voiceprint.errors import ModelError

ASSETS = Path(__file__).parent / "assets"
"""Where ``npm run build`` puts the scripts; the wheel carries them, but not the runtime's 14 MB."""

SCRIPTS = ("engine.js", "home.js", "sw.js", "tab.js")
_MANIFEST = "assets.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """The WebAssembly that runs networks in a browser.

    Attributes
    ----------
    name : str
        The file's name in a site.
    version : str
        Of onnxruntime-web.
    """

    name: str
    version: str
    content: bytes


def find_runtime(given: Path | None = None, *, assets: Path = ASSETS) -> Runtime:
    """Read the runtime that the scripts were built for.

    Parameters
    ----------
    given : Path, optional
        The file; beside the scripts unless given.

    Raises
    ------
    ModelError
        If the scripts are not built, or the runtime is missing or another one; says where to get it.
    """
    missing = [name for name in (*SCRIPTS, _MANIFEST) if not (assets / name).is_file()]
    if missing:
        raise ModelError(
            f"{assets}: the site's scripts are not built: {', '.join(missing)}",
            advice="in a checkout run: cd web && npm ci && npm run build",
            path=str(assets),
        )
    described = json.loads((assets / _MANIFEST).read_text(encoding="utf-8"))["runtime"]
    name, version = described["name"], described["version"]
    path = assets / name if given is None else given
    advice = (
        f"get it by: npm pack onnxruntime-web@{version}; unpack the archive and name its file "
        f"package/dist/{name}"
    )
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(
            f"{path}: the WebAssembly of onnxruntime-web {version} is not there: {error.strerror}",
            advice=advice,
            path=str(path),
        ) from error
    if hashlib.sha256(content).hexdigest() != described["sha256"]:
        raise ModelError(f"{path}: is not {name} of onnxruntime-web {version}", advice=advice, path=str(path))
    return Runtime(name=name, version=version, content=content)
