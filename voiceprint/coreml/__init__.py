"""ONNX graphs as Core ML programs, for any length of sound.

Apple's coremltools writes and checks the program on any system; Core ML itself, which runs it, is only on
Apple's. Needs the extra ``coreml``.
"""

from voiceprint.coreml.converting import write_program

__all__ = ["write_program"]
