"""A challenge: words to say in an order that no recording can hold yet; English alone (see challenge.md)."""

from voiceprint.challenge.challenges import Challenges
from voiceprint.challenge.checker import SaidWords, WordChecker
from voiceprint.challenge.words import LENGTH, SECONDS, WORDS, Challenge

__all__ = ["LENGTH", "SECONDS", "WORDS", "Challenge", "Challenges", "SaidWords", "WordChecker"]
