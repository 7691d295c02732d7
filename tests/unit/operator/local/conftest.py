"""A local Job controller whose containers are real processes: small Python programs instead of a trainer."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from finscribe_core.constants import EXIT_USER_ERROR
from finscribe_operator.local.container import Machine
from finscribe_operator.local.job_controller import Backoff, JobController, ObjectWriter
from finscribe_operator.local.kubelet import Kubelet
from finscribe_operator.local.object_files import ObjectFiles
from finscribe_operator.objects import Object

POLICY = {
    "rules": [
        {
            "action": "FailJob",
            "onExitCodes": {"containerName": "trainer", "operator": "In", "values": [EXIT_USER_ERROR]},
        },
        {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
    ]
}


class LocalJob:
    """One state directory with a Job controller, a kubelet and one Job."""

    def __init__(self, state_dir: Path, secrets: dict[str, dict[str, str]]) -> None:
        self.objects = ObjectFiles(state_dir / "objects")
        machine = Machine(state_dir, dict(os.environ), secrets, entrypoint=(sys.executable, "-c"))
        self.kubelet = Kubelet(machine, self.objects, self.publish)
        writer = ObjectWriter(self.publish, self.remove)
        self.controller = JobController(self.objects, self.kubelet, writer, Backoff(first=0))

    def publish(self, obj: Object) -> Object:
        return self.objects.put(obj)

    def remove(self, obj: Object) -> None:
        self.objects.delete(obj["kind"], obj["metadata"]["namespace"], obj["metadata"]["name"])

    @property
    def job(self) -> Object:
        job = self.objects.get("Job", "default", "run-1")
        assert job
        return job

    @property
    def pods(self) -> list[Object]:
        return self.objects.list("Pod")

    async def apply(self, **spec: Any) -> None:
        """Apply the Job with these fields of its spec."""
        await self.controller.sync(self.publish({**self.job, "spec": {**self.job["spec"], **spec}}))

    async def until(self, condition: Callable[[], Any]) -> None:
        """Wait until the condition is true, ten seconds at most."""
        async with asyncio.timeout(10):
            while not condition():  # noqa: ASYNC110 - a file or a process has no event to wait for
                await asyncio.sleep(0.02)


def build_job(program: str, container: dict[str, Any], pod: dict[str, Any]) -> Object:
    trainer = {"name": "trainer", "image": "trainer:1", "args": [program], **container}
    spec = {"restartPolicy": "Never", "terminationGracePeriodSeconds": 5, "containers": [trainer], **pod}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "run-1", "namespace": "default"},
        "spec": {"backoffLimit": 2, "podFailurePolicy": POLICY, "template": {"spec": spec}},
    }


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Callable[..., Any]]:
    """Start a Job whose container runs a Python program."""
    started: list[LocalJob] = []

    async def start(
        program: str,
        *,
        container: dict[str, Any] | None = None,
        pod: dict[str, Any] | None = None,
        secrets: dict[str, dict[str, str]] | None = None,
        config_map: dict[str, str] | None = None,
        **spec: Any,
    ) -> LocalJob:
        local = LocalJob(tmp_path / "state", secrets or {})
        started.append(local)
        if config_map:
            meta = {"name": "config", "namespace": "default"}
            local.publish({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": config_map})
        local.publish(build_job(program, container or {}, pod or {}))
        await local.apply(**spec)
        return local

    yield start
    for local in started:
        await local.controller.shut_down()
