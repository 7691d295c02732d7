"""Responses of the API server and of pods, as the reconciler gets them."""

import asyncio
import json
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from inspect import iscoroutinefunction
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from kubernetes.aio.client import ApiClient, Configuration

from finscribe_core.constants import HTTP_PORT_NAME
from finscribe_core.report import Progress, ProgressReport
from finscribe_operator.api_errors import translate
from finscribe_operator.cluster import (
    AlreadyExistsError,
    Cluster,
    ClusterError,
    ConflictError,
    Event,
    ForbiddenError,
    InvalidObjectError,
    NotFoundError,
    NotLeaderError,
    TransientError,
)
from finscribe_operator.config import OperatorConfig
from finscribe_operator.kubernetes_cluster import PROGRESS_LIMIT, KubernetesCluster, find_proxy
from finscribe_operator.leadership import Leadership
from finscribe_operator.merge_patch import build_merge_patch
from finscribe_operator.metrics import Metrics
from finscribe_operator.objects import Object, Ref
from finscribe_operator.store import Store
from tests.unit.operator.builders import a_batch_job, a_job, a_pod

Serve = Callable[[web.Response], Awaitable[Object]]

HTTP_ERRORS = {
    "a missing object": (404, "not found", NotFoundError),
    "an object that has changed": (409, "the object has been modified", ConflictError),
    "a Job whose template differs": (422, "spec.template: field is immutable", ConflictError),
    "an object with another owner": (
        422,
        "Only one reference can have Controller set to true.",
        ConflictError,
    ),
    "a broken rule": (422, "spec.backoffLimit: must be >= 0", InvalidObjectError),
    "an exhausted quota": (403, "exceeded quota", ForbiddenError),
    "too many requests": (429, "slow down", TransientError),
    "an expired page token": (410, "expired", TransientError),
    "a server that is starting": (503, "", TransientError),
}


@pytest.mark.parametrize(("code", "message", "expected"), HTTP_ERRORS.values(), ids=HTTP_ERRORS.keys())
def test_an_http_error_becomes_a_cluster_error(code: int, message: str, expected: type[ClusterError]):
    error = translate(code, {"message": message})
    assert type(error) is expected
    assert message in str(error)


def test_a_taken_name_is_told_from_other_conflicts():
    assert type(translate(409, {"reason": "AlreadyExists"})) is AlreadyExistsError
    assert type(translate(409, {"reason": "Conflict"})) is ConflictError


def test_a_merge_patch_has_only_changes_and_removes_missing_keys():
    old = {"summary": {"eta": "1m", "loss": "1"}, "runs": [1], "run": {"name": "a"}}
    new = {"summary": {"eta": "-", "loss": "1"}, "runs": [1, 2]}
    assert build_merge_patch(old, new) == {"summary": {"eta": "-"}, "runs": [1, 2], "run": None}


VERSIONS = {
    "1.34": (200, {"major": "1", "minor": "34"}, False),
    "1.35, by a provider": (200, {"major": "1", "minor": "35+"}, True),
    "2.0": (200, {"major": "2", "minor": "0"}, True),
    "none": (200, {}, False),
    "a secret": (403, {"message": "not for you"}, False),
}


@pytest.mark.parametrize(("code", "body", "knows"), VERSIONS.values(), ids=VERSIONS)
async def test_rules_for_restarts_depend_on_the_version_which_is_asked_once(
    code: int, body: Object, knows: bool
):
    asked = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.json_response(body, status=code)

    app = web.Application()
    app.router.add_get("/version", answer)
    async with TestServer(app, host="127.0.0.1") as server:
        api = ApiClient(Configuration(host=str(server.make_url("")).rstrip("/")))
        cluster = KubernetesCluster(api, Metrics(Store()), Leadership.permanent())
        assert [await cluster.knows_restart_rules() for _ in range(2)] == [knows, knows]
        await cluster.close()
    assert asked == ["/version"]


@pytest.fixture
async def conflicting() -> AsyncIterator[KubernetesCluster]:
    """A cluster that rejects each deletion of its only object, whose uid is `present`."""

    async def answer(request: web.Request) -> web.Response:
        if request.method == "DELETE":
            return web.json_response({"reason": "Conflict", "message": "a conflict"}, status=409)
        return web.json_response({"metadata": {"uid": "present"}})

    app = web.Application()
    app.router.add_route("*", "/apis/batch/v1/namespaces/team/jobs/invoices-1", answer)
    server = TestServer(app, host="127.0.0.1")
    await server.start_server()
    api = ApiClient(Configuration(host=str(server.make_url(""))))
    connected = KubernetesCluster(api, Metrics(Store()), Leadership.permanent())
    yield connected
    await connected.close()
    await server.close()


async def test_a_deletion_that_a_conflict_prevents_is_repeated(conflicting: KubernetesCluster):
    with pytest.raises(ConflictError):
        await conflicting.delete(Ref("batch/v1", "Job", "team", "invoices-1", "present"))


async def test_an_object_is_gone_when_another_one_has_its_name(conflicting: KubernetesCluster):
    await conflicting.delete(Ref("batch/v1", "Job", "team", "invoices-1", "gone"))


PROXIES = {
    "the one for HTTPS": (
        {"HTTPS_PROXY": "http://proxy:3128", "HTTP_PROXY": "http://other"},
        "http://proxy:3128",
    ),
    "none for an excepted host": (
        {"HTTPS_PROXY": "http://proxy:3128", "NO_PROXY": ".cluster,10.0.0.1"},
        None,
    ),
    "none without a variable": ({}, None),
}


