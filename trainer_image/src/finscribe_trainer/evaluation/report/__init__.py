"""Comparison reports: HTML, Markdown, terminal."""
