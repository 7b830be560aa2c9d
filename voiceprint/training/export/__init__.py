"""From a run, or from a published model, to a model folder."""
