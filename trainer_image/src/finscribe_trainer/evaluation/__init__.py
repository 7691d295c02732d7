"""Generates a model's answers on a test set, scores them, and compares two models."""
