"""Counts how often containers were started again in their pods after a failure; pure.

The kubelet does so where the API server knows the rules for it (`manifests/job.py`). A Job does not count it.
"""

from collections.abc import Sequence

from finscribe_core.api.v1alpha1 import RunStatus
from finscribe_operator.attempts import container_status
from finscribe_operator.objects import Object


def restarts_of(pod: Object) -> int:
    """How often the pod's container was started again."""
    return int(container_status(pod).get("restartCount", 0))


def count_restarts(run: RunStatus, pods: Sequence[Object]) -> int:
    """Those of a run: what its status says, which knows pods that are gone, and what has happened since."""
    known, total = run.goodput, run.restarts
    for pod in pods:
        if pod["metadata"]["name"] == known.newest_pod:
            total += max(0, restarts_of(pod) - known.newest_pod_restarts)
        elif pod["metadata"]["creationTimestamp"] > known.newest_pod_created:
            total += restarts_of(pod)
    return total
