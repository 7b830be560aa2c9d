"""What the package declares, pins and ships."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
from hatchling.builders.sdist import SdistBuilder
from hatchling.builders.wheel import WheelBuilder
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
MODEL = ROOT / "voiceprint" / "models" / "default"

CORE = [Requirement(line) for line in PROJECT["dependencies"]]
EXTRAS = [
    Requirement(line)
    for lines in PROJECT["optional-dependencies"].values()
    for line in lines
    if Requirement(line).name != PROJECT["name"]  # an extra that is part of another one
]


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return {
        canonical(name): version
        for name, version in (line.split("==") for line in lines if line and not line.startswith("#"))
    }


def closure(requirements: list[Requirement]) -> set[str]:
    """Return the names of what is required, and of what that requires, as far as it is installed here."""
    found: set[str] = set()
    waiting = list(requirements)
    while waiting:
        requirement = waiting.pop()
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        name = canonical(requirement.name)
        if name in found:
            continue
        found.add(name)
        try:
            waiting += map(Requirement, distribution(name).requires or [])
        except PackageNotFoundError:
            continue  # an extra that is not installed
    return found


def test_everything_that_is_installed_is_pinned() -> None:
    assert closure(CORE + EXTRAS) - pins().keys() == set()


@pytest.mark.parametrize("requirement", CORE + EXTRAS, ids=lambda requirement: requirement.name)
def test_the_pins_lie_within_the_ranges(requirement: Requirement) -> None:
    assert requirement.specifier.contains(pins()[canonical(requirement.name)])


@pytest.mark.parametrize("requirement", CORE + EXTRAS, ids=lambda requirement: requirement.name)
def test_every_range_has_both_ends(requirement: Requirement) -> None:
    assert {specifier.operator for specifier in requirement.specifier} == {">=", "<"}


def test_the_core_needs_none_of_the_heavy_packages() -> None:
    heavy = {"torch", "torchaudio", "librosa", "scikit-learn", "scipy", "matplotlib", "numba"}
    assert closure(CORE) & heavy == set()


def test_the_constraints_are_sorted_and_hold_each_name_once() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()[1:]
    assert lines == sorted(lines, key=str.lower)
    assert len(pins()) == len(lines)


def test_the_version_is_a_release() -> None:
    assert not Version(PROJECT["version"]).is_prerelease


def test_the_licences_of_code_and_weights_are_there() -> None:
    for name in PROJECT["license-files"]:
        assert (ROOT / name).stat().st_size > 1000, name


def test_the_notice_names_what_the_weights_come_from() -> None:
    notice = (MODEL / "NOTICE").read_text(encoding="utf-8")
    for source in ("speechocean762", "LibriSpeech", "Arabic Speech Commands", "CAM++", "ESC-10"):
        assert source in notice


def test_the_wheel_holds_the_model_without_its_torch_weights(tmp_path: Path) -> None:
    wheel = next(WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"]))
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    inside = {name for name in names if name.startswith("voiceprint/models/default/")}
    assert {Path(name).name for name in inside} >= {"encoder.onnx", "model.toml", "LICENSE", "NOTICE"}
    assert not [name for name in names if name.endswith("weights.safetensors")]
    assert "voiceprint/models/segmentation/segmentation.onnx" in names
    listening = {Path(name).name for name in names if name.startswith("voiceprint/models/countermeasure/")}
    assert listening == {"countermeasure.onnx", "countermeasure.toml", "NOTICE"}
    asking = {Path(name).name for name in names if name.startswith("voiceprint/models/challenge/")}
    assert asking == {"challenge.onnx", "challenge.toml", "NOTICE"}
    assert {"voiceprint/py.typed", "voiceprint/catalog/catalog.toml"} <= set(names)
    assert {name.split("/")[0].split("-")[0] for name in names} == {"voiceprint", "voiceprint_engine"}
    assert Path(wheel).stat().st_size < 20e6  # the light core: megabytes


@pytest.fixture(scope="session")
def wheel_of_the_sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel made of what the source distribution holds, and of nothing else."""
    folder = tmp_path_factory.mktemp("sdist")
    sdist = next(SdistBuilder(str(ROOT)).build(directory=str(folder), versions=["standard"]))
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    (source,) = (path.parent for path in folder.glob("*/pyproject.toml"))
    return Path(next(WheelBuilder(str(source)).build(directory=str(folder), versions=["standard"])))


def test_a_wheel_of_the_sdist_holds_what_a_wheel_of_the_checkout_does(
    wheel_of_the_sdist: Path, tmp_path: Path
) -> None:
    wheel = next(WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"]))
    with zipfile.ZipFile(wheel) as ours, zipfile.ZipFile(wheel_of_the_sdist) as theirs:
        assert {file.filename: file.CRC for file in theirs.infolist()} == {
            file.filename: file.CRC for file in ours.infolist()
        }


def test_an_installed_wheel_finds_nothing_wrong_with_itself(wheel_of_the_sdist: Path, tmp_path: Path) -> None:
    installed = tmp_path / "installed"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target"]
    subprocess.run([*pip, str(installed), str(wheel_of_the_sdist)], check=True)
    code = (
        "import sys\nsys.path.insert(0, sys.argv.pop(1))\n"
        "import voiceprint\nassert voiceprint.__file__.startswith(sys.path[0])\n"
        "from voiceprint.cli import main\nmain()"
    )
    command = [sys.executable, "-I", "-c", code, str(installed), "doctor", "--json"]
    done = subprocess.run(
        [*command, "--store", str(tmp_path / "store")],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    checks = {check["name"]: check["detail"] for check in json.loads(done.stdout)["checks"]}
    assert checks["voiceprint-engine"] == PROJECT["version"]
    assert str(installed) in checks["model"]
