"""Process-wide helpers: stop signal, environment, atomic file writes, progress bars, output folder names."""
