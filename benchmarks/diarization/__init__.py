"""How wrong the diarizer is, on simulated conversations and on real meetings."""
