"""What the steps of using and making a model cost."""
