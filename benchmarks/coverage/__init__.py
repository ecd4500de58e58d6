"""Every framework on every domain, through the whole loop: `python -m benchmarks.coverage` writes docs/coverage.md."""
