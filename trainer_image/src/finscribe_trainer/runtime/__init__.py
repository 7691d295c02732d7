"""Process-wide helpers: stop signal, environment, progress bars, names of output files."""
