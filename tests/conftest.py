"""Fixtures that any test may use, and how tests are shared among processes.

`make update-golden` writes the expected files of golden tests anew (`--update-golden`); review the diff.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

# One thread for each test process and each process it starts: several of them share the processors. torch
# reads this when it is imported.
os.environ["OMP_NUM_THREADS"] = "1"

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

# Processes that share the processors make single examples slow at times; pytest's own timeouts hold.
hypothesis.settings.register_profile("shared-processors", deadline=None)
hypothesis.settings.load_profile("shared-processors")

TESTS = Path(__file__).parent
API_SERVER = TESTS / "apiserver"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden", action="store_true", help="Write the golden files instead of comparing."
    )


def pytest_itemcollected(item: pytest.Item) -> None:
    """With `--dist loadgroup`, a file's tests run in one process, which makes its module fixtures once.

    All tests of the API server run in one: they share the server and the operator.
    """
    group = API_SERVER if API_SERVER in item.path.parents else item.path
    item.add_marker(pytest.mark.xdist_group(str(group.relative_to(TESTS))))


@pytest.fixture
def update_golden(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("update_golden"))


@pytest.fixture(autouse=True)
def restore_process() -> Iterator[None]:
    """A command that runs in the test's process sets signal handlers and the root logger: undo that."""
    with process_restored():
        yield
