"""ONNX graphs as LiteRT (TFLite) files, for any length of sound.

Converters that start from torch fix the length of a recurrent layer. Here the LSTM becomes LiteRT's fused
operator, and what depends on the length stays in the graph: the caller resizes the input to the clip.
Needs the extra ``convert``.
"""

from voiceprint.litert.converting import convert_graph
from voiceprint.litert.running import litert_embedder

__all__ = ["convert_graph", "litert_embedder"]
