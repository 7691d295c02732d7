"""A `Cluster` in memory with the API server semantics that the reconciler relies on.

It can kill the operator at any write, before or after the write takes effect.
"""

import copy
import itertools
from collections.abc import Sequence

from finscribe_core.report import ProgressReport
from finscribe_operator.cluster import AlreadyExistsError, ConflictError, Event, Listing, NotFoundError
from finscribe_operator.merge_patch import apply_merge_patch
from finscribe_operator.objects import Object, Ref, namespace_of, run_of
from finscribe_operator.warning_events import Kind, WarningEvent
from finscribe_operator.workloads import Workload


class Killed(BaseException):
    """The operator's process was killed."""


class MemoryCluster:
    """Objects by kind and name, with versions, uids, ownership and preconditions."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str, str], Object] = {}
        self.events: list[Event] = []
        self.created: list[str] = []
        self.writes = 0
        self.kill_at: int | None = None
        self.kill_after_write = False
        self._versions = itertools.count(10)

    def seed(self, obj: Object) -> Object:
        """Store an object, as a user or another controller would."""
        meta = obj["metadata"]
        stored = copy.deepcopy(obj)
        stored["metadata"]["resourceVersion"] = str(next(self._versions))
        self.objects[(obj["kind"], namespace_of(obj), meta["name"])] = stored
        return copy.deepcopy(stored)

    def of_kind(self, kind: str) -> list[Object]:
        return [copy.deepcopy(obj) for (k, _, _), obj in self.objects.items() if k == kind]

    async def create(self, manifest: Object) -> Object:
        with self._write():
            if _key(Ref.of(manifest)) in self.objects:
                raise AlreadyExistsError(f"{Ref.of(manifest)} already exists")
            return self._add(manifest)

    async def get(self, ref: Ref) -> Object:
        return copy.deepcopy(self._live(ref))

    async def patch(self, ref: Ref, patch: Object) -> Object:
        with self._write():
            return self.seed(apply_merge_patch(self._live(ref), patch))

    async def delete(self, ref: Ref, version: str = "") -> None:
        with self._write():
            live = self.objects.get(_key(ref))
            if live is not None and ref.uid in ("", live["metadata"]["uid"]):
                if version not in ("", live["metadata"]["resourceVersion"]):
                    raise ConflictError("the object has been modified")
                del self.objects[_key(ref)]

    async def patch_status(self, job: Object, status: Object) -> Object:
        with self._write():
            live = copy.deepcopy(self._live(Ref.of(job)))
            if live["metadata"]["resourceVersion"] != job["metadata"]["resourceVersion"]:
                raise ConflictError("the object has been modified")
            live["status"] = copy.deepcopy(status)
            return self.seed(live)

    async def fetch_progress(self, pod: Object) -> ProgressReport | None:
        return None

    async def list_warnings(self, namespace: str, kind: Kind) -> Sequence[WarningEvent]:
        return []

    async def list_workloads(self, namespace: str, jobs: Sequence[Object]) -> Sequence[Workload]:
        uids = [job["metadata"]["uid"] for job in jobs]
        found = map(Workload.of, self.of_kind("Workload"))
        return [workload for workload in found if workload.job_uid in uids]

    async def emit_event(self, job: Object, event: Event) -> None:
        self.events.append(event)

    async def knows_restart_rules(self) -> bool:
        return True

    async def list_pods_of(self, job: Object) -> Sequence[Object]:
        return [pod for pod in self.of_kind("Pod") if run_of(pod) == job["metadata"]["name"]]

    async def list_objects(self, kind: str, namespace: str = "") -> Listing:
        return Listing(self.of_kind(kind))

    def _add(self, manifest: Object) -> Object:
        made = copy.deepcopy(manifest)
        made["metadata"]["uid"] = f"{manifest['kind']}-{next(self._versions)}"
        made["metadata"]["creationTimestamp"] = "2026-05-01T12:00:00Z"
        self.created.append(f"{manifest['kind']}/{manifest['metadata']['name']}")
        return self.seed(made)

    def _live(self, ref: Ref) -> Object:
        live = self.objects.get(_key(ref))
        if live is None or ref.uid not in ("", live["metadata"]["uid"]):
            raise NotFoundError(f"{ref} not found")
        return live

    def _write(self) -> "_Write":
        return _Write(self)


class _Write:
    """One write; the process may be killed before or after it."""

    def __init__(self, cluster: MemoryCluster) -> None:
        self._cluster = cluster

    def __enter__(self) -> None:
        self._cluster.writes += 1
        self._kill_if(not self._cluster.kill_after_write)

    def __exit__(self, *_: object) -> None:
        self._kill_if(self._cluster.kill_after_write)

    def _kill_if(self, now: bool) -> None:
        if now and self._cluster.kill_at == self._cluster.writes:
            self._cluster.kill_at = None
            raise Killed


def _key(ref: Ref) -> tuple[str, str, str]:
    return ref.kind, ref.namespace, ref.name
