"""Where the tools keep what is expensive to make, and what a running cluster needs."""

import os
from pathlib import Path


def cache_dir() -> Path:
    """The project's folder in the user's cache (XDG_CACHE_HOME is honoured)."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "finscribe"
