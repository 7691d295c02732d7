"""Checks before the first step: rows are encoded as in generation, and the loss depends on the page."""
