"""Versions of the packages that affect results, for metrics.json and results.json."""

import platform
from importlib.metadata import version

_PACKAGES = ("finscribe", "torch", "transformers", "peft", "accelerate")


def package_versions() -> dict[str, str]:
    """Installed versions of these packages, and Python's."""
    return {name: version(name) for name in _PACKAGES} | {"python": platform.python_version()}
