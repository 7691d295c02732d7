"""Generates a small data set from a seed, for a first run."""
