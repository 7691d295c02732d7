"""Implements `Cluster` with the API server; the only module that uses the Kubernetes client.

Every write passes `_request`, which sends none unless this replica leads; only the Lease itself is written
whether or not it does.
Objects stay raw JSON: typed models would cost memory and time, and drop unknown fields.
"""

import json
import os
import re
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any, Self
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
import orjson
from kubernetes.aio import config as kube_config
from kubernetes.aio.client import ApiClient, Configuration
from pydantic import ValidationError

from finscribe_core.api.v1alpha1 import FineTuneJobStatus
from finscribe_core.constants import (
    API_VERSION,
    FIELD_MANAGER,
    HTTP_PORT,
    HTTP_PORT_NAME,
    KIND,
    LABEL_JOB,
    LABEL_RUN,
    PLURAL,
)
from finscribe_core.report import ProgressReport
from finscribe_operator import service_account
from finscribe_operator.api_errors import translate
from finscribe_operator.clock import ServerClock
from finscribe_operator.cluster import (
    ConflictError,
    Event,
    ForbiddenError,
    Listing,
    NotFoundError,
    TransientError,
)
from finscribe_operator.config import OperatorConfig
from finscribe_operator.intake import take_in
from finscribe_operator.leadership import Leadership
from finscribe_operator.merge_patch import build_merge_patch
from finscribe_operator.metrics import Metrics
from finscribe_operator.objects import Object, Ref, label, namespace_of, run_of
from finscribe_operator.service_account import Authorities
from finscribe_operator.warning_events import REASONS, Kind, WarningEvent
from finscribe_operator.workloads import (
    LABEL_JOB_UID,
    WORKLOAD_API_VERSION,
    WORKLOAD_KIND,
    Workload,
)

REQUEST_TIMEOUT = aiohttp.ClientTimeout(total=30, connect=5)
PROGRESS_TIMEOUT = aiohttp.ClientTimeout(total=2)
PROGRESS_LIMIT = 64 * 1024
PAGE_SIZE = 20
"""Objects per page of a listing. Each may have 1.5 MB, and several times that once it is parsed."""
RESTART_RULES_SINCE = (1, 35)
"""The version of Kubernetes from which on containers have `restartPolicyRules` by default."""
UIDS_PER_LISTING = 50
"""What a URL has room for."""
EVENT_MESSAGE_LIMIT = 1024
_LABEL_CONTROLLER = "batch.kubernetes.io/controller-uid"
"""Set by Kubernetes on the pods of a Job, and in their selector."""

_PLURALS = {
    "ConfigMap": "configmaps",
    "Event": "events",
    "Job": "jobs",
    "Lease": "leases",
    "Namespace": "namespaces",
    "Pod": "pods",
    "Service": "services",
    WORKLOAD_KIND: "workloads",
    KIND: PLURAL,
}
_API_VERSIONS = {"Job": "batch/v1", "Pod": "v1", KIND: API_VERSION}
_JSON = "application/json"
_MERGE = "application/merge-patch+json"


