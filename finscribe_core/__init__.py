"""Code shared by operator and trainer: API types, trainer config, reports, errors, logs."""
