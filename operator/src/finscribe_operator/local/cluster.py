"""Implements `Cluster` with JSON files and local processes below one state directory."""

import shutil
from collections.abc import Sequence
from typing import Any, Protocol

import aiohttp

from finscribe_core.constants import KIND
from finscribe_core.report import ProgressReport
from finscribe_operator.cluster import (
    AlreadyExistsError,
    ConflictError,
    Event,
    Listing,
    NotFoundError,
    TransientError,
)
from finscribe_operator.local.container import Machine, run_directory
from finscribe_operator.local.job_controller import Backoff, JobController, ObjectWriter
from finscribe_operator.local.kubelet import Kubelet
from finscribe_operator.local.object_files import ObjectFiles
from finscribe_operator.merge_patch import apply_merge_patch
from finscribe_operator.objects import Object, Ref, is_being_deleted, run_of
from finscribe_operator.warning_events import Kind, WarningEvent
from finscribe_operator.workloads import Workload

WATCHED = (KIND, "Job", "Pod")
PROGRESS_TIMEOUT = aiohttp.ClientTimeout(total=2)
PROGRESS_LIMIT = 64 * 1024
"""Most bytes read of a trainer's response."""


class EventHandler(Protocol):
    """The signature of `Controller.on_event`."""

    def __call__(self, obj: Object, *, deleted: bool = False) -> None:
        """Handle a new version of an object, or its deletion."""


class LocalCluster:
    """Implements the `Cluster` protocol with files and processes.

    `on_event` is called with every version of every FineTuneJob, Job and Pod, as a watch would.
    """

    def __init__(self, machine: Machine, on_event: EventHandler, backoff: Backoff | None = None) -> None:
        self._state_dir = machine.state_dir
        self.objects = ObjectFiles(machine.state_dir / "objects")
        self._on_event = on_event
        self._kubelet = Kubelet(machine, self.objects, self._publish)
        writer = ObjectWriter(self._publish, self._remove)
        self._job_controller = JobController(self.objects, self._kubelet, writer, backoff or Backoff())

    async def start(self) -> None:
        """Recover the state of an earlier process, and resume its unfinished Jobs."""
        self._job_controller.recover()
        for job in self.objects.list("Job"):
            await self._job_controller.sync(job)

    async def wait_for_failure(self) -> None:
        """Never return, but raise the error that keeps a Job from running.

        Raises:
            ClusterError: the state directory can't be written.
        """
        await self._job_controller.wait_for_failure()

    async def shut_down(self) -> None:
        """Terminate every process gracefully."""
        await self._job_controller.shut_down()

    def kill(self) -> None:
        """Kill every process."""
        self._kubelet.kill_all()

    async def create(self, manifest: Object) -> Object:
        """Create an object."""
        ref = Ref.of(manifest)
        if self.objects.get(*_key(ref)) is not None:
            raise AlreadyExistsError(f"{ref} already exists")
        return await self._store(manifest)

    async def apply(self, manifest: Object) -> Object:
        """Create the object, or replace it by the manifest; its status stays."""
        live = self.objects.get(*_key(Ref.of(manifest)))
        if live is not None and _template(manifest) != _template(live):
            raise ConflictError(f"{Ref.of(live)}: spec.template is immutable")
        if live is None:
            return await self._store(manifest)
        meta = {**live["metadata"], **manifest["metadata"]}
        return await self._store({**live, **manifest, "metadata": meta})

    async def get(self, ref: Ref) -> Object:
        """The live object."""
        live = self.objects.get(*_key(ref))
        if live is None or ref.uid not in ("", live["metadata"]["uid"]):
            raise NotFoundError(f"{ref} does not exist")
        return live

    async def patch(self, ref: Ref, patch: Object) -> Object:
        """Apply a JSON merge patch."""
        return await self._store(apply_merge_patch(await self.get(ref), patch))

    async def delete(self, ref: Ref, version: str = "") -> None:
        """Delete the object, which only this process changes; a Job with its pods and its directory."""
        try:
            obj = await self.get(ref)
        except NotFoundError:
            return
        if obj["kind"] == "Job":
            await self._job_controller.delete(obj)
            # Another run replaced it; its checkpoints are in the bucket.
            shutil.rmtree(run_directory(self._state_dir, ref.name), ignore_errors=True)
        else:
            self._remove(obj)

    async def patch_status(self, job: Object, status: Object) -> Object:
        """Replace a FineTuneJob's status."""
        live = await self.get(Ref.of(job))
        if live["metadata"]["resourceVersion"] != job["metadata"]["resourceVersion"]:
            raise ConflictError(f"{Ref.of(job)} has changed since it was read")
        return self._publish({**live, "status": status})

    async def fetch_progress(self, pod: Object) -> ProgressReport | None:
        """The response of the pod's process, over the loopback interface."""
        port = self._kubelet.port(pod["metadata"]["name"])
        if port is None or is_being_deleted(pod):
            return None
        try:
            async with (
                aiohttp.ClientSession(timeout=PROGRESS_TIMEOUT) as session,
                session.get(f"http://127.0.0.1:{port}/progress", allow_redirects=False) as response,
            ):
                if response.status != 200:
                    return None
                return ProgressReport.model_validate_json(await response.content.read(PROGRESS_LIMIT))
        except (aiohttp.ClientError, TimeoutError, ValueError):
            return None

    async def list_warnings(self, namespace: str, kind: Kind) -> Sequence[WarningEvent]:
        """None: a process that can't be started is a failure of its pod."""
        return []

    async def list_workloads(self, namespace: str, jobs: Sequence[Object]) -> Sequence[Workload]:
        """None: this machine has no queues."""
        return []

    async def emit_event(self, job: Object, event: Event) -> None:
        """Do nothing: the terminal shows changes as they happen."""

    async def knows_restart_rules(self) -> bool:
        """Not needed: the next attempt is a process of the same machine anyway."""
        return False

    async def list_pods_of(self, job: Object) -> Sequence[Object]:
        """The Job's pods."""
        return [pod for pod in self.objects.list("Pod") if run_of(pod) == job["metadata"]["name"]]

    async def list_objects(self, kind: str, namespace: str = "") -> Listing:
        """All objects of a kind; the state directory has one namespace."""
        return Listing(self.objects.list(kind))

    async def _store(self, obj: Object) -> Object:
        stored = self._publish(obj)
        if obj["kind"] == "Job":
            await self._job_controller.sync(stored)
        return stored

    def _publish(self, obj: Object) -> Object:
        try:
            stored = self.objects.put(obj)
        except OSError as error:
            failure = TransientError(f"{Ref.of(obj)} can't be written: {error}")
            self._job_controller.fail(failure)  # the controller would retry for ever
            raise failure from error
        if stored["kind"] in WATCHED:
            self._on_event(stored)
        return stored

    def _remove(self, obj: Object) -> None:
        meta = obj["metadata"]
        removed = self.objects.delete(obj["kind"], meta["namespace"], meta["name"])
        if removed and removed["kind"] in WATCHED:
            self._on_event(removed, deleted=True)


def _key(ref: Ref) -> tuple[str, str, str]:
    return ref.kind, ref.namespace, ref.name


def _template(obj: Object) -> Any:
    return obj["spec"]["template"] if obj["kind"] == "Job" else None
