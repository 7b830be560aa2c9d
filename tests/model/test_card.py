from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tiny_model import tiny_calibration

from voiceprint.calibration import OperatingPoint
from voiceprint.errors import ModelError
from voiceprint.files.checksum import sha256_of
from voiceprint.model.card import CARD_FILE, PAGE_FILE, ModelCard, read_model_card
from voiceprint.model.folder import write_model_card

DIGEST = "ab" * 32
CARD = ModelCard(
    name="example",
    version="1.2",
    dim=192,
    files={"encoder.onnx": DIGEST, "weights.safetensors": "cd" * 32},
    description='Says "hello" \\ and µ',
    licence="CC-BY-4.0",
    calibration=tiny_calibration(),
    decision=OperatingPoint.cost(p_target=0.01, c_fa=10.0),
    min_seconds=0.25,
    encoder={"kind": "conv-bilstm", "layers": [64, 128], "mfcc": {"bands": 64}},
    training={"corpora": [{"name": "x", "hours": 4.5}], "teacher": "none"},
    measured={"eer": {"dev": 0.021}},
    extra={"lineage": {"run": "r1"}},
)


def minimal(**changes: str) -> str:
    lines = {
        "format": "format = 1",
        "model": '[model]\nname = "m"\nversion = "1"\ndim = 4',
        "files": f'[files]\n"encoder.onnx" = "{DIGEST}"',
    } | changes
    return "\n".join(lines.values())


def test_a_card_survives_writing_and_reading(tmp_path: Path) -> None:
    write_model_card(tmp_path, CARD)
    assert read_model_card(tmp_path) == CARD
    assert sorted(path.name for path in tmp_path.iterdir()) == [PAGE_FILE, CARD_FILE]


def test_a_card_without_calibration_survives(tmp_path: Path) -> None:
    write_model_card(tmp_path, replace(CARD, calibration=None))
    assert read_model_card(tmp_path).calibration is None


def test_the_id_is_the_hash_of_the_encoder_alone() -> None:
    assert CARD.id == DIGEST
    assert replace(CARD, calibration=None, name="other").id == DIGEST


def test_what_a_minimal_card_leaves_out_has_defaults(tmp_path: Path) -> None:
    (tmp_path / CARD_FILE).write_text(minimal())
    card = read_model_card(tmp_path)
    assert (card.title, card.dim, card.sample_rate, card.min_seconds) == ("m 1", 4, 16_000, 0.1)
    assert card.calibration is None
    assert card.decision == OperatingPoint.far(0.01)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": ""}, "format = None, but this version"),
        ({"format": "format = 2"}, "reads format 1; update voiceprint"),
        ({"format": "format = ["}, "not a TOML file"),
        ({"model": "model = 3"}, "model = 3 is not a table"),
        ({"model": '[model]\nversion = "1"\ndim = 4'}, "name = None is not text"),
        ({"model": '[model]\nname = "m"\nversion = 1\ndim = 4'}, "version = 1 is not text"),
        ({"model": '[model]\nname = "m"\nversion = "1"\ndim = 0'}, "dim = 0 is not a positive whole number"),
        ({"model": '[model]\nname = "m"\nversion = "1"\ndim = true'}, "dim = True"),
        (
            {"model": '[model]\nname = "m"\nversion = "1"\ndim = 4\nsample_rate = 8000'},
            "sample_rate = 8000, but encoders take 16000 Hz",
        ),
        ({"encoder": "[encoder]\nmin_seconds = 0"}, r"min_seconds = 0 is not a number in \(0, 10\]"),
        ({"files": ""}, 'does not give the sha256 of "encoder.onnx"'),
        ({"files": '[files]\n"encoder.onnx" = "AB"'}, "'AB' is not a sha256"),
        ({"decision": "[decision]\np_fa = 2.0"}, r"\[decision\] is wrong: decision: p_fa is 2.0"),
        ({"calibration": "[calibration]\np_target = 0.5"}, r"\[calibration\] is damaged"),
    ],
)
def test_a_wrong_card_is_refused_with_its_file_and_value(
    tmp_path: Path, changes: dict[str, str], message: str
) -> None:
    (tmp_path / CARD_FILE).write_text(minimal(**changes))
    with pytest.raises(ModelError, match=message) as caught:
        read_model_card(tmp_path)
    assert CARD_FILE in str(caught.value)
    assert caught.value.path == str(tmp_path)


def test_a_folder_that_is_missing_or_holds_no_card_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="nowhere: no such model folder"):
        read_model_card(tmp_path / "nowhere")
    with pytest.raises(ModelError, match=r"holds no model\.toml"):
        read_model_card(tmp_path)


def test_a_card_that_cannot_be_written_says_so_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / CARD_FILE).mkdir()  # a folder stands where the file should go
    with pytest.raises(ModelError, match="cannot write the model card"):
        write_model_card(tmp_path, CARD)
    assert sorted(path.name for path in tmp_path.iterdir()) == [CARD_FILE]


def test_sha256_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "abc").write_bytes(b"abc")  # FIPS 180-2, appendix B.1
    assert sha256_of(tmp_path / "abc").startswith("ba7816bf8f01cfea")
