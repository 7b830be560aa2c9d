"""What a model card says besides what its files show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from voiceprint.corpus import Corpus
from voiceprint.files.checksum import sha256_of
from voiceprint.model.card import ENCODER_FILE, ModelCard


@dataclass(frozen=True, slots=True, kw_only=True)
class CardFacts:
    """The part of a model card that is known before the model folder is written.

    Parameters
    ----------
    encoder, training : Mapping
        Tables of the card: the architecture, and what it was trained on.
    """

    name: str
    version: str
    description: str
    licence: str
    encoder: Mapping[str, Any]
    training: Mapping[str, Any]
    extra: Mapping[str, Any] = field(default_factory=dict)

    def card_of(
        self,
        folder: Path,
        *,
        dim: int,
        files: tuple[str, ...] = (),
        min_seconds: float = 0.1,
        encoder: Mapping[str, Any] | None = None,
        measured: Mapping[str, Any] | None = None,
    ) -> ModelCard:
        """Make the card of a folder that holds the encoder.

        Parameters
        ----------
        files : tuple of str
            Those of the card besides the encoder.
        min_seconds : float
            The shortest waveform that the encoder takes.
        encoder : Mapping, optional
            What to add to the table of the architecture.
        """
        return ModelCard(
            name=self.name,
            version=self.version,
            description=self.description,
            licence=self.licence,
            dim=dim,
            files={file: sha256_of(folder / file) for file in (ENCODER_FILE, *files)},
            min_seconds=min_seconds,
            encoder={**self.encoder, **(encoder or {})},
            training=self.training,
            measured=measured or {},
            extra=self.extra,
        )


def corpus_size(corpus: Corpus) -> dict[str, float]:
    """The size of a corpus, as a card says it."""
    hours = round(corpus.seconds / 3600, 2)
    return {"speakers": len(corpus.speakers), "utterances": len(corpus), "hours": hours}
