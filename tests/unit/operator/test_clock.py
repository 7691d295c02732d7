"""The operator's time is that of the API server, whatever the clock of its own machine."""

import time

import pytest

from finscribe_operator.clock import ServerClock

NOON = 1_800_014_400.0
"""2027-01-15T12:00:00Z."""
RESPONSE = "Fri, 15 Jan 2027 12:00:00 GMT"

LOCAL_TIMES = {
    "right": (NOON + 0.2, NOON + 0.4),
    "right, with a slow response": (NOON - 3, NOON + 4),
    "three days slow": (NOON - 259_200, NOON - 259_199),
    "three days fast": (NOON + 259_200, NOON + 259_201),
}


@pytest.mark.parametrize(("sent", "received"), LOCAL_TIMES.values(), ids=LOCAL_TIMES.keys())
def test_the_date_of_a_response_corrects_the_clock(
    monkeypatch: pytest.MonkeyPatch, sent: float, received: float
):
    clock = ServerClock()
    monkeypatch.setattr(time, "time", lambda: received)
    clock.observe(RESPONSE, sent, received)
    assert "2027-01-15T12:00:00Z" <= clock() <= "2027-01-15T12:00:04Z"


@pytest.mark.parametrize("date", [None, "", "yesterday"])
def test_a_response_without_a_date_changes_nothing(monkeypatch: pytest.MonkeyPatch, date: str | None):
    clock = ServerClock()
    monkeypatch.setattr(time, "time", lambda: NOON)
    clock.observe(date, 0, 0)
    assert clock() == "2027-01-15T12:00:00Z"
