"""Kills drivers and workers of real searches, and reads from what is left what it cost."""
