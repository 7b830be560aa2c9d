"""The residual block of networks of 2D convolutions."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F


class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions beside a shortcut; (B, C_in, F, T) -> (B, C_out, F / stride, T / stride).

    Parameters
    ----------
    stride : int or tuple of int
        Over frequency and time; what is left over counts as a whole step.

    References
    ----------
    He et al., "Deep residual learning for image recognition" (2015), figure 2.
    """

    def __init__(self, inputs: int, outputs: int, *, stride: int | tuple[int, int]) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
            nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        self.shortcut = nn.Sequential()
        if stride not in (1, (1, 1)) or inputs != outputs:
            self.shortcut.append(nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False))
            self.shortcut.append(nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Planes of the next layer."""
        return F.relu(self.convolutions(x) + self.shortcut(x))
