"""CAM++ in torch, small and with random weights, under the names of 3D-Speaker's checkpoints."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

BINS, DIM = 16, 12
_WIDTH, _GROWTH, _HEAD = 8, 4, 4
_LAYERS = (2, 3, 2)


class Rectified(nn.Module):
    """Batch normalization and a rectifier."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.batchnorm = nn.BatchNorm1d(channels)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.batchnorm(x))


class Residual(nn.Module):
    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.conv1 = nn.Conv2d(_HEAD, _HEAD, 3, stride=(stride, 1), padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(_HEAD)
        self.conv2 = nn.Conv2d(_HEAD, _HEAD, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(_HEAD)
        self.shortcut = nn.Sequential()
        if stride > 1:
            self.shortcut.append(nn.Conv2d(_HEAD, _HEAD, 1, stride=(stride, 1), bias=False))
            self.shortcut.append(nn.BatchNorm2d(_HEAD))

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + self.shortcut(x))


class Head(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, _HEAD, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(_HEAD)
        self.layer1 = nn.Sequential(Residual(2), Residual(1))
        self.layer2 = nn.Sequential(Residual(2), Residual(1))
        self.conv2 = nn.Conv2d(_HEAD, _HEAD, 3, stride=(2, 1), padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(_HEAD)

    def forward(self, x: Tensor) -> Tensor:
        y = self.layer2(self.layer1(F.relu(self.bn1(self.conv1(x[:, None])))))
        return F.relu(self.bn2(self.conv2(y))).flatten(1, 2)


class Context(nn.Module):
    def __init__(self, dilation: int) -> None:
        super().__init__()
        width = 2 * _GROWTH
        self.linear_local = nn.Conv1d(width, _GROWTH, 3, padding=dilation, dilation=dilation, bias=False)
        self.linear1 = nn.Conv1d(width, width // 2, 1)
        self.linear2 = nn.Conv1d(width // 2, _GROWTH, 1)

    def forward(self, x: Tensor) -> Tensor:
        segments = [part.mean(-1, keepdim=True).expand_as(part) for part in torch.split(x, 100, dim=-1)]
        context = torch.cat(segments, dim=-1) + x.mean(-1, keepdim=True)
        gates = torch.sigmoid(self.linear2(F.relu(self.linear1(context))))
        gated: Tensor = self.linear_local(x) * gates
        return gated


class Layer(nn.Module):
    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.nonlinear1 = Rectified(channels)
        self.linear1 = nn.Conv1d(channels, 2 * _GROWTH, 1, bias=False)
        self.nonlinear2 = Rectified(2 * _GROWTH)
        self.cam_layer = Context(dilation)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x, self.cam_layer(self.nonlinear2(self.linear1(self.nonlinear1(x))))], dim=1)


class Affine(nn.Module):
    """A convolution before or after a normalization, in the order in which they are named."""

    def __init__(self, linear: nn.Module, nonlinear: nn.Module, *, first: str) -> None:
        super().__init__()
        self.linear, self.nonlinear, self.first = linear, nonlinear, first

    def forward(self, x: Tensor) -> Tensor:
        if self.first == "linear":
            return self.nonlinear(self.linear(x))  # type: ignore[no-any-return]
        return self.linear(self.nonlinear(x))  # type: ignore[no-any-return]


class Normalized(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.batchnorm = nn.BatchNorm1d(channels, affine=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.batchnorm(x)  # type: ignore[no-any-return]


class SmallCampplus(nn.Module):
    """Features (batch, frames, BINS) -> embeddings (batch, DIM)."""

    def __init__(self) -> None:
        super().__init__()
        self.head = Head()
        channels = _HEAD * BINS // 8
        parts: dict[str, nn.Module] = {
            "tdnn": Affine(
                nn.Conv1d(channels, _WIDTH, 5, stride=2, padding=2, bias=False),
                Rectified(_WIDTH),
                first="linear",
            )
        }
        channels = _WIDTH
        for number, (layers, dilation) in enumerate(zip(_LAYERS, (1, 2, 2), strict=True), start=1):
            block = nn.Sequential()
            for layer in range(layers):
                block.add_module(f"tdnnd{layer + 1}", Layer(channels + layer * _GROWTH, dilation))
            parts[f"block{number}"] = block
            channels += layers * _GROWTH
            parts[f"transit{number}"] = Affine(
                nn.Conv1d(channels, channels // 2, 1, bias=False), Rectified(channels), first="nonlinear"
            )
            channels //= 2
        parts["out_nonlinear"] = Rectified(channels)
        parts["dense"] = Affine(nn.Conv1d(2 * channels, DIM, 1, bias=False), Normalized(DIM), first="linear")
        self.xvector = nn.ModuleDict(parts)

    def forward(self, features: Tensor) -> Tensor:
        x = self.head(features.transpose(1, 2))
        for name, part in self.xvector.items():
            if name == "dense":
                x = torch.cat([x.mean(-1), x.std(-1, unbiased=True)], dim=1)[..., None]
            x = part(x)
        return x[..., 0]  # type: ignore[no-any-return]


def small_campplus() -> SmallCampplus:
    """Return the network with random weights and statistics, in evaluation mode."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = SmallCampplus().eval()
        for name, tensor in network.state_dict().items():
            if name.endswith(("batchnorm.weight", "bn1.weight", "bn2.weight", "running_var")):
                tensor.uniform_(0.5, 2.0)
            elif tensor.ndim == 1:
                tensor.normal_(0.0, 0.3)
    return network
