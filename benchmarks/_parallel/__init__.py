"""The project that `tuning-parallel` searches."""
