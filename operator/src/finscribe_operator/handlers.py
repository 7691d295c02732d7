"""Registers kopf handlers that pass watch events to the controller; no handler decides anything.

Only `on.event` handlers are used: kopf's other handlers add finalizers and annotations to the objects, and
copy and compare them recursively.
"""

from typing import Any
from uuid import uuid4

import kopf

from finscribe_core.constants import GROUP, LABEL_JOB, PLURAL, VERSION
from finscribe_operator.controller import Controller
from finscribe_operator.kubernetes_cluster import PAGE_SIZE


def build_registry(controller: Controller) -> kopf.OperatorRegistry:
    """A kopf registry with the operator's handlers."""
    registry = kopf.OperatorRegistry()
    kopf.on.login(registry=registry)(_login)
    kopf.on.startup(registry=registry)(_configure)

    @kopf.on.startup(registry=registry, backoff=5)  # seconds between two attempts to list everything
    async def start(**_: Any) -> None:
        await controller.start()

    @kopf.on.cleanup(registry=registry)
    async def stop(**_: Any) -> None:
        await controller.stop()

    @kopf.on.event(GROUP, VERSION, PLURAL, registry=registry)
    @kopf.on.event("batch", "v1", "jobs", labels={LABEL_JOB: kopf.PRESENT}, registry=registry)
    @kopf.on.event("", "v1", "pods", labels={LABEL_JOB: kopf.PRESENT}, registry=registry)
    async def on_event(event: kopf.RawEvent, **_: Any) -> None:
        controller.on_event(dict(event["object"]), deleted=event["type"] == "DELETED")

    return registry


def _login(**kwargs: Any) -> kopf.ConnectionInfo | None:
    return kopf.login_with_service_account(**kwargs) or kopf.login_with_kubeconfig(**kwargs)


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