class KubernetesCluster:
    """A client of an API server; `close` it after use."""

    def __init__(self, api: ApiClient, metrics: Metrics, leadership: Leadership) -> None:
        self._api = api
        self._leadership = leadership
        self._metrics = metrics
        self.clock = ServerClock()
        """The API server's time, from its responses."""
        self._knows_restart_rules: bool | None = None
        self._authorities = Authorities(api.rest_client.ssl_context)
        # trust_env stays off: a proxy can't reach pod addresses.
        self._pods = aiohttp.ClientSession(timeout=PROGRESS_TIMEOUT)

    @classmethod
    async def connect(cls, config: OperatorConfig, metrics: Metrics, leadership: Leadership) -> Self:
        """Connect with the pod's service account, or outside a cluster with KUBECONFIG or ~/.kube/config.

        Raises:
            kubernetes.aio.config.ConfigException: neither exists.
        """
        configuration = Configuration()
        if service_account.is_used():
            kube_config.load_incluster_config(  # type: ignore[no-untyped-call]  # the client is half typed
                client_configuration=configuration
            )
        else:
            file = os.environ.get("KUBECONFIG") or None
            await kube_config.load_kube_config(  # type: ignore[no-untyped-call]  # the client is half typed
                config_file=file, client_configuration=configuration
            )
        configuration.connection_pool_maxsize = 2 * config.max_concurrent_reconciles
        configuration.proxy = configuration.proxy or find_proxy(configuration.host)
        # aiohttp would look for a proxy and a .netrc file for each request, in two threads.
        configuration.client_session_kwargs = {"trust_env": False}
        api = ApiClient(configuration)
        api.user_agent = FIELD_MANAGER
        return cls(api, metrics, leadership)

    async def close(self) -> None:
        """Close all connections."""
        await self._pods.close()
        await self._api.close()  # type: ignore[no-untyped-call]  # the client is half typed

    async def create(self, manifest: Object) -> Object:
        """Create the object with POST."""
        ref = Ref.of(manifest)
        path = _collection_path(ref.api_version, ref.kind, ref.namespace)
        return await self._request("POST", path, {"fieldManager": FIELD_MANAGER}, manifest)

    async def get(self, ref: Ref) -> Object:
        """The live object."""
        return await self._request("GET", _path_of(ref))

    async def patch(self, ref: Ref, patch: Object) -> Object:
        """Apply a JSON merge patch, to the object with the reference's uid only."""
        body = {**patch, "metadata": {**patch.get("metadata", {}), "uid": ref.uid}} if ref.uid else patch
        return await self._request("PATCH", _path_of(ref), {"fieldManager": FIELD_MANAGER}, body, _MERGE)

    async def delete(self, ref: Ref, version: str = "") -> None:
        """Delete the object and, in the background, what it owns."""
        options: Object = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"}
        preconditions = {"uid": ref.uid, "resourceVersion": version}
        options["preconditions"] = {name: value for name, value in preconditions.items() if value}
        try:
            await self._request("DELETE", _path_of(ref), body=options)
        except NotFoundError:
            return
        except ConflictError:
            # Rightly so if another object has the name by now.
            if await self._exists(ref):
                raise

    async def _exists(self, ref: Ref) -> bool:
        """Whether the object exists, under this uid if the reference has one."""
        try:
            live = await self.get(ref)
        except NotFoundError:
            return False
        return ref.uid in ("", live["metadata"]["uid"])

    async def patch_status(self, job: Object, status: Object) -> Object:
        """Patch the difference; rejected when the job has changed since it was read."""
        meta = job["metadata"]
        body = {
            "metadata": {"uid": meta["uid"], "resourceVersion": meta["resourceVersion"]},
            "status": build_merge_patch(_known_fields(job.get("status") or {}), status),
        }
        path = f"{_path_of(Ref.of(job))}/status"
        return await self._request("PATCH", path, {"fieldManager": FIELD_MANAGER}, body, _MERGE)

    async def write_lease(self, lease: Object) -> Object:
        """Create the Lease, or replace it if it has a resourceVersion, and has that one still."""
        ref = Ref.of(lease)
        if "resourceVersion" in lease["metadata"]:
            return await self._send("PUT", _path_of(ref), {}, lease)
        return await self._send("POST", _collection_path(ref.api_version, ref.kind, ref.namespace), {}, lease)

    async def fetch_progress(self, pod: Object) -> ProgressReport | None:
        """The response of the pod's `/progress`, within 2 seconds and 64 KiB."""
        address = pod.get("status", {}).get("podIP")
        if not address:
            return None
        host = f"[{address}]" if ":" in address else address
        try:
            body = await self._read_bounded(f"http://{host}:{_http_port(pod)}/progress")
            report = ProgressReport.model_validate_json(body)
        except (aiohttp.ClientError, TimeoutError, OSError, ValidationError):
            return None
        # The address of a deleted pod may have been assigned to another one.
        return report if report.run == run_of(pod) else None

    async def list_warnings(self, namespace: str, kind: Kind) -> Sequence[WarningEvent]:
        """One listing for all objects: the API server reads all Events of a namespace for each listing."""
        newest: dict[str, WarningEvent] = {}
        query = {"limit": str(PAGE_SIZE), "fieldSelector": f"involvedObject.kind={kind},type=Warning"}
        async for items, _ in self._pages(_collection_path("v1", "Event", namespace), query):
            for event in map(WarningEvent.of, items):
                if event.reason not in REASONS[kind]:
                    continue
                if event.uid not in newest or event.time >= newest[event.uid].time:
                    newest[event.uid] = event
        return list(newest.values())

    async def list_workloads(self, namespace: str, jobs: Sequence[Object]) -> Sequence[Workload]:
        """Selected by the Jobs' uids, as the queues of a namespace may hold much else."""
        path = _collection_path(WORKLOAD_API_VERSION, WORKLOAD_KIND, namespace)
        uids = [job["metadata"]["uid"] for job in jobs]
        found: list[Workload] = []
        try:
            for start in range(0, len(uids), UIDS_PER_LISTING):
                some = ",".join(uids[start : start + UIDS_PER_LISTING])
                query = {"limit": str(PAGE_SIZE), "labelSelector": f"{LABEL_JOB_UID} in ({some})"}
                async for items, _ in self._pages(path, query):
                    found += map(Workload.of, items)
        except NotFoundError:
            return []
        return found

    async def emit_event(self, job: Object, event: Event) -> None:
        """Post an Event. Without a name it gets a unique one, as client-go gives it."""
        namespace, now = namespace_of(job), self.clock()
        name = event.name or f"{job['metadata']['name']}.{time.time_ns():x}"
        body = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": name, "namespace": namespace},
            "involvedObject": {
                "apiVersion": API_VERSION,
                "kind": KIND,
                "namespace": namespace,
                "name": job["metadata"]["name"],
                "uid": job["metadata"]["uid"],
            },
            "type": event.type,
            "reason": event.reason,
            "message": event.message[:EVENT_MESSAGE_LIMIT],
            "source": {"component": FIELD_MANAGER},
            "reportingComponent": FIELD_MANAGER,
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
        }
        await self._request("POST", _collection_path("v1", "Event", namespace), body=body)

    async def knows_restart_rules(self) -> bool:
        """By the API server's version, which is asked once: an upgrade is used after the next start.

        A server whose feature gate is off drops the rules, and so does an older node: the pod then fails.
        """
        if self._knows_restart_rules is None:
            try:
                version = _read_version(await self._request("GET", "/version"))
                self._knows_restart_rules = version >= RESTART_RULES_SINCE
            except (ForbiddenError, NotFoundError):
                self._knows_restart_rules = False
        return self._knows_restart_rules

    async def list_pods_of(self, job: Object) -> Sequence[Object]:
        """The Job's pods, as they are now, also those that have lost the operator's labels."""
        meta = job["metadata"]
        path = _collection_path("v1", "Pod", namespace_of(job))
        pods = (
            await self._list("Pod", path, {"labelSelector": f"{_LABEL_CONTROLLER}={meta['uid']}"})
        ).objects
        for pod in pods:
            ours = {name: label(job, name) for name in (LABEL_JOB, LABEL_RUN)}
            pod["metadata"]["labels"] = {**pod["metadata"].get("labels", {}), **ours}
        return pods

    async def list_objects(self, kind: str, namespace: str = "") -> Listing:
        """All FineTuneJobs, child Jobs or child pods of a namespace, or of all of them; a page at a time."""
        path = _collection_path(_API_VERSIONS[kind], kind, namespace)
        return await self._list(kind, path, {} if kind == KIND else {"labelSelector": LABEL_JOB})

    async def _list(self, kind: str, path: str, query: dict[str, str]) -> Listing:
        api_version, query = _API_VERSIONS[kind], {"limit": str(PAGE_SIZE), **query}
        found: list[Object] = []
        listed_version = 0
        async for items, version in self._pages(path, query):
            # Items of a listing have neither apiVersion nor kind.
            found += [take_in({"apiVersion": api_version, "kind": kind, **item}) for item in items]
            listed_version = version
        return Listing(found, listed_version)

    async def _pages(self, path: str, query: dict[str, str]) -> AsyncIterator[tuple[list[Object], int]]:
        """The items of a listing, one page in memory at a time, and the version of the listed state."""
        while True:
            page = await self._request("GET", path, query)
            try:
                items, meta = list(page["items"]), page["metadata"]
                version, token = int(meta["resourceVersion"]), meta.get("continue")
            except (KeyError, TypeError, ValueError) as error:
                raise TransientError(f"GET {path}: the response is no listing") from error
            yield items, version
            if not token:
                return
            query = {**query, "continue": token}

    async def _request(
        self,
        method: str,
        path: str,
        query: dict[str, str] | None = None,
        body: Any = None,
        type_: str = _JSON,
    ) -> Object:
        """Send a request, a write only if this replica leads.

        Raises:
            ClusterError: there was no response, or an error; or this replica does not lead.
        """
        if method != "GET":
            self._leadership.require()
        return await self._send(method, path, query or {}, body, type_)

    async def _send(
        self, method: str, path: str, query: dict[str, str], body: Any, type_: str = _JSON
    ) -> Object:
        code, sent = 0, time.time()
        self._authorities.refresh()
        try:
            verb, url, headers, _, _ = await self._api.param_serialize(
                method,
                path,
                query_params=list(query.items()),
                header_params={"Accept": _JSON, "Content-Type": type_},
                auth_settings=["BearerToken"],
            )
            # The body, which is JSON already, does not pass `param_serialize`: it would copy every value.
            response = await self._api.call_api(verb, url, headers, body, _request_timeout=REQUEST_TIMEOUT)
            code = response.status
            self.clock.observe(response.response.headers.get("Date"), sent, time.time())
            content = _parse(await response.response.read(), code)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise TransientError(f"{method} {path}: {type(error).__name__}: {error}") from error
        finally:
            self._metrics.api_requests.labels(method, _kind_of(path), str(code)).inc()
        if code >= 300:
            raise translate(code, content)
        return content

    async def _read_bounded(self, url: str) -> bytes:
        async with self._pods.get(url, allow_redirects=False) as response:
            response.raise_for_status()
            body = b""
            async for chunk in response.content.iter_chunked(8192):
                body += chunk
                if len(body) > PROGRESS_LIMIT:
                    raise aiohttp.ClientPayloadError(f"more than {PROGRESS_LIMIT} bytes")
            return body


