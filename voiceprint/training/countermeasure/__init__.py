"""The countermeasure: banks of live and machine-made speech, replay, the network, its training and export."""
