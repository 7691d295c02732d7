"""How model families differ: loading, prompts, batches, and where an adapter goes."""
