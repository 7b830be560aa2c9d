"""Training: recipes, data, losses, the loop and export. Needs the ``train`` extra."""
