"""A busy machine is no reason to fail: properties are held to no time limit per example."""

from hypothesis import settings

settings.register_profile("voiceprint", deadline=None)
settings.load_profile("voiceprint")
