"""A `Cluster` in memory with an API server's semantics where the reconciler relies on them.

Every write can be made the process's last one, before or after it reached the server.
"""

import copy
import itertools
from collections.abc import Sequence

from finscribe_core.report import ProgressReport
from finscribe_operator.cluster import ConflictError, Event, NotFoundError
from finscribe_operator.objects import Object, Ref, controller_uid, namespace_of


class Killed(BaseException):
    """The operator's process is gone."""


class MemoryCluster:
    """Objects by kind and name; versions, uids, ownership and preconditions as the real one has them."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str, str], Object] = {}
        self.events: list[Event] = []
        self.created: list[str] = []
        self.writes = 0
        self.die_at: int | None = None
        self.die_after_write = False
        self._versions = itertools.count(10)

    def seed(self, obj: Object) -> Object:
        """Put an object there, as a user or another controller would."""
        meta = obj["metadata"]
        stored = copy.deepcopy(obj)
        stored["metadata"]["resourceVersion"] = str(next(self._versions))
        self.objects[(obj["kind"], namespace_of(obj), meta["name"])] = stored
        return copy.deepcopy(stored)

    def of_kind(self, kind: str) -> list[Object]:
        return [copy.deepcopy(obj) for (k, _, _), obj in self.objects.items() if k == kind]

    async def apply(self, manifest: Object) -> Object:
        with self._write():
            key = _key(Ref.of(manifest))
            live = self.objects.get(key)
            if live is None:
                live = copy.deepcopy(manifest)
                live["metadata"]["uid"] = f"{manifest['kind']}-{next(self._versions)}"
                live["metadata"]["creationTimestamp"] = "2026-05-01T12:00:00Z"
                self.created.append(f"{manifest['kind']}/{manifest['metadata']['name']}")
                return self.seed(live)
            if controller_uid(live) != controller_uid(manifest):
                raise ConflictError("Only one reference can have Controller set to true")
            if live.get("spec", {}).get("template") != manifest.get("spec", {}).get("template"):
                raise ConflictError("spec.template: field is immutable")
            if manifest["kind"] == "FineTuneJob" and live["spec"] != manifest["spec"]:
                return self.seed({**live, "spec": manifest["spec"]})
            return copy.deepcopy(live)

    async def get(self, ref: Ref) -> Object:
        return copy.deepcopy(self._live(ref))

    async def patch(self, ref: Ref, patch: Object) -> Object:
        with self._write():
            live = copy.deepcopy(self._live(ref))
            for name, value in patch["spec"].items():
                live["spec"].pop(name, None)
                if value is not None:
                    live["spec"][name] = value
            return self.seed(live)

    async def delete(self, ref: Ref) -> None:
        with self._write():
            live = self.objects.get(_key(ref))
            if live is not None and ref.uid in ("", live["metadata"]["uid"]):
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

    async def emit_event(self, job: Object, event: Event) -> None:
        self.events.append(event)

    async def list_finetunejobs(self) -> Sequence[Object]:
        return self.of_kind("FineTuneJob")

    async def list_jobs(self) -> Sequence[Object]:
        return self.of_kind("Job")

    async def list_pods(self) -> Sequence[Object]:
        return self.of_kind("Pod")

    def _live(self, ref: Ref) -> Object:
        live = self.objects.get(_key(ref))
        if live is None or ref.uid not in ("", live["metadata"]["uid"]):
            raise NotFoundError(f"{ref} not found")
        return live

    def _write(self) -> "_Write":
        return _Write(self)


class _Write:
    """One write, at whose beginning or end the process may die."""

    def __init__(self, cluster: MemoryCluster) -> None:
        self._cluster = cluster

    def __enter__(self) -> None:
        self._cluster.writes += 1
        self._die_if(not self._cluster.die_after_write)

    def __exit__(self, *_: object) -> None:
        self._die_if(self._cluster.die_after_write)

    def _die_if(self, now: bool) -> None:
        if now and self._cluster.die_at == self._cluster.writes:
            self._cluster.die_at = None
            raise Killed


def _key(ref: Ref) -> tuple[str, str, str]:
    return ref.kind, ref.namespace, ref.name
