"""`pytest tests/golden --update-golden` writes the expected files anew; review the diff."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden", action="store_true", help="Write the golden files instead of comparing."
    )


@pytest.fixture
def update_golden(request: pytest.FixtureRequest) -> bool:
    # The option exists only where this file is loaded first: in `pytest tests/golden`.
    return bool(request.config.getoption("update_golden", default=False))
