"""What a FineTuneJob costs the API server: CPU time of a GET, a creation, and a status write.

An empty object of a definition without schema and rules is measured, too: no custom resource costs less.
"""

import asyncio
import json
import os
import time
from collections.abc import Awaitable, Callable
from unittest import mock

import orjson

from benchmarks.operator.api import MERGE_PATCH
from benchmarks.operator.bench import AT_ONCE, NAMESPACE, Bench, running_bench
from benchmarks.operator.candidates import Candidate
from benchmarks.operator.figures import Figures
from benchmarks.operator.node import training
from benchmarks.operator.usage import cpu_seconds
from finscribe_core.api.v1alpha1 import FineTuneJobStatus
from finscribe_operator.config import OperatorConfig
from finscribe_operator.kubernetes_cluster import KubernetesCluster
from finscribe_operator.leadership import Leadership
from finscribe_operator.metrics import Metrics
from finscribe_operator.objects import Object
from finscribe_operator.store import Store

_IDLE_SECONDS = 5.0
_ANY_OBJECT = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
_EMPTY_CRD = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "empties.bench.finscribe.io"},
    "spec": {
        "group": "bench.finscribe.io",
        "scope": "Namespaced",
        "names": {"kind": "Empty", "plural": "empties", "singular": "empty"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": _ANY_OBJECT},
            }
        ],
    },
}


async def measure(candidate: Candidate, jobs: int) -> Figures:
    """Each request is sent this often, one after another; what the server takes anyway is deducted."""
    async with running_bench(candidate) as bench:
        await bench.warm_up()
        listing = await bench.api.get(bench.collection, limit="1")
        path = f"{bench.collection}/{listing['items'][0]['metadata']['name']}"
        bench.operator.stop()
        idle = await _idle(bench)

        async def create(number: int) -> None:
            await bench.create([f"job-{number}"], at_once=1)

        async def read(_: int) -> None:
            await bench.api.get(path)

        figures = {
            "get_ms": await _cost(bench, read, jobs, idle),
            "create_ms": await _cost(bench, create, jobs, idle),
            "status_write_ms": await _cost_of_status(bench, await bench.api.get(path), jobs, idle),
        }
        figures["object_bytes"] = len(orjson.dumps(await bench.api.get(path)))
        return {**figures, **await _costs_of_empty(bench, jobs, idle)}


async def _costs_of_empty(bench: Bench, number: int, idle: float) -> Figures:
    """The same requests for an empty object, whose status has nothing but a number."""
    file = bench.server.folder / "empty-crd.json"
    file.write_text(json.dumps(_EMPTY_CRD), encoding="utf-8")
    bench.server.install_crd(file)
    collection = f"/apis/bench.finscribe.io/v1/namespaces/{NAMESPACE}/empties"

    async def create(each: int) -> None:
        metadata = {"name": f"empty-{each}"}
        await bench.api.send(
            "POST", collection, {"apiVersion": "bench.finscribe.io/v1", "kind": "Empty", "metadata": metadata}
        )

    async def read(_: int) -> None:
        await bench.api.get(f"{collection}/empty-0")

    async def write(each: int) -> None:
        await bench.api.send(
            "PATCH", f"{collection}/empty-0/status", {"status": {"step": each + 1}}, MERGE_PATCH
        )

    return {
        "empty_create_ms": await _cost(bench, create, number, idle),
        "empty_get_ms": await _cost(bench, read, number, idle),
        "empty_status_write_ms": await _cost(bench, write, number, idle),
    }


async def _cost_of_status(bench: Bench, job: Object, jobs: int, idle: float) -> float:
    """As the operator writes it, with its own client: what progress changes, each time."""
    with mock.patch.dict(os.environ, KUBECONFIG=str(bench.server.kubeconfig)):
        cluster = await KubernetesCluster.connect(OperatorConfig(), Metrics(Store()), Leadership.permanent())
    live, status = job, FineTuneJobStatus.model_validate(job["status"])

    async def write(number: int) -> None:
        nonlocal live
        progress = training(number + 1)
        live = await cluster.patch_status(
            live, status.model_copy(update={"progress": progress}).to_kubernetes()
        )

    try:
        return await _cost(bench, write, jobs, idle)
    finally:
        await cluster.close()


async def _cost(bench: Bench, send: Callable[[int], Awaitable[None]], number: int, idle: float) -> float:
    """Milliseconds of the API server for each request."""
    for each in range(AT_ONCE):
        await send(each)
    began, before = time.monotonic(), _used(bench)
    for each in range(AT_ONCE, AT_ONCE + number):
        await send(each)
    used = _used(bench) - before - idle * (time.monotonic() - began)
    return 1000 * used / number


async def _idle(bench: Bench) -> float:
    """CPU seconds a second that the API server takes without requests."""
    await bench.be_quiet()
    before = _used(bench)
    await asyncio.sleep(_IDLE_SECONDS)
    return (_used(bench) - before) / _IDLE_SECONDS


def _used(bench: Bench) -> float:
    pid = bench.server.processes.pid("kube-apiserver")
    assert pid is not None
    return cpu_seconds(pid)
