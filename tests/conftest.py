"""Fixtures every test may use.

`make update-golden` writes the expected files of golden tests anew (`--update-golden`); review the diff.
"""

import pytest

from tests.support.s3 import s3_env, s3_server

__all__ = ["s3_env", "s3_server"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden", action="store_true", help="Write the golden files instead of comparing."
    )


@pytest.fixture
def update_golden(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("update_golden"))
