"""Elects the replica that works: the one that holds a Lease. The others wait with their caches up to date.

The rules and their default times are those of client-go. The holder renews the Lease every two seconds, and
stops writing ten seconds after the last renewal that succeeded. Another replica takes the Lease over when it
has not changed for the 15 seconds that it is valid. Each replica measures these times with its own monotonic
clock: the times in the Lease are for people. The holder counts from before it sent a renewal, the others from
after they saw it, so that the holder stops first.
"""

import asyncio
import logging
import os
import socket
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Protocol
from uuid import uuid4

from finscribe_operator.cluster import ClusterError, ConflictError, NotFoundError
from finscribe_operator.config import LeaderElection
from finscribe_operator.leadership import Leadership
from finscribe_operator.objects import Object, Ref

logger = logging.getLogger(__name__)

API_VERSION = "coordination.k8s.io/v1"
_UNKNOWN = "unknown"
"""Stands for the holder of a Lease that does not exist."""
STEP_DOWN_SECONDS = 5.0
"""Work that is cancelled ends within this time; otherwise the process ends."""
RELEASE_SECONDS = 4.0


class Leases(Protocol):
    """Reads and writes Leases, whether or not this replica leads. Every method may raise a `ClusterError`."""

    async def get(self, ref: Ref) -> Object:
        """The live object."""
        ...

    async def write_lease(self, lease: Object) -> Object:
        """Create the Lease, or replace it if it has a resourceVersion, and has that one still."""
        ...


class Worker(Protocol):
    """What only one replica may do."""

    def lead(self) -> None:
        """Begin to work."""
        ...

    async def step_down(self) -> None:
        """Cancel all work, and return when nothing is written any more."""
        ...


class Election:
    """Takes part in the election until it is cancelled.

    Args:
        lease: the Lease, of `API_VERSION`.
        identity: of this replica, which no other one has.
        settings: times.
        leases: client for the Lease.
        leadership: is extended and ended.
        worker: what to do while this replica leads.
    """

    def __init__(
        self,
        lease: Ref,
        identity: str,
        settings: LeaderElection,
        leases: Leases,
        leadership: Leadership,
        worker: Worker,
    ) -> None:
        self._ref = lease
        self._identity = identity
        self._settings = settings
        self._leases = leases
        self._leadership = leadership
        self._worker = worker
        self._live: Object | None = None
        """The Lease as it was last seen; None if it does not exist, or must be read."""
        self._spec: Object = {}
        self._changed_at = self._leadership.now()
        """When this spec was first seen."""
        self._works = False
        self._problem = ""

    async def run(self) -> None:
        """Lead whenever possible. When it is cancelled, work ends first, then the Lease is released."""
        try:
            while True:
                if self._works and not self._leadership.is_held:
                    logger.warning("Lost the Lease: work is cancelled", extra={"lease": str(self._ref)})
                    await self._step_down()
                await self._try()
                if self._leadership.is_held and not self._works:
                    self._lead()
                await asyncio.sleep(self._pause())
        finally:
            if self._works:
                await self._step_down()
                await self._release()

    def _lead(self) -> None:
        logger.info("This replica works from now on", extra={"lease": str(self._ref)})
        self._works = True
        self._worker.lead()

    async def _step_down(self) -> None:
        self._leadership.end()
        async with asyncio.timeout(STEP_DOWN_SECONDS):
            await self._worker.step_down()
        self._works = False

    async def _try(self) -> None:
        """Renew the Lease, or take it if that is allowed. Failures are logged when they are new."""
        seconds = self._settings.renew_deadline_seconds / 2
        if self._works:
            seconds = min(seconds, self._leadership.seconds_left)
        problem = ""
        try:
            async with asyncio.timeout(seconds):
                await self._renew_or_take()
        except ConflictError:
            self._live = None  # another replica was faster
        except TimeoutError:
            problem = "no response"
        except ClusterError as error:
            problem = str(error)
        if problem:
            self._live = None  # whether the last write succeeded is not known
        if problem and problem != self._problem:
            logger.warning("The Lease can't be renewed or read, will retry", extra={"error": problem})
        self._problem = problem

    async def _renew_or_take(self) -> None:
        if not self._leadership.is_held or self._live is None:
            await self._read()
        if self._seconds_until_free() > 0:
            return
        sent = self._leadership.now()
        self._see(await self._leases.write_lease(self._build(self._identity)))
        self._leadership.extend(sent + self._settings.renew_deadline_seconds)

    async def _read(self) -> None:
        """Read the Lease. One that does not exist may have been deleted while another replica had it: it is
        created when it has been missing for as long as it would have been valid.
        """
        try:
            self._see(await self._leases.get(self._ref))
        except NotFoundError:
            self._live = None
            if not self._leadership.is_held:
                self._note({**self._spec, "holderIdentity": _UNKNOWN})
        if self._seconds_until_free() > 0:
            self._leadership.end()

    def _see(self, live: Object) -> None:
        before, self._live = self._holder, live
        self._note(live.get("spec") or {})
        if self._holder not in (before, "", self._identity):
            logger.info("Another replica works", extra={"lease": str(self._ref), "holder": self._holder})

    def _note(self, spec: Object) -> None:
        if spec != self._spec:
            self._spec, self._changed_at = spec, self._leadership.now()

    @property
    def _holder(self) -> str:
        return str(self._spec.get("holderIdentity") or "")

    def _seconds_until_free(self) -> float:
        """How long another replica has the Lease, as far as is known; at most 0 if none has it."""
        if self._holder in ("", self._identity):
            return 0.0
        valid = float(self._spec.get("leaseDurationSeconds") or self._settings.lease_duration_seconds)
        return self._changed_at + valid - self._leadership.now()

    def _pause(self) -> float:
        """Seconds until the next attempt: no later than something changes by itself."""
        period = self._settings.retry_period_seconds
        if self._works:
            return min(period, max(self._leadership.seconds_left, 0.0))
        remaining = self._seconds_until_free()
        return min(period, remaining) if remaining > 0 else period

    def _build(self, holder: str) -> Object:
        """The Lease with another holder, or renewed."""
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        begins = self._holder != self._identity
        spec = {
            **self._spec,
            "holderIdentity": holder,
            "leaseDurationSeconds": self._settings.lease_duration_seconds,
            "acquireTime": now if begins else self._spec.get("acquireTime", now),
            "renewTime": now,
            "leaseTransitions": int(self._spec.get("leaseTransitions") or 0)
            + (begins and "acquireTime" in self._spec),
        }
        metadata = {"namespace": self._ref.namespace, "name": self._ref.name}
        new = {"apiVersion": API_VERSION, "kind": "Lease", "metadata": metadata}
        return {**(self._live or new), "spec": spec}

    async def _release(self) -> None:
        """Let another replica take the Lease at once."""
        try:
            async with asyncio.timeout(RELEASE_SECONDS):
                await self._read()
                if self._live is not None and self._holder == self._identity:
                    await self._leases.write_lease(self._build(""))
        except (ClusterError, TimeoutError) as error:
            logger.warning(
                "The Lease is not released: another replica waits until it has expired",
                extra={"error": f"{type(error).__name__}: {error}"},
            )


def identify(environment: Mapping[str, str] = os.environ) -> str:
    """Name of this replica: that of its pod with its uid, so that a container that was restarted gets its own
    Lease back at once; outside of pods, that of the machine with a random part.
    """
    pod, uid = environment.get("POD_NAME"), environment.get("POD_UID")
    return f"{pod}_{uid}" if pod and uid else f"{socket.gethostname()}_{uuid4()}"
