"""Reports of a comparison: HTML page, Markdown, terminal."""
