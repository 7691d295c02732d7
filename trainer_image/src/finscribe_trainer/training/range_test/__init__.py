"""The learning rate range test of Smith (arXiv 1506.01186)."""
