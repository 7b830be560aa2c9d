"""The model that ships: its report, and the tables of README.md."""
