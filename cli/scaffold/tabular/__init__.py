"""`evertune init --preset tabular`."""
