"""`evertune init --preset text`."""
