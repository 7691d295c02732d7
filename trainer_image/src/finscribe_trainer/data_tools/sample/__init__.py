"""Generates a small data set and a tiny model with random weights from a seed, for a first run."""
