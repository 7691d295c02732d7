"""What can be read about jobs, on a cluster and on this machine: a protocol."""

from collections.abc import Iterator, Sequence
from typing import Protocol, Self

from finscribe_client.errors import ClientError, ClientReason
from finscribe_client.jobs import Job, Run
from finscribe_client.pods import LogOptions, Pod
from finscribe_client.timeline import TimelineEvent


class Reader(Protocol):
    """Jobs and what belongs to them. Every method raises a FinscribeError that says what to do."""

    @property
    def place(self) -> str:
        """Where the jobs are, for messages."""
        ...

    def in_namespace(self, namespace: str) -> Self:
        """The jobs of another namespace."""
        ...

    def list(self, *, all_namespaces: bool = False, selector: str = "") -> Sequence[Job]:
        """The jobs, by name."""
        ...

    def get(self, name: str) -> Job:
        """A job."""
        ...

    def follow(self, name: str, timeout: float | None = None) -> Iterator[Job]:
        """The job whenever it has changed, until it has ended."""
        ...

    def pods(self, job: Job, run: str) -> Sequence[Pod]:
        """The pods of a run that still exist, oldest first."""
        ...

    def log(self, pod: Pod, options: LogOptions) -> Iterator[str]:
        """The lines of a pod's log."""
        ...

    def events(self, job: Job) -> Sequence[TimelineEvent]:
        """What happened to a job, its pods and its experiments, in order."""
        ...


def find_run(reader: Reader, name: str) -> tuple[Job, Run]:
    """A run and its job, by the run's name, by `job/run`, or by the name of a job, which is its current run.

    Raises:
        ClientError: NotFound.
    """
    job_name, _, run_name = name.rpartition("/")
    for job in [reader.get(job_name)] if job_name else reader.list():
        if found := job.find_run(run_name):
            return job, found
        if name == job.name and job.runs:
            return job, job.runs[0]
    remedy = "`finscribe list` shows the jobs, `finscribe status JOB` the runs of a job."
    raise ClientError(ClientReason.NotFound, f"There is no run {name} in {reader.place}.", remedy)
