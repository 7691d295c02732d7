"""The losses of a run by step: from the logs of its pods, or once they are gone from its metrics.json."""

from finscribe_client.jobs import Job, Run
from finscribe_client.log_lines import LossPoint, read_losses
from finscribe_client.pods import LogOptions
from finscribe_client.reader import Reader


def losses_of_log(reader: Reader, job: Job, run: str) -> list[LossPoint]:
    """The losses in the logs of all attempts that still have a pod."""
    pods = [pod for pod in reader.pods(job, run) if pod.node == 0 and not pod.waits_for]
    return read_losses(line for pod in pods for line in reader.log(pod, LogOptions()))


def losses_of_result(job: Job, run: Run, endpoint: str | None) -> list[LossPoint]:
    """The losses in the bucket."""
    from finscribe_client.bucket import Result  # noqa: PLC0415 - slow to import

    return Result.of(job, run, endpoint).losses()
