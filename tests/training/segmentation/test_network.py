from __future__ import annotations

from dataclasses import replace
from itertools import permutations, product
from pathlib import Path

import numpy as np
import pytest
import torch

from voiceprint.diarization.segmentation import CLASSES, WINDOW, Segmentation, members
from voiceprint.diarization.turns import SpeakerTurn
from voiceprint.errors import ConfigError, ModelError, TrainingError
from voiceprint.training.encoders.conv_bilstm import ConvBiLSTM, ConvBiLSTMConfig
from voiceprint.training.run.checkpoint import load_weights, write_checkpoint
from voiceprint.training.segmentation.conversations import Conversation
from voiceprint.training.segmentation.network import NetworkConfig, SegmentationNetwork
from voiceprint.training.segmentation.powerset import IGNORED, PowersetLoss, to_classes
from voiceprint.training.segmentation.recipe import read_segmentation_recipe
from voiceprint.training.segmentation.windows import SegmentationSuite, activity, windows_of

ROOT = Path(__file__).parents[3]
ENCODER = ConvBiLSTMConfig(stem=8, channels=12, blocks=1, hidden=4, attention=4)
SMALL = NetworkConfig(hidden=4, decision=6, encoder=ENCODER)


def test_every_set_of_up_to_two_speakers_is_a_class() -> None:
    for active in product([False, True], repeat=3):
        place = int(to_classes(torch.tensor(active)))
        if sum(active) == 3:
            assert place == IGNORED
        else:
            assert CLASSES[place] == tuple(n for n, on in enumerate(active) if on)
    assert members().sum() == 9


def test_an_encoder_with_2d_convolutions_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"network.encoder.spectrum: \[4\]; .* take an encoder without"):
        NetworkConfig(encoder=replace(ENCODER, spectrum=(4,)))


def test_the_loss_is_that_of_the_best_order() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 9, 7, generator=generator)
    active = torch.rand(2, 9, 3, generator=generator) > 0.6
    wanted = []
    for row, truth in zip(torch.log_softmax(logits, dim=-1), active, strict=True):
        losses = []
        for order in permutations(range(3)):
            parts = []
            for frame, on in zip(row, truth, strict=True):
                here = tuple(n for n, speaker in enumerate(order) if on[speaker])
                if len(here) < 3:
                    parts.append(-float(frame[CLASSES.index(here)]))
            losses.append(sum(parts) / len(parts))
        wanted.append(min(losses))
    found = PowersetLoss()(logits, active)
    assert float(found.total) == pytest.approx(sum(wanted) / 2, rel=1e-5)
    shuffled = PowersetLoss()(logits, active[..., [2, 0, 1]])
    assert float(shuffled.total) == pytest.approx(float(found.total), rel=1e-6)


def test_a_frame_is_judged_every_20_ms_and_level_does_not_matter() -> None:
    torch.manual_seed(0)
    network = SegmentationNetwork(SMALL).eval()
    sound = 0.05 * torch.randn(2, 48_000)
    with torch.inference_mode():
        logits = network(sound)
        quieter = network(0.1 * sound)
    assert logits.shape == (2, 150, 7)
    torch.testing.assert_close(logits, quieter, atol=1e-3, rtol=1e-3)


def test_the_network_starts_with_an_encoders_convolutions(tmp_path: Path) -> None:
    encoder = ConvBiLSTM(ENCODER)
    path = tmp_path / "encoder.safetensors"
    write_checkpoint(path, {f"average.{name}": value for name, value in encoder.state_dict().items()}, {})
    network = SegmentationNetwork(SMALL)
    network.front.start_from(path)
    torch.testing.assert_close(network.front.convolutions.state_dict(), encoder.convolutions.state_dict())
    with pytest.raises(TrainingError, match=r"average.convolutions.0.0.weight has shape"):
        SegmentationNetwork(replace(SMALL, encoder=replace(ENCODER, stem=6))).front.start_from(path)


def test_the_weights_that_ship_are_those_of_the_graph() -> None:
    folder = ROOT / "voiceprint/models/segmentation"
    network = SegmentationNetwork(
        read_segmentation_recipe(ROOT / "configs/segmentation-tuned.toml").network
    ).eval()
    load_weights(network, folder / "weights.safetensors")
    sound = 0.05 * torch.randn(1, WINDOW, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        ours = torch.softmax(network(sound), dim=-1).numpy()
    theirs = Segmentation(folder / "segmentation.onnx").judge(sound.numpy())
    np.testing.assert_allclose(ours, theirs, atol=1e-3)


def test_frozen_convolutions_stay_as_they_are() -> None:
    network = SegmentationNetwork(replace(SMALL, frozen=True)).train()
    before = {name: value.clone() for name, value in network.front.state_dict().items()}
    network(0.05 * torch.randn(2, 32_000)).square().sum().backward()
    torch.testing.assert_close(network.front.state_dict(), before)  # running statistics as well
    assert all(each.grad is None for each in network.front.parameters())
    assert all(each.grad is not None for each in network.lstm.parameters())


def test_activity_is_that_of_the_three_who_say_most() -> None:
    turns = (
        SpeakerTurn(start=0.0, stop=4.0, speaker="a"),
        SpeakerTurn(start=1.0, stop=3.0, speaker="b"),
        SpeakerTurn(start=5.0, stop=6.0, speaker="c"),
        SpeakerTurn(start=7.0, stop=7.1, speaker="d"),
    )
    talk = Conversation(samples=np.zeros(160_000, np.float32), turns=turns)
    found = activity(talk, 0, 160_000)
    assert found.shape == (500, 3)
    assert found.sum(axis=0).tolist() == [200 + 5, 100 + 5, 50 + 5]  # d counts as all three at once
    assert found[100].sum() == 2
    assert activity(talk, 80_000, 160_000)[0].sum() == 1
    assert len(list(windows_of(talk, 4.0))) == 2


def test_the_suite_counts_frames_in_the_best_order() -> None:
    active = np.zeros((100, 3), dtype=np.bool_)
    active[:60, 0] = active[40:80, 1] = True

    class Fixed(torch.nn.Module):
        def forward(self, waveforms: torch.Tensor) -> torch.Tensor:
            classes = torch.zeros(100, dtype=torch.long)
            classes[:60] = CLASSES.index((2,))  # the first speaker, under another number; no overlap
            classes[60:90] = CLASSES.index((0,))  # the second one, and 10 frames too long
            return torch.nn.functional.one_hot(classes, 7).float().expand(len(waveforms), -1, -1)

    suite = SegmentationSuite([(np.zeros(32_000, np.float32), active)])
    figures = suite(Fixed())
    assert figures["missed"] == pytest.approx(20 / 100)
    assert figures["false_alarm"] == pytest.approx(10 / 100)
    assert figures["confusion"] == 0.0
    assert figures["error"] == pytest.approx(30 / 100)


def test_what_is_no_network_is_a_model_error(tmp_path: Path) -> None:
    (tmp_path / "x.onnx").write_bytes(b"nothing")
    with pytest.raises(ModelError, match="is no segmentation network"):
        Segmentation(tmp_path / "x.onnx")
    with pytest.raises(ModelError, match="cannot be read"):
        Segmentation(tmp_path / "y.onnx")
