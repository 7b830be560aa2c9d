"""The site's files: the model as a browser loads it, what is refused, what the wheel carries."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import zipfile
from pathlib import Path

import numpy as np
import onnx
import pytest
from hatchling.builders.wheel import WheelBuilder
from onnx import helper, numpy_helper

from benchmarks.synthetic_speech import synthesize
from voiceprint.catalog.int8 import WEIGHTED, quantize_weights
from voiceprint.countermeasure import LivenessCheck, log_odds
from voiceprint.errors import FolderExistsError, ModelError
from voiceprint.model import SpeakerModel
from voiceprint.onnx_runtime import load_runtime, open_session
from voiceprint.web import build_site, write_model_files
from voiceprint.web.assets import SCRIPTS, find_runtime

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "web"
NPM = shutil.which("npm")


@pytest.fixture
def assets(tmp_path: Path) -> Path:
    """Scripts as if they were built, for a runtime of three bytes."""
    folder = tmp_path / "assets"
    folder.mkdir()
    for name in SCRIPTS:
        (folder / name).write_text("")
    described = {"name": "runtime.wasm", "version": "9.9.9", "sha256": hashlib.sha256(b"abc").hexdigest()}
    (folder / "assets.json").write_text(json.dumps({"runtime": described}))
    return folder


def test_the_card_of_a_site_is_that_of_the_model_with_the_hashes_of_its_own_files(
    model: SpeakerModel, tmp_path: Path
) -> None:
    card = write_model_files(model, tmp_path, weights="original")
    assert card == json.loads((tmp_path / "model.json").read_text())
    assert card["id"] == model.id == card["files"]["encoder.onnx"]
    assert card["calibration"] == model.card.to_dict()["calibration"]
    for name, digest in card["files"].items():
        assert hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() == digest


def test_the_default_model_in_8_bits_takes_less_than_6_mb_and_keeps_its_id(tmp_path: Path) -> None:
    model = SpeakerModel.open("default")
    card = write_model_files(model, tmp_path)
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 6_000_000
    assert card["id"] == model.id != card["files"]["encoder.onnx"]
    assert card["weights"]["kind"] == "int8"
    assert card["weights"]["least_cosine"] >= 0.999
    assert model.cohort is not None
    voices = np.fromfile(tmp_path / "cohort.f32", dtype="<f4").reshape(-1, model.dim)
    assert np.array_equal(voices, model.cohort)
    assert {"LICENSE", "NOTICE"} <= {path.name for path in tmp_path.iterdir()}


def test_an_encoder_that_8_bits_are_too_few_for_is_refused(
    model: SpeakerModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voiceprint.web.model_files.LEAST_COSINE", 1.01)
    with pytest.raises(ModelError, match=r"cosine \d\.\d+, at least 1.01 is needed\); keep the original"):
        write_model_files(model, tmp_path)


def test_scripts_that_are_not_built_are_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"not built: engine\.js, .*npm ci && npm run build"):
        find_runtime(assets=tmp_path)


def test_a_runtime_that_is_missing_or_another_is_named_with_where_to_get_it(assets: Path) -> None:
    with pytest.raises(
        ModelError, match=r"onnxruntime-web 9\.9\.9 is not there.*npm pack onnxruntime-web@9\.9\.9"
    ):
        find_runtime(assets=assets)
    (assets / "runtime.wasm").write_bytes(b"abd")
    with pytest.raises(ModelError, match=r"is not runtime\.wasm of onnxruntime-web 9\.9\.9"):
        find_runtime(assets=assets)
    (assets / "runtime.wasm").write_bytes(b"abc")
    assert find_runtime(assets=assets).content == b"abc"


def test_a_site_replaces_nothing_but_a_site(site: Path, model: SpeakerModel, tmp_path: Path) -> None:
    (tmp_path / "letters.txt").write_text("mine")
    with pytest.raises(ModelError, match="is no site of this program"):
        build_site(tmp_path, model=model, weights="original", overwrite=True)
    with pytest.raises(FolderExistsError, match="exists already"):
        build_site(site, model=model, weights="original")
    assert [path.name for path in tmp_path.iterdir()] == ["letters.txt"]


def test_the_same_site_has_the_same_version_and_another_model_another(
    site: Path, model: SpeakerModel, tmp_path: Path
) -> None:
    again = tmp_path / "again"
    build_site(again, model=model, weights="original")
    build_site(again, model=model, weights="original", overwrite=True)
    assert (again / "sw.js").read_bytes() == (site / "sw.js").read_bytes()
    build_site(tmp_path / "other", model=SpeakerModel.open("default"), weights="original")
    assert (tmp_path / "other" / "sw.js").read_bytes() != (site / "sw.js").read_bytes()


def test_the_page_of_a_site_has_a_policy_that_names_no_other_site(site: Path) -> None:
    html = (site / "index.html").read_text(encoding="utf-8")
    policy = html.split('http-equiv="Content-Security-Policy" content="')[1].split('"')[0]
    assert policy.startswith("default-src 'none'")
    assert "connect-src 'self'" in policy
    assert "http" not in policy
    assert "unsafe-inline" not in policy


def test_the_wheel_holds_the_scripts_and_not_the_runtime(site: Path, tmp_path: Path) -> None:
    wheel = next(WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"]))
    with zipfile.ZipFile(wheel) as archive:
        names = {Path(name).name for name in archive.namelist() if "/web/assets/" in name}
    assert names == {*SCRIPTS, "assets.json"}


@pytest.mark.parametrize("half", [False, True], ids=["float32", "half precision"])
def test_weights_of_every_operator_fit_in_8_bits(half: bool) -> None:
    generator = np.random.default_rng(0)
    numbers = {
        "kernel": generator.standard_normal((16, 8, 9)),
        "dense": generator.standard_normal((16, 80)),
        "product": generator.standard_normal((80, 80)),
        "small": generator.standard_normal((80, 2)),
    }
    kind = np.float16 if half else np.float32
    nodes = [
        helper.make_node("Conv", ["sound", "kernel"], ["filtered"], strides=[9]),
        helper.make_node("ReduceMean", ["filtered"], ["mean"], axes=[2], keepdims=0),
        helper.make_node("Gemm", ["mean", "dense"], ["wide"]),
        helper.make_node("MatMul", ["wide", "product"], ["mixed"]),
        helper.make_node("MatMul", ["mixed", "small"], ["out"]),
    ]
    if half:
        casts = [
            helper.make_node("Cast", [f"{name}.half"], [name], to=onnx.TensorProto.FLOAT) for name in numbers
        ]
        nodes = [*casts, *nodes]
    ending = ".half" if half else ""
    constants = [
        numpy_helper.from_array(value.astype(kind), name + ending) for name, value in numbers.items()
    ]
    entry = helper.make_tensor_value_info("sound", onnx.TensorProto.FLOAT, [1, 8, 90])
    out = helper.make_tensor_value_info("out", onnx.TensorProto.FLOAT, [1, 2])
    graph = helper.make_graph(nodes, "graph", [entry], [out], constants)
    original = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    quantized = onnx.ModelProto()
    quantized.CopyFrom(original)
    quantize_weights(quantized, operators=WEIGHTED)
    whole = {
        tensor.name for tensor in quantized.graph.initializer if tensor.data_type == onnx.TensorProto.INT8
    }
    assert whole == {"kernel.int8", "dense.int8", "product.int8"}
    runtime, sound = load_runtime(), generator.standard_normal((1, 8, 90)).astype(np.float32)
    found = [
        runtime.InferenceSession(each.SerializeToString(), providers=["CPUExecutionProvider"]).run(
            None, {"sound": sound}
        )[0]
        for each in (original, quantized)
    ]
    assert np.abs(found[0] - found[1]).max() < 0.05 * np.abs(found[0]).max()


@pytest.mark.skipif(NPM is None or not (PACKAGE / "dist").is_dir(), reason="needs npm, and web/ to be built")
def test_the_npm_package_holds_types_and_bundles_and_no_tests() -> None:
    asked = [str(NPM), "pack", "--dry-run", "--json", "--ignore-scripts"]
    made = subprocess.run(asked, cwd=PACKAGE, capture_output=True, text=True, check=True)
    paths = {Path(file["path"]) for file in json.loads(made.stdout)[0]["files"]}
    described = json.loads((PACKAGE / "package.json").read_text(encoding="utf-8"))
    for entry in (".", "./worker"):
        assert {Path(path) for path in described["exports"][entry].values()} <= paths
    assert {Path("README.md"), Path("dist/LICENSE"), Path("dist/bundle/worker.js")} <= paths
    assert {path.parts[0] for path in paths if len(path.parts) > 1} <= {"dist", "model"}
    assert [path for path in paths if "test" in path.as_posix()] == []


CONSUMER = """import { openInWorker, type RemoteSession, type Verification } from "voiceprint-web";
import { VoiceprintError } from "voiceprint-web";

