"""A synthetic data set and a tiny random model: everything a first run needs, made from a seed in seconds."""
