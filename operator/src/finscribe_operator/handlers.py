"""Configures kopf, and registers handlers that pass watch events to the controller; none decides anything.

Only `on.event` handlers are used: kopf's other handlers add finalizers and annotations to the objects, and
copy and compare them recursively.
"""

import asyncio
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any
from uuid import uuid4

import aiohttp
import kopf

from finscribe_core.constants import GROUP, LABEL_JOB, PLURAL, VERSION
from finscribe_operator import service_account
from finscribe_operator.cluster import ClusterError
from finscribe_operator.controller import RETRY_SECONDS, Controller
from finscribe_operator.kubernetes_cluster import PAGE_SIZE
from finscribe_operator.service_account import Authorities
from finscribe_operator.watch_session import WatchMiddleware
from finscribe_operator.watches import Watches


def build_registry(controller: Controller, watches: Watches) -> kopf.OperatorRegistry:
    """A kopf registry with the operator's handlers."""
    registry = kopf.OperatorRegistry()
    kopf.on.startup(registry=registry)(_configure)

    @kopf.on.login(registry=registry)
    async def login(settings: kopf.OperatorSettings, **_: Any) -> kopf.AiohttpSession:
        return _open_session(controller, watches, settings)

    @kopf.on.startup(registry=registry)
    async def start(**_: Any) -> None:
        while not controller.started.is_set():
            try:
                await controller.start()
            except ClusterError:
                await asyncio.sleep(RETRY_SECONDS)  # the controller has logged it
        watches.expect()

    @kopf.on.cleanup(registry=registry)
    async def stop(**_: Any) -> None:
        await controller.stop()

    @kopf.on.event(GROUP, VERSION, PLURAL, registry=registry)
    @kopf.on.event("batch", "v1", "jobs", labels={LABEL_JOB: kopf.PRESENT}, registry=registry)
    @kopf.on.event("", "v1", "pods", labels={LABEL_JOB: kopf.PRESENT}, registry=registry)
    async def on_event(event: kopf.RawEvent, **_: Any) -> None:
        # Only what `watch_session` could not hand on.
        controller.on_event(dict(event["object"]), deleted=event["type"] == "DELETED")

    return registry


def _open_session(
    controller: Controller, watches: Watches, settings: kopf.OperatorSettings
) -> kopf.AiohttpSession:
    """A session for all requests of kopf."""
    info = _read_credentials(settings)
    context = info.as_ssl_context()
    authorities = Authorities(context)

    def read_headers() -> Mapping[str, str]:
        authorities.refresh()
        return _read_credentials(settings).as_http_headers()

    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, ssl=context),
        proxy=info.proxy_url,
        trust_env=info.trust_env,
        middlewares=(WatchMiddleware(watches, read_headers, controller.on_event),),
    )
    return kopf.AiohttpSession(
        server=info.server, default_namespace=info.default_namespace, aiohttp_session=session
    )


def _read_credentials(settings: kopf.OperatorSettings) -> kopf.ConnectionInfo:
    if service_account.is_used():
        info = kopf.login_with_service_account(settings=settings)
        info = info and replace(info, server=service_account.server())  # kopf's own needs a DNS
    else:
        info = kopf.login_with_kubeconfig(settings=settings)
    if info is None:
        raise kopf.PermanentError("There is neither a service account nor a kubeconfig.")
    return info


class _Endless:
    """Delays in seconds between the attempts of a request of kopf, which gives up after the last one."""

    def __iter__(self) -> Iterator[float]:
        return itertools.chain((1.0, 2.0), itertools.repeat(4.0))


def _configure(settings: kopf.OperatorSettings, **_: Any) -> None:
    settings.posting.enabled = False  # the reconciler posts Events itself
    settings.scanning.disabled = True  # it needs permissions on namespaces and CRDs
    settings.watching.server_timeout = 300
    settings.watching.client_timeout = 330
    settings.watching.connect_timeout = 10
    settings.watching.chunk_size = PAGE_SIZE
    settings.watching.label_selectors["batch", "v1", "jobs"] = LABEL_JOB
    settings.watching.label_selectors["", "v1", "pods"] = LABEL_JOB
    settings.networking.request_timeout = 30
    settings.networking.connect_timeout = 5
    settings.networking.error_backoffs = _Endless()
    settings.persistence.diffbase_storage = _NoStorage()
    # kopf removes its finalizer where no handler needs it; this one is on no object.
    settings.persistence.finalizer = f"{GROUP}/{uuid4()}"
    settings.queueing.error_delays = ()  # an object whose processing failed must not lose its next events
    settings.queueing.idle_timeout = 1.0  # seconds until the task of an object that just changed ends


class _NoStorage(kopf.DiffBaseStorage):
    """Keeps kopf from reading and copying the objects.

    Its own storages parse an annotation that any user can write, and copy every object recursively, for
    handlers that compare its old and new state. There are none.
    """

    def build(self, **_: Any) -> kopf.BodyEssence:
        """Nothing of the object."""
        return kopf.BodyEssence()

    def fetch(self, **_: Any) -> None:
        """No earlier state."""

    def store(self, **_: Any) -> None:
        """Store nothing."""
