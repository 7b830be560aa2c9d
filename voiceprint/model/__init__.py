"""From a model folder to unit-length embeddings, and the card that says what they are worth."""

from __future__ import annotations

from typing import TYPE_CHECKING

from voiceprint.front import front_page

if TYPE_CHECKING:
    from voiceprint.model.card import ModelCard, read_model_card
    from voiceprint.model.folder import write_model_card
    from voiceprint.model.registry import PACKAGED_MODEL
    from voiceprint.model.speaker_model import SpeakerModel

__all__ = [
    "PACKAGED_MODEL",
    "ModelCard",
    "SpeakerModel",
    "read_model_card",
    "write_model_card",
]

__getattr__ = front_page(
    __name__,
    {
        "card": ("ModelCard", "read_model_card"),
        "folder": ("write_model_card",),
        "registry": ("PACKAGED_MODEL",),
        "speaker_model": ("SpeakerModel",),
    },
)
