"""A training run: its recipe and task, the trainer, validation, checkpoints."""