const worker = new Worker(new URL("voiceprint-web/worker", import.meta.url), { type: "module" });
const places = { model: "/model/", runtime: "/ort-wasm-simd-threaded.wasm" };
const verifier = await openInWorker(worker, { ...places, store: "people", spoof_far: 0.01 });
const clip = { samples: new Float32Array(48_000), sample_rate: 16_000 };
const { accepted, spoof }: Verification = await verifier.verify("ada", clip);
const session: RemoteSession = await verifier.session({ claim: "ada" });
const decided = (await session.feed(clip.samples, 16_000)).filter(({ event }) => event === "decided");
export const found: [boolean, number | undefined, number] = [accepted, spoof?.llr, decided.length];
export const known = (error: unknown): string => (error instanceof VoiceprintError ? error.code : "");
"""


@pytest.mark.skipif(NPM is None or not (PACKAGE / "dist").is_dir(), reason="needs npm, and web/ to be built")
@pytest.mark.parametrize(("module", "resolution"), [("ESNext", "bundler"), ("NodeNext", "nodenext")])
def test_a_project_that_takes_the_package_compiles(module: str, resolution: str, tmp_path: Path) -> None:
    installed = tmp_path / "node_modules" / "voiceprint-web"
    shutil.copytree(PACKAGE / "dist", installed / "dist")
    shutil.copyfile(PACKAGE / "package.json", installed / "package.json")
    (tmp_path / "package.json").write_text('{"type": "module"}')
    (tmp_path / "main.ts").write_text(CONSUMER)
    options = {"target": "ES2022", "module": module, "moduleResolution": resolution, "strict": True}
    options |= {"lib": ["ES2022", "DOM"], "types": [], "noEmit": True}
    (tmp_path / "tsconfig.json").write_text(json.dumps({"compilerOptions": options, "files": ["main.ts"]}))
    compiler = [str(shutil.which("node")), str(PACKAGE / "node_modules/typescript/bin/tsc"), "-p", "."]
    made = subprocess.run(compiler, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (made.returncode, made.stdout) == (0, "")


def test_a_countermeasure_fits_in_beside_the_model_in_8_bits(tmp_path: Path) -> None:
    check = LivenessCheck.open(spoof_far=0.02)
    card = write_model_files(SpeakerModel.open("default"), tmp_path, liveness=check)
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 6_700_000
    assert (tmp_path / "NOTICE-countermeasure").is_file()
    digest = hashlib.sha256((tmp_path / "countermeasure.onnx").read_bytes()).hexdigest()
    assert card["files"]["countermeasure.onnx"] == digest
    assert card["countermeasure"]["spoof_far"] == 0.02
    assert card["countermeasure"]["thresholds"] == check.countermeasure.card.thresholds
    smaller = open_session(tmp_path / "countermeasure.onnx")
    for seed in range(4):
        speech = synthesize(seed, 3.0, 120.0, 1.0)
        original = log_odds(check.countermeasure.logits(speech)[None])
        (logits,) = smaller.run(None, {"waveform": speech[None]})
        assert log_odds(logits) == pytest.approx(original, abs=0.2)
