"""Writes a job's status when facts change, and posts the Events of its transitions at least once."""

import hashlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from finscribe_core.api.v1alpha1 import FineTuneJobStatus
from finscribe_operator.clock import Clock, seconds_between
from finscribe_operator.cluster import (
    AlreadyExistsError,
    Cluster,
    ClusterError,
    Event,
    NotFoundError,
    TransientError,
)
from finscribe_operator.events import build_events, build_outcome_events
from finscribe_operator.metrics import Metrics
from finscribe_operator.objects import JobKey, Object, key_of
from finscribe_operator.store import Store

logger = logging.getLogger(__name__)

REPOSTED_SECONDS = 3600.0
"""After its end a job's Events are posted again by a new operator for as long as they are kept."""
MAX_REFUSALS = 5
"""An Event that is refused so often (no permission, a webhook) is not posted."""
MAX_REWRITE_SECONDS = 60.0
"""Longest time between two writes of a status that another program keeps changing."""


class StatusWriter:
    """Writes statuses and posts Events. Use from one event loop only."""

    def __init__(
        self,
        cluster: Cluster,
        store: Store,
        metrics: Metrics,
        clock: Clock,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cluster = cluster
        self._store = store
        self._metrics = metrics
        self._clock = clock
        self._timer = timer
        self._written: dict[JobKey, _Written] = {}
        self._pending: dict[JobKey, list[Event]] = {}
        self._known: dict[JobKey, str] = {}
        self._refused: dict[JobKey, int] = {}

    def forget(self, key: JobKey) -> None:
        """The job does not exist any more."""
        for remembered in (self._written, self._pending, self._known, self._refused):
            remembered.pop(key, None)

    async def write(self, raw: Object, old: FineTuneJobStatus, new: FineTuneJobStatus) -> None:
        """Write the status if it differs from the old one.

        If this very status was written before, another program has changed it since. A change of messages is
        left alone, because an operator of another version has other words for the same; a change of facts is
        undone, less and less often.

        Raises:
            ClusterError: the write failed, or is delayed for that reason.
        """
        key = key_of(raw)
        if new == old:
            return
        written, digest = self._written.get(key), _digest(new)
        times = 0
        if written is not None and written.digest == digest:
            if _without_messages(new) == _without_messages(old):
                return
            times = written.times + 1
            if self._timer() < written.at + min(2.0**times, MAX_REWRITE_SECONDS) and times > 1:
                raise TransientError("Another program keeps changing the status; it is written again later.")
        try:
            self._store.put(await self._cluster.patch_status(raw, new.to_kubernetes()))
        except NotFoundError:
            return  # the job was deleted in between
        except ClusterError:
            self._known.pop(key, None)  # it may have been written: `recover_events` looks again
            raise
        self._written[key] = _Written(digest, times, self._timer())
        self._metrics.count_changes(old, new)
        self._add(raw, new, build_events(old, new))

    def recover_events(self, raw: Object, status: FineTuneJobStatus) -> None:
        """At the first sight of a job that has ended recently, post how it ended again: the operator before
        may have been killed between status and Event. So it is after a write of the status that failed, which
        may have reached the API server. The names of the Events make the second post harmless.
        """
        key, uid = key_of(raw), raw["metadata"]["uid"]
        if self._known.get(key) == uid:
            return
        self._known[key] = uid
        end = status.run.completion_time if status.run else None
        if end and seconds_between(end, self._clock()) < REPOSTED_SECONDS:
            self._add(raw, status, build_outcome_events(status))

    async def post_events(self, raw: Object) -> None:
        """Post the Events that have not been posted yet.

        Raises:
            ClusterError: one was not posted; try again later.
        """
        key = key_of(raw)
        while pending := self._pending.get(key):
            try:
                await self._cluster.emit_event(raw, pending[0])
            except AlreadyExistsError:
                pass  # it was posted before
            except TransientError:
                raise
            except ClusterError as error:
                self._refused[key] = self._refused.get(key, 0) + 1
                if self._refused[key] < MAX_REFUSALS:  # its permissions may be restored
                    raise
                logger.warning(
                    "Event not posted",
                    extra={"job": str(key), "event": pending[0].reason, "error": str(error)},
                )
            pending.pop(0)
            self._refused.pop(key, None)
        self._pending.pop(key, None)

    def _add(self, raw: Object, status: FineTuneJobStatus, events: list[Event]) -> None:
        if events:
            named = [replace(event, name=_event_name(raw, status, event)) for event in events]
            self._pending.setdefault(key_of(raw), []).extend(named)


@dataclass(frozen=True)
class _Written:
    digest: bytes
    """Of the last status that was written."""
    times: int
    """How often it had to be written again."""
    at: float
    """When it was written, by the timer."""


def _event_name(raw: Object, status: FineTuneJobStatus, event: Event) -> str:
    """The same for the same transition, also when another process posts it."""
    run = status.run
    attempt = (run.name, run.attempt_hash, run.failed_attempts) if run else ()
    facts = (raw["metadata"]["uid"], status.observed_generation, attempt, event.reason, event.message)
    return f"{raw['metadata']['name']}.{hashlib.sha256(repr(facts).encode()).hexdigest()[:16]}"


def _without_messages(status: FineTuneJobStatus) -> FineTuneJobStatus:
    conditions = [condition.model_copy(update={"message": ""}) for condition in status.conditions]
    return status.model_copy(update={"conditions": conditions})


def _digest(status: FineTuneJobStatus) -> bytes:
    return hashlib.blake2b(status.model_dump_json().encode(), digest_size=16).digest()
