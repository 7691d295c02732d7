"""Runs a Job's pods one after another until it completes or fails, as Kubernetes' Job controller does.

Same behaviour wherever `status.py` depends on it: backoff, podFailurePolicy, suspend, deadline, conditions.
"""

import asyncio
import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from finscribe_operator.local.failure_policy import Action, decide_action
from finscribe_operator.local.job_status import complete, failed, is_finished, started, stopped, suspended
from finscribe_operator.local.kubelet import Kubelet
from finscribe_operator.local.object_files import ObjectFiles
from finscribe_operator.objects import Object

Key = tuple[str, str]
"""Namespace and name."""


@dataclass(frozen=True)
class Backoff:
    """Seconds before a Job's next pod, doubled with each failure; the defaults are Kubernetes' own."""

    first: float = 10
    limit: float = 600

    def delay(self, num_failed: int) -> float:
        """Seconds before the pod that follows the n-th failure; 0 before the first pod."""
        return min(self.first * 2 ** (num_failed - 1), self.limit) if num_failed else 0


@dataclass(frozen=True)
class ObjectWriter:
    """How objects are stored and deleted, each with a watch event."""

    publish: Callable[[Object], Object]
    remove: Callable[[Object], None]


class JobController:
    """Runs every Job that is neither finished nor suspended."""

    def __init__(
        self, objects: ObjectFiles, kubelet: Kubelet, writer: ObjectWriter, backoff: Backoff
    ) -> None:
        self._objects = objects
        self._kubelet = kubelet
        self._writer = writer
        self._backoff = backoff
        self._tasks: dict[Key, asyncio.Task[None]] = {}
        self._failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def sync(self, job: Object) -> None:
        """Start or stop the Job's process as its spec requires."""
        key = _key(job)
        if is_finished(job):
            return
        if job["spec"].get("suspend", False):
            await self._stop(key)
            self._set_status(key, suspended)
        elif key not in self._tasks or self._tasks[key].done():
            self._tasks[key] = asyncio.create_task(self._run_pods(key))
            self._tasks[key].add_done_callback(self._on_task_done)

    async def delete(self, job: Object) -> None:
        """Terminate the Job's pods, then delete them and the Job."""
        await self._stop(_key(job))
        for pod in self._pods_of(job):
            self._writer.remove(pod)
        self._writer.remove(job)

    async def shut_down(self) -> None:
        """Terminate every pod gracefully and without counting a failure, like a node drain."""
        await asyncio.gather(*(self._stop(key) for key in list(self._tasks)))

    def fail(self, error: BaseException) -> None:
        """Let `wait_for_failure` raise the error, unless it has another one to raise."""
        if not self._failure.done():
            self._failure.set_exception(error)

    async def wait_for_failure(self) -> None:
        """Never return, but raise the error by which Jobs can't go on."""
        await asyncio.shield(self._failure)

    def recover(self) -> None:
        """Recover the state of an earlier process: its running pods are deleted without counting a failure,
        and the time in which nothing ran does not count against a Job's deadline.
        """
        for pod in self._objects.list("Pod"):
            if pod["status"]["phase"] in ("Pending", "Running"):
                self._writer.remove(pod)
        for job in self._objects.list("Job"):
            if not is_finished(job):
                self._set_status(_key(job), stopped)

    async def _stop(self, key: Key) -> None:
        task = self._tasks.pop(key, None)
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    def _on_task_done(self, task: "asyncio.Task[None]") -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self.fail(error)

    async def _run_pods(self, key: Key) -> None:
        job = self._set_status(key, started) if not self._start_time(key) else self._job(key)
        try:
            async with asyncio.timeout(self._time_left(job)):
                while not is_finished(job):
                    await asyncio.sleep(self._backoff.delay(job["status"].get("failed", 0)))
                    job = await self._run_pod(job)
        except TimeoutError:
            message = "Job was active longer than specified deadline"
            self._set_status(key, lambda status: failed(status, "DeadlineExceeded", message))

    async def _run_pod(self, job: Object) -> Object:
        """Run one pod to its end and update the Job's status."""
        key = _key(job)
        self._set_status(key, lambda status: {**status, "active": 1, "ready": 0})
        pod = build_pod(job)
        try:
            pod = await self._kubelet.run(pod)
        except asyncio.CancelledError:
            self._writer.remove(pod)
            self._set_status(key, lambda status: {**status, "active": 0, "ready": 0})
            raise
        if pod["status"]["phase"] == "Succeeded":
            return self._set_status(key, complete)
        return self._set_status(key, lambda status: _after_failure(self._job(key), status, pod))

    def _job(self, key: Key) -> Object:
        job = self._objects.get("Job", *key)
        assert job is not None, "a Job's task is stopped before it is deleted"
        return job

    def _start_time(self, key: Key) -> str | None:
        time: str | None = self._job(key).get("status", {}).get("startTime")
        return time

    def _set_status(self, key: Key, change: Callable[[Object], Object]) -> Object:
        job = self._job(key)
        return self._writer.publish({**job, "status": change(job.get("status", {}))})

    def _pods_of(self, job: Object) -> list[Object]:
        uid = job["metadata"]["uid"]
        return [
            pod for pod in self._objects.list("Pod") if pod["metadata"]["ownerReferences"][0]["uid"] == uid
        ]

    @staticmethod
    def _time_left(job: Object) -> float | None:
        """Seconds until the deadline, counted from the Job's start; None without a deadline."""
        deadline: int | None = job["spec"].get("activeDeadlineSeconds")
        if deadline is None:
            return None
        start = datetime.fromisoformat(job["status"]["startTime"])
        return max(0.0, deadline - (datetime.now(UTC) - start).total_seconds())


def build_pod(job: Object) -> Object:
    """The pod of the Job's next attempt, from its template."""
    name, namespace, uid = (job["metadata"][key] for key in ("name", "namespace", "uid"))
    template = job["spec"]["template"]
    labels = {
        **template.get("metadata", {}).get("labels", {}),
        "job-name": name,
        "batch.kubernetes.io/job-name": name,
        "controller-uid": uid,
        "batch.kubernetes.io/controller-uid": uid,
    }
    owner = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "name": name,
        "uid": uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"{name}-{secrets.token_hex(3)}",
            "namespace": namespace,
            "labels": labels,
            "annotations": template.get("metadata", {}).get("annotations", {}),
            "ownerReferences": [owner],
        },
        "spec": template["spec"],
        "status": {"phase": "Pending"},
    }


def _after_failure(job: Object, status: Object, pod: Object) -> Object:
    decision = decide_action(job, pod)
    status = {**status, "active": 0, "ready": 0}
    if decision.action == Action.Ignore:
        return status
    status["failed"] = status.get("failed", 0) + 1
    if decision.action == Action.FailJob:
        return failed(status, "PodFailurePolicy", decision.message)
    if status["failed"] > job["spec"].get("backoffLimit", 6):
        return failed(status, "BackoffLimitExceeded", "Job has reached the specified backoff limit")
    return status


def _key(job: Object) -> Key:
    return job["metadata"]["namespace"], job["metadata"]["name"]
