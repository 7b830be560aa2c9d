"""From a model folder to unit-length embeddings, and the card that says what they are worth."""

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
