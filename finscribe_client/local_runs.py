"""Reads the jobs that `finscribe run` has run on this machine, from its state directory."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self

from finscribe_client.errors import ClientError, ClientReason
from finscribe_client.follow import POLL_SECONDS, follow_job
from finscribe_client.jobs import Job
from finscribe_client.pods import LogOptions, Pod
from finscribe_client.timeline import TimelineEvent
from finscribe_core.constants import KIND
from finscribe_operator.local.container import log_file
from finscribe_operator.local.object_files import ObjectFiles
from finscribe_operator.objects import run_of


class LocalRuns:
    """The jobs of a state directory."""

    def __init__(self, state_dir: Path) -> None:
        self._state_dir = state_dir
        self._objects = ObjectFiles(state_dir / "objects")

    @property
    def place(self) -> str:
        """Where the jobs are, for messages."""
        return str(self._state_dir)

    def in_namespace(self, namespace: str) -> Self:
        """The same jobs: they have one namespace."""
        return self

    def list(self, *, all_namespaces: bool = False, selector: str = "") -> Sequence[Job]:
        """The jobs, by name; all of them, as they have one namespace and no labels."""
        return sorted((Job(raw) for raw in self._objects.list(KIND)), key=lambda job: job.name)

    def get(self, name: str) -> Job:
        """A job.

        Raises:
            ClientError: NotFound.
        """
        for job in self.list():
            if job.name == name:
                return job
        remedy = "Pass its --state-dir, or start it: finscribe run FILE"
        raise ClientError(ClientReason.NotFound, f"There is no job {name} in {self.place}.", remedy)

    def follow(self, name: str, timeout: float | None = None) -> Iterator[Job]:
        """The job whenever it has changed, until it has ended.

        Raises:
            ClientError: NotFound, or TimedOut after `timeout` seconds.
        """
        return follow_job(lambda: self.get(name), timeout)

    def pods(self, job: Job, run: str) -> Sequence[Pod]:
        """The processes of a run, oldest first."""
        return [Pod(raw) for raw in self._objects.list("Pod") if run_of(raw) == run]

    def log(self, pod: Pod, options: LogOptions) -> Iterator[str]:
        """The lines of a process's log.

        Raises:
            ClientError: NotFound.
        """
        path = log_file(self._state_dir, pod.raw)
        try:
            file = path.open(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            raise ClientError(ClientReason.NotFound, f"There is no log {path}.") from None
        with file:
            lines = file.read().splitlines()
            yield from lines[-options.tail :] if options.tail else lines
            while options.follow and not self._has_ended(pod):
                time.sleep(POLL_SECONDS)
                yield from file.read().splitlines()

    def _has_ended(self, pod: Pod) -> bool:
        raw = self._objects.get("Pod", pod.namespace, pod.name)
        return raw is None or Pod(raw).has_ended

    def events(self, job: Job) -> Sequence[TimelineEvent]:
        """The changes of the job's conditions: this machine posts no Events."""
        found = [
            TimelineEvent(
                c.last_transition_time,
                "Normal",
                c.reason,
                f"{KIND}/{job.name}",
                f"{c.type} is {c.status}. {c.message}",
                1,
            )
            for c in job.status.conditions
        ]
        return sorted(found, key=lambda event: event.time)
