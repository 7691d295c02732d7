"""Follows the log of a job through its attempts, until the job has ended."""

import time
from collections.abc import Iterator
from dataclasses import replace

from finscribe_client.errors import ClientError, ClientReason
from finscribe_client.pods import LogOptions, Pod
from finscribe_client.reader import Reader

POLL_SECONDS = 1.0
"""Between two looks for the next pod."""


def follow_log(reader: Reader, name: str, options: LogOptions, node: int = 0) -> Iterator[str]:
    """The lines of the newest attempt, as they are written, and of those after it; ends with the job.

    Args:
        reader: where the job is.
        name: the job.
        options: of the first log.
        node: number of the node, for a run with several.
    """
    options, seen = replace(options, follow=True), set[str]()
    while True:
        job = reader.get(name)
        pods = reader.pods(job, job.status.run.name) if job.status.run else []
        new = [pod for pod in pods if pod.node == node and pod.name not in seen]
        if new and not new[-1].waits_for:
            seen |= {pod.name for pod in new}
            yield from _log(reader, new[-1], options)
            options = LogOptions(follow=True)
        elif job.has_ended:
            return
        else:
            time.sleep(POLL_SECONDS)


def _log(reader: Reader, pod: Pod, options: LogOptions) -> Iterator[str]:
    """The lines of a pod's log; none if the pod was deleted meanwhile."""
    try:
        yield from reader.log(pod, options)
    except ClientError as error:
        if error.reason != ClientReason.NotFound:
            raise
