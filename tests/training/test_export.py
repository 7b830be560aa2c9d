"""Export: the model folder gives what torch gives, or there is none."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from benchmarks.synthetic_speech import Speechlike
from training.conftest import tiny_recipe
from voiceprint.errors import ConfigError, CorpusError, ModelError, TrainingError
from voiceprint.model import SpeakerModel
from voiceprint.model.card import read_model_card
from voiceprint.model.folder import write_model_card
from voiceprint.onnx_runtime import graph_embedder
from voiceprint.scoring import normalize
from voiceprint.training.export import from_run, graph
from voiceprint.training.export.from_run import CardSources, export_run, load_encoder
from voiceprint.training.export.graph import write_onnx
from voiceprint.training.export.licences import CorpusLicence
from voiceprint.training.run.assembly import make_trainer
from voiceprint.training.run.checkpoint import read_checkpoint


@pytest.fixture(scope="module")
def run(tiny_corpora: Path, tiny_pool: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "tiny"
    recipe = tiny_recipe(trainer={"steps": 6, "validate_every": 4, "checkpoint_every": 2})
    make_trainer(recipe, corpora=tiny_corpora, pool=tiny_pool, folder=folder).run()
    return folder


def test_the_model_folder_embeds_as_the_averaged_encoder(
    run: Path, tiny_corpora: Path, tmp_path: Path, speechlike: Speechlike
) -> None:
    card = export_run(
        run,
        tmp_path / "model",
        corpora=tiny_corpora,
        checkpoint="last",
        overrides=['version="2"', "licence=CC0-1.0"],
    )
    model = SpeakerModel.open(tmp_path / "model")
    assert (card.title, card.licence, model.dim) == ("tiny 2", "CC0-1.0", 24)
    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == [
        "README.md",
        "encoder.onnx",
        "model.toml",
        "weights.safetensors",
    ]
    clips = [speechlike(1, 0.5), speechlike(2, 1.7)]
    encoder = load_encoder(run, checkpoint="last").encoder
    with torch.inference_mode():
        expected = [normalize(encoder(torch.from_numpy(clip[None])).numpy())[0] for clip in clips]
    assert np.sum(model.embed(clips) * expected, axis=1) == pytest.approx(1.0, abs=1e-5)
    averages = read_checkpoint(run / "checkpoints" / "last.safetensors")[0]
    weights = read_checkpoint(tmp_path / "model" / "weights.safetensors")[0]
    assert all(torch.equal(weights[name], averages[f"average.{name}"]) for name in weights)


def test_large_weights_are_stored_in_half_precision_and_give_the_same(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Linear(16_000, 8), torch.nn.Linear(8, 8))
    path = tmp_path / "network.onnx"
    write_onnx(network, path)
    whole, size = graph_embedder(path), path.stat().st_size
    clip = np.random.default_rng(0).standard_normal((1, 16_000)).astype(np.float32)
    before = whole(clip)
    graph.halve(path)
    assert size - path.stat().st_size == pytest.approx(2 * 16_000 * 8, abs=500)  # of the first layer alone
    assert graph_embedder(path)(clip) == pytest.approx(before, rel=0.01, abs=1e-3)


def test_the_card_says_what_was_trained_and_measured(run: Path, tiny_corpora: Path, tmp_path: Path) -> None:
    sources = CardSources(licences={"tiny": CorpusLicence(licence="CC0-1.0")})
    export_run(run, tmp_path / "model", corpora=tiny_corpora, card=sources)
    card = SpeakerModel.open(tmp_path / "model").card
    log = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    best = min((line for line in log if "eer" in line), key=lambda line: line["eer"])
    assert card.training["steps"] == best["step"]
    assert card.training["corpora"] == ["tiny"]
    assert card.training["run"] == "tiny"
    assert set(card.measured["dev"]) == {"eer", "eer/tiny/clean"}
    # The log has what torch gave, the card what the graph gives.
    assert card.measured["dev"]["eer"] == pytest.approx(best["eer"], abs=0.01)
    low, high = card.measured["dev_intervals"]["eer"]
    assert 0 <= low < card.measured["dev"]["eer"] < high <= 1
    assert card.measured["dev_suite"]["speech"] == {"tiny": {"speakers": 8, "utterances": 32}}
    assert card.training["speech"]["tiny"]["licence"] == "CC0-1.0"
    assert card.encoder["kind"] == "conv_bilstm"
    assert "wccn" not in card.training


def test_after_wccn_the_card_carries_what_was_measured_then(
    run: Path, tiny_corpora: Path, tiny_pool: Path, tmp_path: Path
) -> None:
    plain = export_run(run, tmp_path / "plain", corpora=tiny_corpora)
    told: list[tuple[int, int]] = []
    card = export_run(
        run,
        tmp_path / "model",
        corpora=tiny_corpora,
        wccn=tiny_pool,
        progress=lambda done, total: told.append((done, total)),
    )
    assert card.training["wccn"] == {"shrinkage": 0.8, "batches": 200}
    assert [done for done, _ in told] == list(range(1, told[-1][1] + 1))
    assert card.id != plain.id
    assert card.measured["dev"].keys() == plain.measured["dev"].keys()


def test_another_models_rates_stand_beside(run: Path, tiny_corpora: Path, tmp_path: Path) -> None:
    other = export_run(run, tmp_path / "other", corpora=tiny_corpora, checkpoint="last")
    export_run(
        run, tmp_path / "model", corpora=tiny_corpora, card=CardSources(beside=str(tmp_path / "other"))
    )
    told = read_model_card(tmp_path / "model").extra["beside"]
    assert (told["title"], told["id"], told["steps"]) == ("tiny 1", other.id, 6)
    assert told["dev"] == other.measured["dev"]
    page = (tmp_path / "model" / "README.md").read_text(encoding="utf-8")
    assert f"For comparison, tiny 1 (`{other.id[:12]}`, 6 steps)" in page


@pytest.mark.parametrize("other", ["clips", "conditions"])
def test_a_model_beside_that_was_measured_otherwise_is_refused(
    run: Path, tiny_corpora: Path, tmp_path: Path, other: str
) -> None:
    card = export_run(run, tmp_path / "other", corpora=tiny_corpora)
    changed = {
        "clips": {"dev_suite": {**card.measured["dev_suite"], "clips_per_speaker": 3}},
        "conditions": {"dev": {**card.measured["dev"], "eer/tiny/babble": 0.3}},  # counts in the mean as well
    }[other]
    write_model_card(tmp_path / "other", replace(card, measured={**card.measured, **changed}))
    with pytest.raises(ConfigError, match="was not measured on the dev clips of this run's recipe"):
        export_run(run, tmp_path / "model", corpora=tiny_corpora, card=CardSources(beside=tmp_path / "other"))
    assert not (tmp_path / "model").exists()


def test_wccn_by_other_speech_than_the_runs_is_refused(
    run: Path, tiny_corpora: Path, tiny_pool: Path, tmp_path: Path
) -> None:
    shutil.copy(tiny_pool / "voice-0.pcm", tmp_path)
    listed = (tiny_pool / "voice-0.json").read_text()
    (tmp_path / "voice-0.json").write_text(listed.replace('"id": "', '"id": "other/'))
    with pytest.raises(CorpusError, match="not those"):
        export_run(run, tmp_path / "model", corpora=tiny_corpora, wccn=tmp_path)
    assert not (tmp_path / "model").exists()


def test_eight_bits_are_smaller_and_measured(run: Path, tiny_corpora: Path, tmp_path: Path) -> None:
    whole = export_run(run, tmp_path / "whole", corpora=tiny_corpora)
    small = export_run(run, tmp_path / "small", corpora=tiny_corpora, int8=True)
    assert small.id != whole.id
    sizes = [(tmp_path / name / "encoder.onnx").stat().st_size for name in ("whole", "small")]
    assert sizes[1] < sizes[0]
    assert small.measured["dev_float32"] == whole.measured["dev"]
    # What the card calls its dev rate is that of the graph in the folder.
    assert 0 <= small.measured["dev"]["eer"] <= 0.6
    SpeakerModel.open(tmp_path / "small").embed([np.ones(8000, dtype=np.float32) * 0.1])


def test_a_graph_that_disagrees_is_not_written(
    run: Path, tiny_corpora: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export_run(run, tmp_path / "model", corpora=tiny_corpora)
    before = {path.name: path.read_bytes() for path in (tmp_path / "model").iterdir()}
    honest = graph_embedder

    def dishonest(path: Path) -> object:
        embed = honest(path)

        def shifted(waveforms: NDArray[np.float32]) -> NDArray[np.float32]:
            return embed(waveforms) + np.float32(0.05) * np.arange(24, dtype=np.float32)

        return shifted

    monkeypatch.setattr(graph, "graph_embedder", dishonest)
    with pytest.raises(TrainingError, match=r"lie .* from torch's, more than 1e-05; nothing was written"):
        export_run(run, tmp_path / "model", corpora=tiny_corpora, overwrite=True)
    assert {path.name: path.read_bytes() for path in (tmp_path / "model").iterdir()} == before


def test_an_interrupted_export_leaves_the_earlier_model(
    run: Path, tiny_corpora: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export_run(run, tmp_path / "model", corpora=tiny_corpora)

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(from_run, "quantize", interrupted)
    with pytest.raises(KeyboardInterrupt):
        export_run(run, tmp_path / "model", corpora=tiny_corpora, int8=True, overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    SpeakerModel.open(tmp_path / "model").embed([np.ones(8000, dtype=np.float32) * 0.1])


def test_a_model_is_replaced_only_when_told_to_and_its_licence_is_kept(
    run: Path, tiny_corpora: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    export_run(run, folder, corpora=tiny_corpora)
    (folder / "LICENSE").write_text("terms")
    with pytest.raises(ModelError, match="model: exists already"):
        export_run(run, folder, corpora=tiny_corpora)
    card = export_run(run, folder, corpora=tiny_corpora, checkpoint="last", overwrite=True)
    assert SpeakerModel.open(folder).id == card.id
    assert (folder / "LICENSE").read_text() == "terms"


def test_runs_that_cannot_be_exported(run: Path, tiny_corpora: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is no training run"):
        export_run(tmp_path, tmp_path / "model", corpora=tiny_corpora)
    (tmp_path / "recipe.json").write_text((run / "recipe.json").read_text())
    with pytest.raises(TrainingError, match=r"best.safetensors: there is no such checkpoint; the first"):
        export_run(tmp_path, tmp_path / "model", corpora=tiny_corpora)
    with pytest.raises(TrainingError, match="but the recipe makes it"):
        export_run(run, tmp_path / "model", corpora=tiny_corpora, overrides=["encoder.dim=16"])
    assert not (tmp_path / "model").exists()
