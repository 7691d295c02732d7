"""Excludes what an import creates from garbage collection."""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def imports_excluded() -> Iterator[None]:
    """Import modules in this context: what exists at its end is never searched for garbage.

    Importing torch and transformers creates a million objects that all stay. To search them, meanwhile and at
    the end of the process, takes half the time of a short run.
    """
    enabled, num_modules = gc.isenabled(), len(sys.modules)
    gc.disable()
    try:
        yield
    finally:
        if len(sys.modules) > num_modules:
            gc.freeze()
        if enabled:
            gc.enable()
