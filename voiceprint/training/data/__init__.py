"""What an encoder is trained on: rendered speech, samplers, batches of crops."""
