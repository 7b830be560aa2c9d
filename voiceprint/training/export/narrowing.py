"""Narrow a trained encoder: remove the LSTM cells and attention units that its embeddings need least.

A narrower encoder takes less time a clip. What is removed is replaced by its mean over training speech, and
training continues. Which ones are needed least is found by leaving each out in turn (structured
pruning; Molchanov et al., "Pruning convolutional neural networks for resource efficient inference", 2017).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from voiceprint.audio import SAMPLE_RATE
from voiceprint.errors import ConfigError, CorpusError, TrainingError
from voiceprint.training.data.pool import Pool
from voiceprint.training.encoders import ConvBiLSTM, make_encoder
from voiceprint.training.locks import locked_run
from voiceprint.training.origins import read_origins, save_origins
from voiceprint.training.run.checkpoint import load_into, read_checkpoint, write_checkpoint
from voiceprint.training.run.recipe import Recipe, read_saved_recipe, save_recipe

_ROUNDS = 4
_CLIPS, _SECONDS = 128, 2
_DIRECTIONS = ("", "_reverse")

_Slices: TypeAlias = Mapping[str, Sequence[tuple[int, Tensor]]]
"""Name of a parameter -> (axis, indices that stay) of each axis that loses something."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What stays of a `ConvBiLSTM`, and what replaces the rest.

    Parameters
    ----------
    cells : Tensor of int64
        LSTM cells, forward ones from 0 and backward ones from ``hidden``; as many of each, rising.
    units : Tensor of int64
        Units of the pooling's attention, rising.
    cell_means : Tensor, (2 * hidden,)
        What each cell of the wide encoder gives on average.
    unit_means : Tensor, (attention,)
        The same of the attention's units.
    """

    cells: Tensor
    units: Tensor
    cell_means: Tensor
    unit_means: Tensor


@torch.no_grad()
def choose(
    encoder: ConvBiLSTM,
    waveforms: Tensor,
    *,
    hidden: int,
    attention: int,
    progress: Callable[[int, int], None] = lambda done, rounds: None,
) -> Kept:
    """Choose what to keep, by how far embeddings move without each cell and each unit.

    Parameters
    ----------
    encoder : ConvBiLSTM
        In evaluation mode.
    waveforms : Tensor
        (clips, samples) of training speech at 16 kHz.
    hidden, attention : int
        How many cells a direction and how many units to keep.
    progress : callable
        ``progress(done, rounds)`` after each round, which removes a part and ranks the rest again.

    Raises
    ------
    ConfigError
        The encoder has fewer.
    """
    config = encoder.config
    for name, asked in (("hidden", hidden), ("attention", attention)):
        has = getattr(config, name)
        if not 1 <= asked <= has:
            raise ConfigError(f"{name}: {asked}; give from 1 to {has}, which the encoder has")
    x = encoder.convolve(encoder.log_mels(waveforms))
    kept = _all_kept(encoder, x)
    trial, reference = copy.deepcopy(encoder), encoder.embed_frames(x)

    def moved(without: Kept) -> float:
        trial.load_state_dict(_without(encoder, without))
        return float(1 - F.cosine_similarity(trial.embed_frames(x), reference).mean())

    for done in range(1, _ROUNDS + 1):
        losses = {int(c): moved(replace(kept, cells=_less(kept.cells, {int(c)}))) for c in kept.cells}
        goal = _of_round(config.hidden, hidden, done)
        off = {
            cell
            for first in (0, config.hidden)
            for cell in _least(losses, range(first, first + config.hidden), leaving=goal)
        }
        kept = replace(kept, cells=_less(kept.cells, off))
        losses = {int(u): moved(replace(kept, units=_less(kept.units, {int(u)}))) for u in kept.units}
        goal = _of_round(config.attention, attention, done)
        kept = replace(kept, units=_less(kept.units, _least(losses, range(config.attention), leaving=goal)))
        progress(done, _ROUNDS)
    return kept


def _all_kept(encoder: ConvBiLSTM, x: Tensor) -> Kept:
    recurrent, _ = encoder.lstm(x.transpose(1, 2))
    first, tanh, _ = encoder.pooling.score
    units = tanh(first(torch.cat([x, recurrent.transpose(1, 2)], dim=1)))
    return Kept(
        cells=torch.arange(2 * encoder.config.hidden),
        units=torch.arange(encoder.config.attention),
        cell_means=recurrent.mean(dim=(0, 1)),
        unit_means=units.mean(dim=(0, 2)),
    )


def _of_round(before: int, goal: int, done: int) -> int:
    """How many are left after a round."""
    return before - (before - goal) * done // _ROUNDS


def _least(losses: Mapping[int, float], among: range, *, leaving: int) -> set[int]:
    ranked = sorted((i for i in losses if i in among), key=losses.__getitem__)
    return set(ranked[: len(ranked) - leaving])


def _less(indices: Tensor, off: set[int]) -> Tensor:
    return torch.tensor([i for i in indices.tolist() if i not in off], dtype=torch.int64)


@torch.no_grad()
def _without(encoder: ConvBiLSTM, kept: Kept) -> dict[str, Tensor]:
    """Weights that ignore the cells and units to remove; biases hold their means instead."""
    weights = {name: tensor.clone() for name, tensor in encoder.state_dict().items()}
    hidden, channels = encoder.config.hidden, encoder.config.channels
    gone = _less(torch.arange(2 * hidden), set(kept.cells.tolist()))
    for number, direction in enumerate(_DIRECTIONS):
        own = gone[gone // hidden == number]
        _mute(
            weights,
            f"lstm.weight_hh_l0{direction}",
            f"lstm.bias_hh_l0{direction}",
            own % hidden,
            kept.cell_means[own],
        )
    _mute(weights, "pooling.score.0.weight", "pooling.score.0.bias", channels + gone, kept.cell_means[gone])
    units = _less(torch.arange(encoder.config.attention), set(kept.units.tolist()))
    _mute(weights, "pooling.score.2.weight", "pooling.score.2.bias", units, kept.unit_means[units])
    # What is pooled of a cell comes out of the batch normalisation as its bias, on average.
    pooled = _pooled(channels + gone, channels + 2 * hidden)
    _mute(weights, "projection.weight", "projection.bias", pooled, weights["normalization.bias"][pooled])
    return weights


def _mute(weights: dict[str, Tensor], weight: str, bias: str, inputs: Tensor, means: Tensor) -> None:
    matrix = weights[weight].flatten(1)  # a view, also of a convolution of one frame
    weights[bias] += matrix[:, inputs] @ means
    matrix[:, inputs] = 0


def _pooled(rows: Tensor, channels: int) -> Tensor:
    """Where the means and the standard deviations of channels stand in what pooling gives."""
    return torch.cat([rows, channels + rows])


@torch.no_grad()
def narrowed(encoder: ConvBiLSTM, kept: Kept) -> ConvBiLSTM:
    """An encoder of what is kept, in evaluation mode.

    Parameters
    ----------
    encoder : ConvBiLSTM
        The wide one; it stays as it is.
    """
    config = replace(encoder.config, hidden=len(kept.cells) // 2, attention=len(kept.units))
    with torch.random.fork_rng(devices=[]):
        narrow = ConvBiLSTM(config)
    slices = _slices(encoder, kept)
    narrow.load_state_dict(
        {name: _cut(t, slices.get(name, ())) for name, t in _without(encoder, kept).items()}
    )
    return narrow.eval()


def _slices(encoder: ConvBiLSTM, kept: Kept) -> _Slices:
    hidden, channels = encoder.config.hidden, encoder.config.channels
    found: dict[str, Sequence[tuple[int, Tensor]]] = {}
    for number, direction in enumerate(_DIRECTIONS):
        cells = kept.cells[kept.cells // hidden == number] % hidden
        gates = torch.cat([cells + gate * hidden for gate in range(4)])
        for name in ("weight_ih", "bias_ih", "bias_hh"):
            found[f"lstm.{name}_l0{direction}"] = [(0, gates)]
        found[f"lstm.weight_hh_l0{direction}"] = [(0, gates), (1, cells)]
    rows = torch.cat([torch.arange(channels), channels + kept.cells])
    pooled = _pooled(rows, channels + 2 * hidden)
    found["pooling.score.0.weight"] = [(0, kept.units), (1, rows)]
    found["pooling.score.0.bias"] = [(0, kept.units)]
    found["pooling.score.2.weight"] = [(0, rows), (1, kept.units)]
    found["pooling.score.2.bias"] = [(0, rows)]
    for name in ("weight", "bias", "running_mean", "running_var"):
        found[f"normalization.{name}"] = [(0, pooled)]
    found["projection.weight"] = [(1, pooled)]
    return found


def _cut(tensor: Tensor, slices: Sequence[tuple[int, Tensor]]) -> Tensor:
    for axis, indices in slices:
        tensor = tensor.index_select(axis, indices)
    return tensor


def narrow_run(
    run: Path,
    folder: Path,
    *,
    pool: Path,
    hidden: int,
    attention: int,
    overrides: Sequence[str] = (),
    progress: Callable[[int, int], None] = lambda done, rounds: None,
) -> float:
    """Write a run at the best checkpoint of another run, with a narrower encoder.

    Parameters
    ----------
    run : Path
        The run to narrow; it stays as it is.
    folder : Path
        The new one, which ``voiceprint train --resume`` goes on with.
    pool : Path
        The run's decoded speech, 128 clips of which decide what to keep.
    hidden, attention, progress
        As for `choose`.
    overrides : sequence of str
        ``key=value`` changes of the new run's recipe.

    Returns
    -------
    float
        Mean cosine distance between narrow and wide embeddings of those clips.

    Raises
    ------
    ConfigError
        As for `choose`; or ``run`` holds no recipe, or one of another kind of encoder.
    CorpusError
        The pool is not rendered, or has too few clips of 2 s.
    TrainingError
        There is no best checkpoint, or ``folder`` holds a run.
    """
    recipe = read_saved_recipe(run)
    path = run / "checkpoints" / "best.safetensors"
    tensors, state = read_checkpoint(path)
    wide = _encoder(recipe, tensors, "average.", path)
    waveforms = _clips(pool, recipe)
    kept = choose(wide, waveforms, hidden=hidden, attention=attention, progress=progress)
    narrow = narrowed(wide, kept)
    found = _narrowed_tensors(recipe, wide, kept, tensors, path)
    with locked_run(folder):
        if (folder / "checkpoints").exists():
            raise TrainingError(f"{folder}: holds a run; name another folder")
        save_recipe(replace(read_saved_recipe(run, overrides), encoder=narrow.config), folder)
        if (origins := read_origins(run)) is not None:
            save_origins(origins, folder)
        write_checkpoint(
            folder / "checkpoints" / "last.safetensors", found, {**state, "best": None, "since_best": 0}
        )
    with torch.inference_mode():
        return float(1 - F.cosine_similarity(wide(waveforms), narrow(waveforms)).mean())


def _narrowed_tensors(
    recipe: Recipe, wide: ConvBiLSTM, kept: Kept, tensors: Mapping[str, Tensor], path: Path
) -> dict[str, Tensor]:
    """All tensors of a checkpoint, those of the encoder narrowed."""
    found = {name: t for name, t in tensors.items() if name.startswith(("loss.", "average_loss."))}
    for prefix in ("average.", "encoder."):
        weights = narrowed(_encoder(recipe, tensors, prefix, path), kept).state_dict()
        found |= {f"{prefix}{name}": tensor for name, tensor in weights.items()}
    return found | _moments(wide, kept, tensors)


def _encoder(recipe: Recipe, tensors: Mapping[str, Tensor], prefix: str, path: Path) -> ConvBiLSTM:
    encoder = make_encoder(recipe.encoder, seed=0)
    if not isinstance(encoder, ConvBiLSTM):
        raise ConfigError(f"encoder.kind: {recipe.encoder.kind}; conv_bilstm alone can be narrowed")
    load_into(encoder, tensors, prefix=prefix, path=path)
    return encoder.eval()


def _clips(pool: Path, recipe: Recipe) -> Tensor:
    speech = Pool(pool, voices=1 + len(recipe.data.voices))
    samples = _SECONDS * SAMPLE_RATE
    drawn = np.random.default_rng(recipe.seed).permutation(len(speech))
    long = [int(i) for i in drawn if speech.utterances[i].samples >= samples][:_CLIPS]
    if not long:
        raise CorpusError(f"{pool}: holds no clip of {_SECONDS} s; narrowing takes up to {_CLIPS} of them")
    return torch.from_numpy(np.stack([speech.read(i, 0, samples) for i in long]))


def _moments(wide: ConvBiLSTM, kept: Kept, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The optimiser's moments of what stays, under the numbers that it gives its parameters.

    Matrices of the encoder come first, then those of the loss, then the vectors of both likewise.
    """
    slices = _slices(wide, kept)
    moments = {name: t for name, t in tensors.items() if name.startswith("optimizer.")}
    first_vector = min(_number(n) for n, t in moments.items() if n.endswith(".exp_avg") and t.ndim <= 1)
    parameters = list(wide.named_parameters())
    name_of = dict(enumerate(name for name, p in parameters if p.ndim > 1))
    name_of |= dict(enumerate((name for name, p in parameters if p.ndim <= 1), start=first_vector))
    return {
        name: _cut(t, slices.get(name_of.get(_number(name), ""), ()) if t.ndim else ())
        for name, t in moments.items()
    }


def _number(name: str) -> int:
    return int(name.split(".")[1])
