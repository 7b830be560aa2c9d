"""What is refused although the voice fits: recordings seen before, and speech of machines."""
