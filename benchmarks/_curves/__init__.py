"""Searches replayed on tables of learning curves: no training, the true cost in epochs."""
