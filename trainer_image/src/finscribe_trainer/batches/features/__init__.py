"""Caches the outputs of the frozen vision tower on disk."""
