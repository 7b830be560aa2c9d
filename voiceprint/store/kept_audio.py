"""The kept speech of enrolled people, by which they can be embedded anew: erased with them."""

from __future__ import annotations

from voiceprint.store.journal import recorded
from voiceprint.store.names import normalize_name
from voiceprint.store.open_store import OpenStore
from voiceprint.store.voices import check_keeps_speech


class KeptAudio(OpenStore):
    """The part of a store that keeps speech."""

    def check_keeps_audio(self) -> None:
        """Raise StoreError if this store keeps no speech."""
        with self._backend.reading() as tables:
            check_keeps_speech(tables, self.path)

    def kept_audio(self, name: str) -> dict[str, bytes]:
        """Return the kept speech of a person's clips.

        Returns
        -------
        dict from str to bytes
            Opus in Ogg, by the SHA-256 of the clip's samples; nothing of clips whose speech is not kept.

        Raises
        ------
        SpeakerNotFoundError
            If nobody of that name is enrolled.
        """
        name = normalize_name(name)
        with self._backend.reading() as tables:
            return tables.audio(self._find(tables, name))

    @recorded("forget-audio")
    def forget_audio(self, name: str) -> bool:
        """Erase a person's kept speech, as `remove` erases voiceprints; returns whether there was any.

        Raises
        ------
        SpeakerNotFoundError
            If nobody of that name is enrolled.
        """
        name = normalize_name(name)
        with self._backend.writing() as tables:
            forgotten = tables.forget_audio(self._find(tables, name))
        if forgotten:
            self._backend.after_removal(f"the kept speech of {name!r} was erased")
        return forgotten
