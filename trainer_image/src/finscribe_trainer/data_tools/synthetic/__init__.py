"""Generates synthetic documents: their content, their pages, and the artifacts of scanning."""
