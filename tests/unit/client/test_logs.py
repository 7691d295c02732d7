"""Which pod's log is read, and how its lines are shown."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from finscribe_client import follow, log_stream
from finscribe_client.errors import ClientError, ClientReason
from finscribe_client.follow import follow_log
from finscribe_client.jobs import Job
from finscribe_client.log_lines import LossPoint, read_losses, readable
from finscribe_client.log_stream import stream_log
from finscribe_client.pods import LogOptions, Pod, choose_attempt
from finscribe_core.api.v1alpha1 import RunStatus, State, Summary
from tests.unit.client.builders import build_condition, build_job, build_pod


def line(message: str, **fields: object) -> str:
    record = {"time": "x", "level": "info", "logger": "trainer", "message": message, "job": "team/invoices"}
    return json.dumps(record | fields)


LINES = {
    "JSON": (line("done", run="r", step=3), "x INFO    done step=3"),
    "a traceback": (
        line("failed", level="error", exception="Traceback\n  boom"),
        "x ERROR   failed\nTraceback\n  boom",
    ),
    "not JSON": ("Killed", "Killed"),
    "JSON of another program": ('{"level": 3}', '{"level": 3}'),
    "deep JSON": ('{"a":' * 100_000, '{"a":' * 100_000),
    "terminal escapes": (line("\x1b[2Jgone"), "x INFO    gone"),
}


@pytest.mark.parametrize(("given", "shown"), LINES.values(), ids=LINES)
def test_a_line_of_a_log_is_readable(given, shown):
    assert readable(given) == shown


def test_the_losses_of_a_log_are_read_by_step_and_repeated_steps_count_once():
    lines = [
        line("{'loss': 2.5, 'epoch': 0.1}", step=10),
        line("{'loss': 2.0, 'epoch': 0.2}", step=20),
        line("{'eval_loss': 1.5, 'epoch': 0.2}", step=20),
        line("{'loss': nan}", step=25),
        "{'loss': 1.0}",
        line("{'loss': 1.9, 'epoch': 0.2}", step=20),
    ]
    assert read_losses(lines) == [LossPoint(10, 2.5, None), LossPoint(20, 1.9, 1.5)]


PODS = [build_pod("a-0", 0), build_pod("a-1", 1), build_pod("b-0", 0), build_pod("b-1", 1)]
CHOICES = {
    "the newest": ((None, 0, False), "b-0"),
    "the one before": ((None, 0, True), "a-0"),
    "by its number": ((1, 1, False), "a-1"),
    "of another node": ((None, 1, False), "b-1"),
    "that does not exist": ((3, 0, False), "2 still have a pod"),
    "of a node that does not exist": ((None, 2, False), "there are 0 to 1"),
}


@pytest.mark.parametrize(("given", "expected"), CHOICES.values(), ids=CHOICES)
def test_an_attempt_is_chosen(given, expected):
    attempt, node, previous = given
    try:
        assert choose_attempt(PODS, attempt, node, previous=previous).name == expected
    except ClientError as error:
        assert expected in error.message


@dataclass
class TwoAttempts:
    """A job whose first attempt ends while it is followed, and whose second pod starts a moment later."""

    looks: int = 0
    read: list[str] = field(default_factory=list)

    def get(self, name: str) -> Job:
        self.looks += 1
        ended = "a-2" in self.read
        reconciling = build_condition("Reconciling", "False" if ended else "True", "x")
        state = Summary(state=State.Complete if ended else State.Running)
        return build_job(name, conditions=[reconciling], summary=state, run=RunStatus(name="a"))

    def pods(self, job: Job, run: str) -> list[Pod]:
        waiting = [{"name": "trainer", "state": {"waiting": {"reason": "ContainerCreating"}}}]
        second = (
            build_pod("a-2", phase="Pending", containerStatuses=waiting)
            if self.looks < 4
            else build_pod("a-2")
        )
        return [build_pod("a-1"), *([second] if self.looks > 1 else [])]

    def log(self, pod: Pod, options: LogOptions) -> Iterator[str]:
        self.read.append(pod.name)
        yield f"{pod.name} {options.tail}"


def test_a_followed_log_goes_on_with_the_next_attempt_until_the_job_has_ended(monkeypatch):
    monkeypatch.setattr(follow, "POLL_SECONDS", 0)
    lines = list(follow_log(TwoAttempts(), "invoices", LogOptions(tail=5)))
    assert lines == ["a-1 5", "a-2 None"]


@pytest.mark.parametrize("zone", ["Z", "+02:00"])
def test_a_log_that_was_cut_goes_on_with_the_next_line(monkeypatch, zone):
    monkeypatch.setattr(log_stream, "PAUSE_SECONDS", 0)
    lines = [f"2026-03-01T10:00:00.{n // 2:09}{zone} line {n}" for n in range(5)]
    queries = []

    def read(query):
        queries.append(query)
        if len(queries) == 1:
            yield from lines[:3]
            raise ClientError(ClientReason.ClusterUnreachable, "cut")
        yield from lines if len(queries) == 2 else [*lines, "unable to retrieve container logs"]

    running = iter([True, True, False])
    shown = list(stream_log(read, lambda: next(running), {"tailLines": "9"}))

    assert shown == [*(f"line {n}" for n in range(5)), "unable to retrieve container logs"]
    assert [query.get("sinceTime", "")[-len(zone) :] for query in queries] == ["", zone, zone]
    assert "tailLines" in queries[0] and "tailLines" not in queries[1]
