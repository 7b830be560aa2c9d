"""The segmentation network of the diarizer: simulated conversations, the network, its training and export."""
