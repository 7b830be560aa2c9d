"""What a file holds, before a decoder sees it: every stretch of sound in it, or why it is refused.

A decoder reads the first of several files that were joined, believes a header that counts too little, and
takes what is left of a file that was cut short for the whole. So the containers are walked here first.
"""

from voiceprint.audio.containers.finding import find_links, is_audio_file
from voiceprint.audio.containers.link import Link

__all__ = ["Link", "find_links", "is_audio_file"]