def find_proxy(server: str) -> str | None:
    """The proxy for requests to a URL, as HTTPS_PROXY, HTTP_PROXY and NO_PROXY say; None without one."""
    url = urlsplit(server)
    return None if proxy_bypass(url.hostname or "") else getproxies().get(url.scheme)


def _known_fields(status: Object) -> Object:
    """The fields of a status that this version knows. It leaves those of a newer operator alone, which would
    otherwise write them again, for ever.
    """
    try:
        known = FineTuneJobStatus.model_validate(status).to_kubernetes()
    except ValidationError:
        return status  # all of it is replaced
    return _select(status, known)


def _select(values: Object, keys: Object) -> Object:
    """The values whose keys are among those, at every level."""
    return {
        key: _select(value, keys[key]) if isinstance(value, dict) and isinstance(keys[key], dict) else value
        for key, value in values.items()
        if key in keys
    }


def _loads(body: bytes) -> Any:
    """The JSON value. orjson is faster than Python's parser, but refuses more than 1024 nested levels."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return json.loads(body)


def _parse(body: bytes, code: int) -> Object:
    """The object in a response; that of an error may be plain text, as of a kind that does not exist.

    Raises:
        json.JSONDecodeError: the response is no object, such as one that was cut.
    """
    try:
        content = _loads(body)
        if isinstance(content, dict):
            return content
        raise json.JSONDecodeError("no object", "", 0)
    except ValueError:
        if code < 300:
            raise
        return {"message": f"HTTP {code} {body[:200].decode(errors='replace')}".strip()}


def _read_version(content: Object) -> tuple[int, int]:
    """Major and minor version in the response of `/version`; zeros if it says none.

    >>> _read_version({"major": "1", "minor": "35+"}), _read_version({})
    ((1, 35), (0, 0))
    """
    parts = (re.match(r"\d+", str(content.get(name, ""))) for name in ("major", "minor"))
    major, minor = (int(part.group()) if part else 0 for part in parts)
    return major, minor


def _http_port(pod: Object) -> int:
    """The port in the pod's spec: a run keeps the one it was created with."""
    ports = (port for c in pod.get("spec", {}).get("containers") or [] for port in c.get("ports") or [])
    return next(
        (int(port["containerPort"]) for port in ports if port.get("name") == HTTP_PORT_NAME), HTTP_PORT
    )


def _path_of(ref: Ref) -> str:
    return f"{_collection_path(ref.api_version, ref.kind, ref.namespace)}/{ref.name}"


def _collection_path(api_version: str, kind: str, namespace: str) -> str:
    root = "/apis" if "/" in api_version else "/api"
    scope = f"/namespaces/{namespace}" if namespace else ""
    return f"{root}/{api_version}{scope}/{_PLURALS[kind]}"


def _kind_of(path: str) -> str:
    """The resource's plural name in a path, for the metric's label."""
    return next((part for part in reversed(path.split("/")) if part in _PLURALS.values()), "")
