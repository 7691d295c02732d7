"""Fixtures of the operator's unit tests."""

import pytest

from finscribe_operator import reconcile


@pytest.fixture(autouse=True)
def _no_job_controller(monkeypatch: pytest.MonkeyPatch) -> None:
    """Write the first status of a Job at once: in these tests nothing starts it, or schedules its pod."""
    monkeypatch.setattr(reconcile, "FIRST_STATUS_SECONDS", 0.0)
    monkeypatch.setattr(reconcile, "PLACED_SECONDS", 0.0)
