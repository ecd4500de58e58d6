"""Evidence: each module here measures one claim and compares it with its target. `python -m benchmarks --help`."""
