"""Fixtures that any test may use, and how tests are shared among processes.

`make update-golden` writes the expected files of golden tests (`--update-golden`); review the diff.
"""

import gc
import os
import signal
import sys
from collections.abc import Generator, Iterator
from zlib import crc32

import hypothesis
import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

# One thread for each test process and each process it starts: they share the CPUs. torch
# reads this when it is imported.
os.environ["OMP_NUM_THREADS"] = "1"

# A shell starts background jobs with SIGINT ignored, which every process that a test starts would inherit.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

from tests.support.command import process_restored
from tests.support.s3 import s3_env, s3_server
from tests.support.sample import (
    config,
    dataset,
    family,
    sample,
    several_images,
    source,
    text_model,
)

__all__ = [
    "config",
    "dataset",
    "family",
    "s3_env",
    "s3_server",
    "sample",
    "several_images",
    "source",
    "text_model",
]

# Test processes share the CPUs, so single examples can be slow; pytest's timeouts still apply.
hypothesis.settings.register_profile("shared-processors", deadline=None)
hypothesis.settings.register_profile("quick", deadline=None, max_examples=25)  # for `make test-unit`
hypothesis.settings.load_profile("shared-processors")

API_SERVER = "tests/apiserver"


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Exclude imported modules and tests from garbage collection, which would search them often."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden", action="store_true", help="Write the golden files instead of comparing."
    )


class FilesTogether(LoadScopeScheduling):
    """A file's tests run in one process, which makes its module fixtures once.

    Tests of the API server run in two, in each of which they share a server and an operator.
    """

    def _split_scope(self, nodeid: str) -> str:
        file, _, _ = nodeid.partition("::")
        if file.startswith(f"{API_SERVER}/"):
            return f"{API_SERVER} {crc32(file.encode()) % 2}"
        return file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling | None:
    """Used by `--dist loadfile`."""
    return FilesTogether(config, log) if config.getoption("dist") == "loadfile" else None


@pytest.fixture
def update_golden(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("update_golden"))


@pytest.fixture(autouse=True)
def restore_process() -> Iterator[None]:
    """A command that runs in the test's process sets more than its own state: undo that."""
    num_modules = len(sys.modules)
    with process_restored():
        yield
    if len(sys.modules) > num_modules + 100:  # the test has imported torch or transformers
        gc.collect()
        gc.freeze()
