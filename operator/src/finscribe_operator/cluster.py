"""Defines `Cluster`, the protocol of all external calls of the reconciler, and its errors.

`KubernetesCluster` (kubernetes_cluster.py) implements it with an API server, `LocalCluster` (local/) with
processes of this machine. An implementation translates its own errors into those defined here and gives every
call a timeout. Watch events of both are passed to `Controller.on_event`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from finscribe_core.report import ProgressReport
from finscribe_operator.objects import Object, Ref
from finscribe_operator.warning_events import Kind, WarningEvent
from finscribe_operator.workloads import Workload


class ClusterError(Exception):
    """A call was rejected or got no response; the message is user-readable."""


class NotFoundError(ClusterError):
    """The object, its namespace or its kind does not exist."""


class ConflictError(ClusterError):
    """The object has changed since it was read, or exists and the change is not allowed (HTTP 409, 422)."""


class AlreadyExistsError(ConflictError):
    """An object of that name exists; it is unchanged."""


class ForbiddenError(ClusterError):
    """Rejected for lack of permission, by a quota or by an admission webhook (HTTP 401, 403)."""


class NotLeaderError(ClusterError):
    """Not sent, because this replica does not hold the Lease (any more)."""


class InvalidObjectError(ClusterError):
    """The object breaks a rule of the API (HTTP 400, 422)."""


class TransientError(ClusterError):
    """No response, or one that permits a retry (timeouts, HTTP 429, 5xx)."""


@dataclass(frozen=True)
class Event:
    """A Kubernetes Event about a job, for `kubectl describe`."""

    type: Literal["Normal", "Warning"]
    reason: str
    """One CamelCase word."""
    message: str
    name: str = ""
    """Name of the Event's object, so that it can be posted twice; a new name when empty."""


@dataclass(frozen=True)
class Listing:
    """All objects of a kind in one namespace, or in all of them."""

    objects: Sequence[Object]
    version: int = 0
    """The resourceVersion of the cluster's state that was listed; 0 when there is none."""


class Cluster(Protocol):
    """Where FineTuneJobs are stored and runs are executed. Every method may raise a `ClusterError`."""

    async def create(self, manifest: Object) -> Object:
        """Create an object; returns the live one.

        Raises:
            AlreadyExistsError: an object of that name exists; it is unchanged.
        """
        ...

    async def get(self, ref: Ref) -> Object:
        """The live object.

        Raises:
            NotFoundError: no object of that name exists.
        """
        ...

    async def patch(self, ref: Ref, patch: Object) -> Object:
        """Apply a JSON merge patch; returns the live object.

        Raises:
            NotFoundError: no object of that name (and `ref.uid`) exists.
        """
        ...

    async def delete(self, ref: Ref, version: str = "") -> None:
        """Delete the object and, in the background, what it owns. Succeeds, too, when the object does not
        exist, or when another one (with another uid than `ref.uid`) has its name.

        Raises:
            ConflictError: its resourceVersion is not `version`, if that is set.
        """
        ...

    async def patch_status(self, job: Object, status: Object) -> Object:
        """Set the status of a FineTuneJob that was read as `job`; returns the live object. Fields that this
        version does not know are left alone.

        Raises:
            ConflictError: the job has changed since it was read.
            NotFoundError: the job was deleted.
        """
        ...

    async def fetch_progress(self, pod: Object) -> ProgressReport | None:
        """The response of the pod's `/progress`; None without one (a pod may be starting or terminating)."""
        ...

    async def list_warnings(self, namespace: str, kind: Kind) -> Sequence[WarningEvent]:
        """The newest Event of each Job or Pod of the namespace, of those that `warning_events` names."""
        ...

    async def list_workloads(self, namespace: str, jobs: Sequence[Object]) -> Sequence[Workload]:
        """The Workloads of these Jobs of the namespace; none where Kueue is not installed."""
        ...

    async def emit_event(self, job: Object, event: Event) -> None:
        """Post an Event about a FineTuneJob.

        Raises:
            AlreadyExistsError: an Event of that name exists.
        """
        ...

    async def knows_restart_rules(self) -> bool:
        """Whether a container can be started again in its pod, by rules for its exit code."""
        ...

    async def list_pods_of(self, job: Object) -> Sequence[Object]:
        """The pods of a Job, as they are now."""
        ...

    async def list_objects(self, kind: str, namespace: str = "") -> Listing:
        """All FineTuneJobs, or their Jobs or Pods, of one namespace or of all."""
        ...
