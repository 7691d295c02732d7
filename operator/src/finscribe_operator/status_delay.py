"""Holds back a status that says what passes within seconds: each saves the API server a write."""

from collections.abc import Callable

from finscribe_core.api.conditions import ConditionType, Reason, find_typed
from finscribe_core.api.v1alpha1 import FineTuneJobStatus
from finscribe_operator.objects import JobKey, find_condition, has_ended, is_being_deleted
from finscribe_operator.observe import Observed

FIRST_STATUS_SECONDS, PLACED_SECONDS = 2.0, 1.0
"""How long the first status of a new Job waits for the Job controller to start it, or if it has, for its pod
to get a node. Each takes an instant, and saves one of three writes until its node prepares the pod."""
PASSING_SECONDS = 5.0
"""How long a status does not say that the node prepares the pod, or that the Job is about to complete. With
the image on the node, the container runs earlier; the Job controller needs about two seconds."""


class StatusDelay:
    """Which jobs' statuses wait, and until when."""

    def __init__(self, timer: Callable[[], float]) -> None:
        self._timer = timer
        self._created: dict[JobKey, float] = {}
        """When the Jobs were created that the Job controller may be about to start, by the timer."""
        self._passing: dict[JobKey, tuple[str, float]] = {}
        """What statuses do not say yet: the reason, and since when it holds, by the timer."""
        self._until: dict[JobKey, float] = {}

    def add_created(self, key: JobKey) -> None:
        """A Job of this FineTuneJob has just been created."""
        self._created[key] = self._timer()

    def forget(self, key: JobKey) -> None:
        """The FineTuneJob does not exist any more."""
        for remembered in (self._created, self._passing, self._until):
            remembered.pop(key, None)

    def holds_back(self, key: JobKey, observed: Observed, status: FineTuneJobStatus) -> bool:
        """Whether this status is not written yet."""
        until = max(self._start_until(key, observed), self._pass_until(key, observed, status))
        if until > self._timer():
            self._until[key] = until
            return True
        self._until.pop(key, None)
        self._created.pop(key, None)
        return False

    def seconds_left(self, key: JobKey) -> float | None:
        """How much longer the status waits that was last held back; None if none was since the last call."""
        until = self._until.pop(key, None)
        return None if until is None else max(until - self._timer(), 0.0)

    def _start_until(self, key: JobKey, observed: Observed) -> float:
        job, pod, created = observed.batch_job, observed.newest_pod, self._created.get(key)
        if job is None or created is None or job["spec"].get("suspend"):
            return 0.0
        if pod is None or "startTime" not in job.get("status", {}):
            return created + FIRST_STATUS_SECONDS
        return 0.0 if find_condition(pod, "PodScheduled") is not None else created + PLACED_SECONDS

    def _pass_until(self, key: JobKey, observed: Observed, status: FineTuneJobStatus) -> float:
        reason = _passing_reason(observed, status)
        if not reason:
            self._passing.pop(key, None)
            return 0.0
        known, since = self._passing.get(key, ("", 0.0))
        if known != reason:
            since = self._timer()
            self._passing[key] = (reason, since)
        return since + PASSING_SECONDS


def _passing_reason(observed: Observed, status: FineTuneJobStatus) -> str:
    """Why the trainer does not run, if that passes soon and the present status may stay until then; else "".

    A pod that is being deleted may be gone with its result before its Job is complete.
    """
    old = observed.job.status
    before = find_typed(old.conditions, ConditionType.Running)
    now = find_typed(status.conditions, ConditionType.Running)
    if before is None or now is None or old.run is None or status.run is None or status.run.completion_time:
        return ""
    is_same = (old.run.name, old.run.attempts) == (status.run.name, status.run.attempts)
    is_same = is_same and old.observed_generation == status.observed_generation
    pods = observed.pods.get(status.run.name, ())
    if not is_same or before.reason == now.reason or any(map(is_being_deleted, pods)):
        return ""
    if now.reason == Reason.ContainerCreating and before.status == "False" and not observed.pod_warning:
        return now.reason
    pod = observed.newest_pod
    return now.reason if now.reason == Reason.Finished and pod is not None and has_ended(pod) else ""
