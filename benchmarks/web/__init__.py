"""The engine in a browser beside the engine in Python."""
