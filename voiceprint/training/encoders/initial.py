"""Fresh weights as Keras draws them, for encoders that were first published with its defaults."""

from __future__ import annotations

from torch import nn


def draw_as_keras(encoder: nn.Module) -> None:
    """Draw the weights of convolutions and dense layers after Glorot and Bengio (2010); biases are 0."""
    for module in encoder.modules():
        if isinstance(module, nn.Conv1d | nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
