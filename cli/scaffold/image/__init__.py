"""`evertune init --preset image`."""
