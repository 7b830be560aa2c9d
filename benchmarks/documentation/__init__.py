"""The pages of the documentation that are made of the code: names, commands, what lies beside docs/."""
