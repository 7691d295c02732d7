"""Validates data sets of any size before training: `finscribe data validate`."""
