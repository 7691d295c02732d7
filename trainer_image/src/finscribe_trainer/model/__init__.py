"""The base model and its adapter: families, loading, LoRA, precision, compilation, sharding, merging."""
