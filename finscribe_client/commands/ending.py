"""Waits for the end of jobs, and ends the command with the exit code that says how they ended."""

import sys
from collections.abc import Sequence

import click

from finscribe_client.client import Client
from finscribe_client.follow import follow_log
from finscribe_client.jobs import Job
from finscribe_client.log_lines import readable
from finscribe_client.pods import LogOptions
from finscribe_core.api.v1alpha1 import State
from finscribe_core.texts import printable

EXIT_FAILED = 1
"""A job that was waited for has failed, or is invalid."""


def wait_for(client: Client, jobs: Sequence[Job], timeout: float | None, *, follow: bool) -> None:
    """Wait until all have ended, print their states, and exit with 1 if one has failed."""
    ended = []
    for job in jobs:
        of_namespace = client.in_namespace(job.namespace)
        if follow:
            for line in follow_log(of_namespace, job.name, LogOptions()):
                click.echo(readable(line))
        ended.append(of_namespace.wait(job.name, timeout, None if follow else _print_change()))
    for job in ended:
        reason, message = job.explanation
        click.echo(printable(f"{job.namespace}/{job.name} is {job.state} ({reason}). {message}".rstrip()))
    if any(job.state in (State.Failed, State.Invalid) for job in ended):
        sys.exit(EXIT_FAILED)


class _print_change:  # noqa: N801 - used as a function
    """Prints a job's state when it differs from the last one."""

    def __init__(self) -> None:
        self._last: tuple[State, str] | None = None

    def __call__(self, job: Job) -> None:
        now = job.state, job.explanation[0]
        if now != self._last and not job.has_ended:
            self._last = now
            click.echo(
                f"{job.name}: {job.state} ({job.explanation[0]})" if now[1] else f"{job.name}: {job.state}"
            )