@pytest.mark.parametrize(("variables", "proxy"), PROXIES.values(), ids=PROXIES.keys())
def test_the_proxy_of_the_environment_is(
    variables: dict[str, str], proxy: str | None, monkeypatch: pytest.MonkeyPatch
):
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert find_proxy("https://10.0.0.1:6443") == proxy


async def test_requests_are_sent_without_threads(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    async def answer(_: web.Request) -> web.Response:
        return web.json_response({"metadata": {"uid": "present"}})

    app = web.Application()
    app.router.add_get("/apis/batch/v1/namespaces/team/jobs/invoices-1", answer)
    server = TestServer(app, host="127.0.0.1")
    await server.start_server()
    cluster = {"name": "test", "cluster": {"server": str(server.make_url("")).rstrip("/")}}
    context = {"name": "test", "context": {"cluster": "test", "user": ""}}
    kubeconfig = {"clusters": [cluster], "contexts": [context], "current-context": "test"}
    file = tmp_path / "kubeconfig"
    file.write_text(json.dumps(kubeconfig))
    monkeypatch.setenv("KUBECONFIG", str(file))
    connected = await KubernetesCluster.connect(OperatorConfig(), Metrics(Store()), Leadership.permanent())
    no_threads = ThreadPoolExecutor()
    no_threads.shutdown()
    asyncio.get_running_loop().set_default_executor(no_threads)

    assert await connected.get(Ref("batch/v1", "Job", "team", "invoices-1"))

    await connected.close()
    await server.close()


@pytest.fixture
async def cluster() -> AsyncIterator[KubernetesCluster]:
    cluster = KubernetesCluster(ApiClient(Configuration()), Metrics(Store()), Leadership.permanent())
    yield cluster
    await cluster.close()


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Starts a pod's HTTP server with one response, and returns the pod."""
    servers = []

    async def start(response: web.Response) -> Object:
        async def answer(_: web.Request) -> web.Response:
            return response

        app = web.Application()
        app.router.add_get("/progress", answer)
        server = TestServer(app, host="127.0.0.1")
        await server.start_server()
        servers.append(server)
        pod = a_pod("run-1", {"podIP": "127.0.0.1"})
        pod["spec"]["containers"][0]["ports"] = [{"name": HTTP_PORT_NAME, "containerPort": server.port}]
        return pod

    yield start
    for server in servers:
        await server.close()


async def test_the_progress_of_a_pod_is_fetched(cluster: KubernetesCluster, serve: Serve):
    report = ProgressReport(run="run-1", progress=Progress(step=3, total_steps=10, percent=30))
    pod = await serve(web.json_response(report.to_kubernetes()))
    assert await cluster.fetch_progress(pod) == report


IGNORED_RESPONSES = {
    "is about another run: the address was reassigned": web.json_response({"run": "run-2"}),
    "is not a report": web.Response(text="<html>"),
    "is an error": web.Response(status=500),
    "does not end": web.Response(body=b" " * (PROGRESS_LIMIT + 1)),
    "is a redirect": web.Response(status=302, headers={"Location": "http://127.0.0.1/"}),
}


@pytest.mark.parametrize("name", IGNORED_RESPONSES)
async def test_a_response_is_ignored_when_it(name: str, cluster: KubernetesCluster, serve: Serve):
    assert await cluster.fetch_progress(await serve(IGNORED_RESPONSES[name])) is None


async def test_a_pod_that_does_not_listen_has_no_progress(cluster: KubernetesCluster):
    assert await cluster.fetch_progress(a_pod("run-1")) is None


REF = Ref("batch/v1", "Job", "team", "invoices-1")
WRITES: dict[str, Callable[[KubernetesCluster], Awaitable[object]]] = {
    "create": lambda cluster: cluster.create(a_batch_job("invoices-1")),
    "patch": lambda cluster: cluster.patch(REF, {"spec": {"suspend": True}}),
    "delete": lambda cluster: cluster.delete(REF),
    "patch_status": lambda cluster: cluster.patch_status(a_job(), {}),
    "emit_event": lambda cluster: cluster.emit_event(a_job(), Event("Normal", "Complete", "")),
}
READS = {
    *("get", "list_objects", "list_pods_of", "list_warnings", "list_workloads"),
    *("fetch_progress", "knows_restart_rules"),
}


def test_the_table_of_writes_is_complete():
    calls = {name for name, member in vars(Cluster).items() if iscoroutinefunction(member)}
    assert calls == READS | WRITES.keys()


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES.keys())
async def test_a_replica_that_does_not_lead_sends_no(write: Callable[[KubernetesCluster], Awaitable[object]]):
    requests = []

    async def answer(request: web.Request) -> web.Response:
        requests.append(request.method)
        return web.json_response({"metadata": {}})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    server = TestServer(app, host="127.0.0.1")
    await server.start_server()
    leadership = Leadership()
    api = ApiClient(Configuration(host=str(server.make_url(""))))
    cluster = KubernetesCluster(api, Metrics(Store()), leadership)
    with pytest.raises(NotLeaderError):
        await write(cluster)
    assert requests == []

    leadership.extend(math.inf)
    await write(cluster)
    assert requests != []
    await cluster.close()
    await server.close()
