"""Lets models read documents, scores what they answer, and compares two of them."""
