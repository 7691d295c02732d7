"""Process-wide helpers: stop signal, environment, atomic file writes, output folder names."""
