"""Two bundles on the same rows."""
