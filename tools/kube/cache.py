"""The cache folder of the tools: built programs, images, and the state of the cluster."""

import os
from pathlib import Path


def cache_dir() -> Path:
    """The project's folder in XDG_CACHE_HOME, or in ~/.cache if that is unset."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "finscribe"
