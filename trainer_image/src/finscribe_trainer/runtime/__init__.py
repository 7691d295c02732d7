"""Process-wide helpers: stop signal, environment variables, atomic file writes, output folder names, versions."""
