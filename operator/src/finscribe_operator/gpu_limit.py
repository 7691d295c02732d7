"""Decides whether a run may start within its namespace's number of GPUs; else says which runs hold them.

All is derived from the store, so that a new operator decides the same: the Jobs that are active, and the jobs
that wait, whose status says so. Jobs whose runs are being started count as if they were active.
"""

from collections import Counter
from collections.abc import Mapping

from finscribe_core.api.conditions import ConditionType, Reason
from finscribe_core.api.pod import ResourcesSpec
from finscribe_core.api.v1alpha1 import FineTuneJobSpec, State
from finscribe_core.constants import ANNOTATION_GPUS, LABEL_TASK
from finscribe_operator.objects import JobKey, Object, is_being_deleted, label, parent_key
from finscribe_operator.outcome import read_outcome
from finscribe_operator.store import Store
from finscribe_operator.workloads import is_in_queue

MAX_NAMED = 10
"""Most jobs that are named as holders of GPUs."""


def find_gpu_wait(
    store: Store,
    key: JobKey,
    spec: FineTuneJobSpec,
    batch_job: Object | None,
    limit: int,
    reserved: Mapping[JobKey, int],
) -> str:
    """Why the run of a job can't start yet, as a sentence; empty if it can, or is active already.

    Jobs start in the order of their creation: one that would fit waits for an older one that does not.

    Args:
        store: what is known about the cluster.
        key: the job.
        spec: its completed spec.
        batch_job: the Job of its run, if it exists.
        limit: most GPUs of the namespace's runs together.
        reserved: GPUs of the jobs whose runs are being started.
    """
    gpus = spec.resources.total_gpus
    if gpus == 0 or spec.suspend or (batch_job and _may_run(batch_job)):
        return ""
    holders = {
        other: held for other, held in _holders(store, key.namespace, reserved).items() if other != key
    }
    used = sum(holders.values())
    if used + gpus > limit:
        names = ", ".join(f"{other.name} ({held})" for other, held in [*sorted(holders.items())][:MAX_NAMED])
        more = f" and {len(holders) - MAX_NAMED} more" if len(holders) > MAX_NAMED else ""
        return (
            f"The run needs {gpus} GPUs. The namespace may use {limit} (limit gpusPerNamespace), of which "
            f"{used} are held by {names}{more}."
        )
    first = find_first_waiting(store).get(key.namespace, key)
    if first != key and _age(store, first) < _age(store, key):
        return f"The run waits for {first.name}, which is older and waits for GPUs (limit gpusPerNamespace)."
    return ""


def find_first_waiting(store: Store) -> Mapping[str, JobKey]:
    """The oldest job that waits for GPUs, as its status says, of each namespace."""
    waiting = [key for key in store.all_keys() if _is_waiting(store.finetunejob(key) or {})]
    by_age = sorted(waiting, key=lambda key: _age(store, key), reverse=True)
    return {key.namespace: key for key in by_age}


def _count_gpus(store: Store, key: JobKey, batch_job: Object) -> int:
    """The GPUs of a run. The Job of an older operator does not say them, but the job's spec does."""
    noted = (batch_job["metadata"].get("annotations") or {}).get(ANNOTATION_GPUS, "")
    if noted.isdecimal():
        return int(noted)
    resources = ((store.finetunejob(key) or {}).get("spec") or {}).get("resources")
    written = resources.get("gpus") if isinstance(resources, dict) else None  # it had one pod
    return written if isinstance(written, int) else ResourcesSpec().gpus


def _holders(store: Store, namespace: str, reserved: Mapping[JobKey, int]) -> Mapping[JobKey, int]:
    """The jobs of a namespace whose runs use GPUs, or are about to, and how many."""
    active: Counter[JobKey] = Counter()
    for batch_job in store.all_batch_jobs():
        key = parent_key(batch_job)
        if key is not None and key.namespace == namespace and _is_active(batch_job):
            active[key] += _count_gpus(store, key, batch_job)
    return active | Counter({key: gpus for key, gpus in reserved.items() if key.namespace == namespace})


def _is_active(batch_job: Object) -> bool:
    """Whether a Job is that of a run, and its pod exists or may be created."""
    return not label(batch_job, LABEL_TASK) and _may_run(batch_job) and read_outcome(batch_job, ()) is None


def _may_run(batch_job: Object) -> bool:
    """Whether the operator has left it to others when the Job's pod is created: a queue resumes its Jobs
    whenever it has room.
    """
    return is_in_queue(batch_job) or not batch_job["spec"].get("suspend")


def _is_waiting(job: Object) -> bool:
    status = job.get("status") or {}
    summary, conditions = status.get("summary"), status.get("conditions")
    if not isinstance(summary, dict) or not isinstance(conditions, list) or is_being_deleted(job):
        return False
    is_pending = summary.get("state") == State.Pending  # else the condition is of the time before
    return is_pending and Reason.GpuLimitReached in [
        c.get("reason") for c in conditions if isinstance(c, dict) and c.get("type") == ConditionType.Running
    ]


def _age(store: Store, key: JobKey) -> tuple[str, str]:
    metadata = (store.finetunejob(key) or {}).get("metadata", {})
    return metadata.get("creationTimestamp") or "", key.name
