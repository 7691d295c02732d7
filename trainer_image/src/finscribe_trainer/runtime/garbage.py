"""Excludes what an import creates from garbage collection."""

import atexit
import gc
import os
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
            atexit.register(_drop_leak_reports)
        if enabled:
            gc.enable()


def _drop_leak_reports() -> None:
    """Drop later output on standard error: nanobind, of triton, reports all that stays as leaks."""
    sys.stderr.flush()
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
