"""Who speaks when: :class:`~voiceprint.diarization.diarizer.Diarizer` and what it is made of."""
