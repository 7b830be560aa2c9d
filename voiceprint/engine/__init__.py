"""Enroll, verify, identify: :class:`~voiceprint.engine.verifier.Verifier` and what it is made of."""
