"""The packages whose versions decide what a figure is."""

import platform
from importlib.metadata import version

_PACKAGES = ("finscribe", "torch", "transformers", "peft", "accelerate")


def package_versions() -> dict[str, str]:
    """Versions of these packages and of Python."""
    return {name: version(name) for name in _PACKAGES} | {"python": platform.python_version()}
