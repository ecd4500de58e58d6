"""Tasks to copy."""
