"""Reads and validates rows and images before training, and reports problems by file and line."""
