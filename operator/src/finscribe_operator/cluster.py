"""Everything the reconciler does to the outside, as one protocol.

`KubernetesCluster` (kubernetes_cluster.py) does it to an API server, `LocalCluster` (local/) to processes
of this machine. An implementation translates its own errors into those defined here and bounds every call in
time. Both feed what they see to `Controller.notice`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from finscribe_core.report import ProgressReport
from finscribe_operator.objects import Object, Ref


class ClusterError(Exception):
    """A call was refused or got no answer; the message is for people."""


class NotFoundError(ClusterError):
    """The object, its namespace or its kind does not exist."""


class ConflictError(ClusterError):
    """The object has changed meanwhile, or exists and can't be changed like that (HTTP 409, 422)."""


class ForbiddenError(ClusterError):
    """Permission, quota or an admission webhook says no (HTTP 401, 403)."""


class InvalidObjectError(ClusterError):
    """The object breaks a rule of the API (HTTP 400, 422)."""


class TransientError(ClusterError):
    """No answer, or one that asks to come again (timeouts, HTTP 429, 5xx)."""


@dataclass(frozen=True)
class Event:
    """Something that happened to a job, for `kubectl describe`."""

    type: Literal["Normal", "Warning"]
    reason: str
    """One CamelCase word."""
    message: str


class Cluster(Protocol):
    """Where jobs live and runs run. Every method may raise a `ClusterError`."""

    async def create(self, manifest: Object) -> Object:
        """Make a new object; returns the live one.

        Raises:
            ConflictError: there is one of that name; nothing has been done to it.
        """
        ...

    async def apply(self, manifest: Object) -> Object:
        """Server-side apply by force, which takes over what has the name; returns the live object.

        Raises:
            ConflictError: the object exists and can't be changed into the manifest.
        """
        ...

    async def get(self, ref: Ref) -> Object:
        """The live object.

        Raises:
            NotFoundError: there is none of that name.
        """
        ...

    async def patch(self, ref: Ref, patch: Object) -> Object:
        """Apply a JSON merge patch; returns the live object.

        Raises:
            NotFoundError: there is none, or it is not the one with `ref.uid`.
        """
        ...

    async def delete(self, ref: Ref) -> None:
        """Delete the object and, in the background, what it owns. Being gone already is success, and so is
        that another object (with another uid than `ref.uid`) has taken its name.
        """
        ...

    async def patch_status(self, job: Object, status: Object) -> Object:
        """Make `status` the status of a FineTuneJob that was read as `job`; returns the live object.

        Raises:
            ConflictError: the job is no longer as it was read.
            NotFoundError: the job is gone.
        """
        ...

    async def fetch_progress(self, pod: Object) -> ProgressReport | None:
        """What the pod's `/progress` says; None when it does not answer (a pod may be starting or ending)."""
        ...

    async def emit_event(self, job: Object, event: Event) -> None:
        """Post an Event about a FineTuneJob."""
        ...

    async def list_finetunejobs(self) -> Sequence[Object]:
        """All FineTuneJobs."""
        ...

    async def list_jobs(self) -> Sequence[Object]:
        """All Jobs that are children of FineTuneJobs."""
        ...

    async def list_pods(self) -> Sequence[Object]:
        """All pods that are children of FineTuneJobs."""
        ...
