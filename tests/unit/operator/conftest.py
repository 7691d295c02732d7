"""Fixtures of the operator's unit tests."""

import pytest

from finscribe_operator import status_delay


@pytest.fixture(autouse=True)
def _no_job_controller(monkeypatch: pytest.MonkeyPatch) -> None:
    """Write each status at once: in these tests nothing starts a Job, schedules its pod, or completes it."""
    for name in ("FIRST_STATUS_SECONDS", "PLACED_SECONDS", "PASSING_SECONDS"):
        monkeypatch.setattr(status_delay, name, 0.0)
