"""Follows a job until it has ended, and its log through all attempts; waits while a cluster is away."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from finscribe_client.errors import ClientError, ClientReason
from finscribe_client.jobs import Job
from finscribe_client.pods import LogOptions, Pod
from finscribe_client.reader import Reader

POLL_SECONDS = 1.0
"""Between two looks at a job."""
PATIENCE_SECONDS = 120.0
"""How long the cluster may not answer while a job is followed."""


def follow_job(get: Callable[[], Job], timeout: float | None = None) -> Iterator[Job]:
    """The job whenever it has changed, until it has ended: complete, failed, invalid or suspended.

    Args:
        get: reads the job.
        timeout: seconds; without end if None.

    Raises:
        ClientError: TimedOut; or the job can't be read.
    """
    deadline = None if timeout is None else time.monotonic() + timeout
    last: Job | None = None
    for job in _read_again_and_again(get):
        if last is None or job.raw["metadata"]["resourceVersion"] != last.raw["metadata"]["resourceVersion"]:
            last = job
            yield job
        if job.has_ended:
            return
        if deadline is not None and time.monotonic() > deadline:
            message = f"{job.name} is {job.state} after {timeout:g} seconds."
            raise ClientError(ClientReason.TimedOut, message, f"See `finscribe status {job.name}`.")


def _read_again_and_again(get: Callable[[], Job]) -> Iterator[Job]:
    """The job, each POLL_SECONDS."""
    failing_since: float | None = None
    while True:
        try:
            job = get()
        except ClientError as error:
            now = time.monotonic()
            failing_since = failing_since or now
            if error.reason != ClientReason.ClusterUnreachable or now - failing_since > PATIENCE_SECONDS:
                raise
        else:
            failing_since = None
            yield job
        time.sleep(POLL_SECONDS)


def follow_log(reader: Reader, name: str, options: LogOptions, node: int = 0) -> Iterator[str]:
    """The lines of the newest attempt, as they are written, and of those after it; ends with the job.

    Args:
        reader: where the job is.
        name: the job.
        options: of the first log.
        node: number of the node, for a run with several.
    """
    options, seen = replace(options, follow=True), set[str]()
    for job in _read_again_and_again(lambda: reader.get(name)):
        pods = reader.pods(job, job.status.run.name) if job.status.run else []
        new = [pod for pod in pods if pod.node == node and pod.name not in seen]
        if new and not new[-1].waits_for:
            seen |= {pod.name for pod in new}
            yield from _log(reader, new[-1], options)
            options = LogOptions(follow=True)
        elif job.has_ended:
            return


def _log(reader: Reader, pod: Pod, options: LogOptions) -> Iterator[str]:
    """The lines of a pod's log; none if the pod was deleted meanwhile."""
    try:
        yield from reader.log(pod, options)
    except ClientError as error:
        if error.reason != ClientReason.NotFound:
            raise
