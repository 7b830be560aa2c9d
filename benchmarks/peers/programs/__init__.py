"""What runs in the peers' own environment: nothing of voiceprint, numpy and the peers alone."""
