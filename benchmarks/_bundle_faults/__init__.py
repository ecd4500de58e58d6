"""Mutations of a sound bundle, and a reader process that must survive them."""
