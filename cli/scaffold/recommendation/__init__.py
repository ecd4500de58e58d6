"""`evertune init --preset recommendation`."""
