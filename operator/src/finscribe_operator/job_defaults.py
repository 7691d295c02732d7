"""Defines the defaults that a platform team sets for all jobs."""

from typing import Any

from finscribe_core.api.base import KubeModel, LabelledName
from finscribe_core.api.defaults import complete
from finscribe_core.api.pod import PodResourcesSpec, PodSpec
from finscribe_core.api.v1alpha1 import (
    ActiveDeadline,
    BackoffLimit,
    CacheSpec,
    HistoryLimit,
    JobFeatureCacheSpec,
    Seconds,
    StorageSpec,
)
from finscribe_core.api.volumes import ImageName


class JobDefaults(KubeModel):
    """Settings that jobs leave unset, by the same keys as in a FineTuneJob's spec. What a job writes wins;
    maps and lists of `pod` are completed by key and name. Settings that determine what is learned are not
    among them.
    """

    image: ImageName | None = None
    """Trainer image; `trainerImage` when unset."""
    pod: PodSpec = PodSpec()
    """Metadata, scheduling, environment and volumes of the run's pod."""
    resources: PodResourcesSpec = PodResourcesSpec()
    """Resource requests and limits of the run's pod."""
    storage: StorageSpec = StorageSpec()
    """Connection to the object storage."""
    feature_cache: JobFeatureCacheSpec = JobFeatureCacheSpec()
    """Cache of the vision tower's output."""
    cache: CacheSpec | None = None
    """Cache of downloads that several runs share."""
    queue_name: LabelledName | None = None
    """LocalQueue of Kueue that decides when runs start."""
    queue_priority_class: LabelledName | None = None
    """WorkloadPriorityClass of Kueue."""
    backoff_limit: BackoffLimit | None = None
    """Failed attempts that are retried."""
    active_deadline_seconds: ActiveDeadline | None = None
    """Seconds after which a run is stopped and fails, retries included."""
    start_deadline_seconds: Seconds | None = None
    """Seconds from a pod's assignment to a node until its container has to have started."""
    history_limit: HistoryLimit | None = None
    """Earlier runs whose records and Jobs are kept."""
    ttl_seconds_after_finished: Seconds | None = None
    """How long after a run's end its Jobs are deleted."""

    def over(self, others: "JobDefaults") -> "JobDefaults":
        """These defaults, completed by others as a job is."""
        values = complete(JobDefaults, self.as_written(), others.as_written())
        return JobDefaults.model_validate(_without_null(values))


def _without_null(values: dict[str, Any]) -> dict[str, Any]:
    return {
        key: _without_null(value) if isinstance(value, dict) else value
        for key, value in values.items()
        if value is not None
    }
