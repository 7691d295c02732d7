"""Knows of each watch stream whether it is open, when it last delivered something, and why it failed.

Written by `watch_session`; read by the controller, which lists more often while a stream is down, by `health`
and by the metrics. Times are those of the monotonic clock, in seconds.
"""

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

from finscribe_core.constants import PLURAL

logger = logging.getLogger(__name__)

RESOURCES = (PLURAL, "jobs", "pods")
MAX_CLOSED_SECONDS = 5.0
"""A stream that ended is open again within this time, unless something is wrong."""
MAX_SILENCE_SECONDS = 180.0
"""The API server sends a bookmark about once a minute; the first one of a quiet stream comes later."""


class WatchKey(NamedTuple):
    """The plural name of a kind, and a namespace; empty for all namespaces."""

    resource: str
    namespace: str

    def __str__(self) -> str:
        return f"{self.resource} in {self.namespace}" if self.namespace else self.resource


@dataclass
class _Watch:
    alive_at: float
    """When it last delivered an event or a bookmark; at first, when it was expected to start."""
    changed_at: float
    """When it was opened or closed."""
    close: Callable[[], None] | None = None
    """Closes the open stream; None while none is open."""
    problem: str = ""
    must_list: bool = False
    begins_at: int = 0
    """The version of the controller's listing from which the first stream goes on; 0 if there is none."""
    is_gapless: bool = False
    """Whether the stream goes on where the controller's listing or an earlier stream ended."""


class Watches:
    """The watch streams of all kinds in some namespaces."""

    def __init__(
        self, namespaces: Iterable[str] = (), monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._now = monotonic
        now = monotonic()
        self._watches = {
            WatchKey(resource, namespace): _Watch(now, now)
            for resource, namespace in product(RESOURCES, namespaces)
        }
        self.on_recovery: Callable[[], None] = lambda: None
        """Called when a stream is open that did not begin where the controller's listing or another stream
        ended, or again after a failure: what happened in between may be lost."""

    def expect(self) -> None:
        """From now on the streams are expected to open."""
        now = self._now()
        for watch in self._watches.values():
            watch.alive_at = watch.changed_at = now

    def opened(self, key: WatchKey, close: Callable[[], None]) -> None:
        """A request for a stream was accepted."""
        watch = self._watches[key]
        watch.close, watch.changed_at = close, self._now()
        if watch.problem or not watch.is_gapless:
            self.on_recovery()
        watch.is_gapless = True

    def received(self, key: WatchKey) -> None:
        """A stream delivered something."""
        watch = self._watches[key]
        watch.alive_at = self._now()
        if watch.problem:
            watch.problem = ""
            logger.info("Watch works again", extra={"watch": str(key)})

    def require_listing(self, key: WatchKey) -> None:
        """Make the next stream begin with a new listing."""
        self._watches[key].must_list, self._watches[key].begins_at = True, 0

    def begin_at(self, key: WatchKey, version: int) -> None:
        """Let the first stream begin at this version: the controller has listed what there was before."""
        if key in self._watches:
            self._watches[key].begins_at = version

    def listed(self, key: WatchKey) -> int:
        """A listing from which a stream will go on is wanted: the version of the controller's, if it can be
        used instead, once; else 0.
        """
        watch = self._watches[key]
        version, watch.begins_at = watch.begins_at, 0
        watch.is_gapless, watch.must_list = bool(version), False
        return version

    def closed(self, key: WatchKey, close: Callable[[], None]) -> None:
        """The stream that was opened with `close` has ended."""
        watch = self._watches[key]
        if watch.close == close:
            watch.close, watch.changed_at = None, self._now()

    def failed(self, key: WatchKey, problem: str) -> None:
        """A stream was refused or cut; logged when the problem is a new one."""
        watch = self._watches[key]
        if watch.problem != problem:
            logger.warning("Watch interrupted, will retry", extra={"watch": str(key), "error": problem})
        watch.problem = problem

    def restart(self) -> None:
        """Make every stream begin with a new listing."""
        for key, watch in self._watches.items():
            self.require_listing(key)
            if watch.close is not None:
                watch.close()

    def must_list(self, key: WatchKey) -> bool:
        """Whether a stream may not continue where an earlier one ended."""
        return self._watches[key].must_list

    def blind_namespaces(self) -> set[str]:
        """The namespaces (empty for all) of which events of some kind are not delivered at the moment."""
        now = self._now()
        return {
            key.namespace
            for key, watch in self._watches.items()
            if (watch.close is None and now - watch.changed_at > MAX_CLOSED_SECONDS)
            or now - watch.alive_at > MAX_SILENCE_SECONDS
        }

    def ages(self) -> Iterator[tuple[WatchKey, float]]:
        """Seconds since each stream last delivered something."""
        now = self._now()
        for key, watch in self._watches.items():
            yield key, now - watch.alive_at

    def problem(self, key: WatchKey) -> str:
        """Why the stream was last refused or cut; empty when it works."""
        return self._watches[key].problem
