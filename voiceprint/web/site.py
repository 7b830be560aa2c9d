"""A site of static files: the server's page, with an engine in the tab in the server's place."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from voiceprint.countermeasure import LivenessCheck
from voiceprint.errors import FolderExistsError, ModelError
from voiceprint.model import SpeakerModel
from voiceprint.web.assets import ASSETS, SCRIPTS, Runtime, find_runtime
from voiceprint.web.model_files import Weights, write_model_files

MODEL_FOLDER = "model"
MARK = "voiceprint-site.json"
"""Says of a folder that it is such a site, and may be replaced."""

_POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self'; "
    "style-src 'self'; img-src 'self'; media-src blob:; base-uri 'none'; form-action 'none'"
)
_CHARSET = '  <meta charset="utf-8">\n'
_MAIN = '  <script type="module" src="main.js"></script>\n'
_NOTICE = """\
This site runs on:

voiceprint, Apache licence 2.0
onnxruntime-web {version}, copyright Microsoft Corporation, MIT licence
Silero VAD, copyright Silero Team, MIT licence (model/speech.onnx)
The speaker encoder in model/: see model/LICENSE and model/NOTICE there.
A countermeasure in model/, where there is one: see model/NOTICE-countermeasure.

MIT licence

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and
associated documentation files (the "Software"), to deal in the Software without restriction,
including without limitation the rights to use, copy, modify, merge, publish, distribute,
sublicense, and/or sell copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial
portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT
NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND
NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES
OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN
CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A site that was built.

    Attributes
    ----------
    model : str
        Id of the model whose voiceprints it makes and takes in.
    weights : {"int8", "original"}
        How the encoder's weights are stored.
    least_cosine : float or None
        Of its embeddings and those of the original weights, on sounds that are made up.
    bytes_of_model, bytes_in_all : int
        What a browser downloads at its first visit: of the model, and of everything.
    """

    folder: Path
    model: str
    weights: Weights
    least_cosine: float | None
    bytes_of_model: int
    bytes_in_all: int


def build_site(
    folder: Path,
    *,
    model: SpeakerModel,
    weights: Weights = "int8",
    liveness: LivenessCheck | None = None,
    runtime: Path | None = None,
    overwrite: bool = False,
) -> Site:
    """Write a site that enrolls and recognises people in a browser tab.

    Any web server can serve it; it asks nothing of any other site. Browsers let a page record only over
    https, or from localhost.

    Parameters
    ----------
    folder : Path
        Written whole, or not at all.
    weights, liveness
        As of `write_model_files`.
    runtime : Path, optional
        ``ort-wasm-simd-threaded.wasm`` of onnxruntime-web; in a checkout that was built it is found.
    overwrite : bool
        Whether a site that is there may be replaced; another folder never is.

    Raises
    ------
    ModelError
        If a part is missing, the folder is taken or cannot be written, or 8 bits are too few.
    """
    runs_on = find_runtime(runtime)
    _check_place(folder, overwrite=overwrite)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as scratch:
            new = Path(scratch) / "new"
            site = _write(new, folder, model=model, weights=weights, liveness=liveness, runtime=runs_on)
            if folder.exists():
                folder.rename(Path(scratch) / "old")
            new.rename(folder)
    except OSError as error:
        raise ModelError(f"{folder}: cannot be written: {error.strerror}", path=str(folder)) from error
    return site


def _check_place(folder: Path, *, overwrite: bool) -> None:
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    if not (folder / MARK).is_file():
        raise ModelError(f"{folder}: is no site of this program, and is not replaced", path=str(folder))
    if not overwrite:
        raise FolderExistsError(
            f"{folder}: exists already", advice="name another folder, or overwrite it", path=str(folder)
        )


def _write(
    new: Path,
    folder: Path,
    *,
    model: SpeakerModel,
    weights: Weights,
    liveness: LivenessCheck | None,
    runtime: Runtime,
) -> Site:
    page = files("voiceprint") / "server" / "page"
    with_model = new / MODEL_FOLDER
    with_model.mkdir(parents=True)
    for source in page.iterdir():
        (new / source.name).write_bytes(source.read_bytes())
    for name in SCRIPTS:
        shutil.copyfile(ASSETS / name, new / name)
    (new / runtime.name).write_bytes(runtime.content)
    (new / "NOTICE.txt").write_text(_NOTICE.format(version=runtime.version), encoding="utf-8")
    _for_a_tab(new / "index.html")
    card = write_model_files(model, with_model, weights=weights, liveness=liveness)
    sizes = {path.relative_to(new).as_posix(): path.stat().st_size for path in _files(new)}
    version = _with_service_worker(new, sizes)
    mark = {"site": "voiceprint", "version": version, "model": card["id"], "weights": card["weights"]}
    (new / MARK).write_text(json.dumps(mark, indent=2) + "\n", encoding="utf-8")
    return Site(
        folder=folder,
        model=card["id"],
        weights=weights,
        least_cosine=card["weights"]["least_cosine"],
        bytes_of_model=sum(size for name, size in sizes.items() if name.startswith(f"{MODEL_FOLDER}/")),
        bytes_in_all=sum(sizes.values()),
    )


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _for_a_tab(index: Path) -> None:
    """Give the page its policy, which a server would send, and the script that only the site has."""
    html = index.read_text(encoding="utf-8")
    policy = f'  <meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
    for anchor in (_CHARSET, _MAIN):
        if html.count(anchor) != 1:
            raise ModelError(f"{index}: holds no line {anchor.strip()!r}; install again", path=str(index))
    own = '  <script type="module" src="tab.js"></script>\n'
    whole = html.replace(_CHARSET, _CHARSET + policy).replace(_MAIN, own + _MAIN)
    index.write_text(whole, encoding="utf-8", newline="\n")


def _with_service_worker(site: Path, sizes: dict[str, int]) -> str:
    """Tell the service worker which files there are; returns the version, which changes with any of them."""
    listed = [name for name in sizes if name != "sw.js"]
    digest = hashlib.sha256()
    for name in listed:
        digest.update(name.encode() + b"\0" + hashlib.sha256((site / name).read_bytes()).digest())
    version = digest.hexdigest()[:16]
    build = {"version": version, "files": listed, "bytes": sum(sizes[name] for name in listed)}
    script = site / "sw.js"
    script.write_text(
        f"self.BUILD = {json.dumps(build)};\n{script.read_text(encoding='utf-8')}",
        encoding="utf-8",
        newline="\n",
    )
    return version
