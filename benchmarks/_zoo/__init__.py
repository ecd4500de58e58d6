"""The models of `benchmarks export-zoo`, and how their artifacts are judged."""
