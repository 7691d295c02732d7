"""Queues FineTuneJobs for reconciliation: on events, on new progress, and after each listing.

Needs neither kopf nor Kubernetes. Callers pass every watched object to `on_event`; `start` fills the store
from the cluster's listings, so that no decision is made on incomplete data. Jobs are worked on from `lead` to
`step_down`; before and afterwards the store is only kept up to date. Everything is listed again from time to
time, in case an event was lost, and more often while watch streams are down.

    controller = Controller(cluster, Store(), OperatorConfig())
    await controller.start()
    controller.lead()
    controller.on_event(job)
    ...
    await controller.stop()
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from finscribe_core.constants import KIND, PLURAL
from finscribe_operator.clock import Clock, utc_now
from finscribe_operator.cluster import Cluster, ClusterError
from finscribe_operator.config import OperatorConfig
from finscribe_operator.gpu_limit import find_first_waiting
from finscribe_operator.metrics import Metrics
from finscribe_operator.objects import JobKey, Object, is_starting, keys_of, parent_key
from finscribe_operator.polls import EVENTS_SECONDS, Polls
from finscribe_operator.reconcile import Reconciler
from finscribe_operator.store import HistoryChangedError, Store
from finscribe_operator.watches import Watches, WatchKey
from finscribe_operator.work_queue import WorkQueue

logger = logging.getLogger(__name__)

RETRY_SECONDS = 5.0
"""Between two listings of a namespace that can't be listed."""
POLL_SECONDS = 15.0
"""Between two listings of everything while events are not delivered."""
SETTLE_SECONDS = 0.5
"""Between the first watch stream that is open again and a listing: others open at the same time."""
FIRST_POLL_SECONDS = 5.0
"""How long a start waits for answers before it writes statuses: pods may be many, or not answer."""
_KINDS = {"Job": "jobs", "Pod": "pods", KIND: PLURAL}
"""Their plural names. Children first: a job must never be reconciled without its children. Pods after Jobs:
when a Job is seen to have ended, the end of its pods must be known."""


class Controller:
    """Reconciles each job one call at a time, several jobs concurrently, and retries failures."""

    def __init__(
        self,
        cluster: Cluster,
        store: Store,
        config: OperatorConfig,
        metrics: Metrics | None = None,
        clock: Clock = utc_now,
        watches: Watches | None = None,
    ) -> None:
        self.metrics = metrics or Metrics(store)
        self.listed_at: dict[str, float] = {}
        """When each namespace (empty for all) was last listed, on the monotonic clock."""
        self.listed_since: dict[str, float] = {}
        """Since when each listing of a namespace succeeded; missing when the last one failed."""
        self.started = asyncio.Event()
        """Set when everything has been listed."""
        self._cluster = cluster
        self._store = store
        self._config = config
        self._clock = clock
        self._watches = watches or Watches()
        self._queue = WorkQueue()
        self._namespaces: Sequence[str] = config.namespaces or [""]
        self._failures: dict[str, str] = {}
        """Why namespaces could not be listed."""
        self._resync_soon = asyncio.Event()
        self._listing: asyncio.Task[None] | None = None
        self._work: asyncio.Task[None] | None = None

    def on_event(self, obj: Object, *, deleted: bool = False) -> None:
        """Store a FineTuneJob, Job or Pod, or its deletion, and queue the FineTuneJobs it belongs to."""
        if deleted:
            self._store.remove(obj)
        elif not self._store.put(obj):
            return
        for key in keys_of(obj):
            self.enqueue(key)

    def enqueue(self, key: JobKey) -> None:
        """Reconcile a job as soon as possible. Nothing is queued while this replica does not lead."""
        if self._work is not None:
            self._queue.add(key)
            self.metrics.queue_depth.set(len(self._queue))

    @property
    def is_idle(self) -> bool:
        """Whether every job has been reconciled successfully since it last changed."""
        return self._queue.is_idle

    async def start(self) -> None:
        """Fill the store, and keep it up to date in the background.

        Raises:
            ClusterError: no namespace could be listed.
        """
        await self.resync()
        self._watches.on_recovery = self._resync_soon.set
        self._listing = asyncio.create_task(self._keep_listing())
        self.started.set()

    def lead(self) -> None:
        """Reconcile every job in the background, now and whenever it changes. Nothing is remembered of an
        earlier time as leader: another replica may have worked since.
        """
        self._queue = WorkQueue()
        self._store.forget_answers()
        self._work = asyncio.create_task(self._reconcile_all())
        for key in self._store.all_keys():
            self.enqueue(key)
        if any(time.monotonic() - at > POLL_SECONDS for at in self.listed_at.values()):
            self._resync_soon.set()  # in case a watch has delivered nothing lately

    async def step_down(self) -> None:
        """Cancel all work. Unfinished reconciliations are repeated by the next leader."""
        work, self._work = self._work, None
        if work is not None:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
        self._queue.close()
        self.metrics.queue_depth.set(0)

    async def stop(self) -> None:
        """Cancel the background tasks."""
        await self.step_down()
        if self._listing is not None:
            self._listing.cancel()
            await asyncio.gather(self._listing, return_exceptions=True)

    async def _reconcile_all(self) -> None:
        """Run the workers, and what is done periodically."""
        polls = Polls(self._cluster, self._store, self._config, self._clock, self.enqueue)
        await self._poll_first(polls)
        reconciler = Reconciler(self._cluster, self._store, self._config, self.metrics, self._clock)
        workers = [self._run_worker(reconciler) for _ in range(self._config.max_concurrent_reconciles)]
        interval = self._config.progress_interval_seconds
        await asyncio.gather(
            *workers,
            self._repeat(interval, polls.poll_progress),
            self._repeat(min(EVENTS_SECONDS, interval), polls.poll_events),
            self._repeat(min(EVENTS_SECONDS, interval), polls.poll_workloads),
            self._repeat(interval, self.enqueue_starting),
            self._repeat(interval, self.enqueue_waiting),
        )

    async def _poll_first(self, polls: Polls) -> None:
        """Learn what no watch tells, so that the first statuses do not say less than before a restart."""
        first = (polls.poll_events(), polls.poll_progress(), polls.poll_workloads())
        with suppress(TimeoutError):  # a failure is logged by the next poll
            async with asyncio.timeout(FIRST_POLL_SECONDS):
                await asyncio.gather(*first, return_exceptions=True)

    async def resync(self) -> None:
        """List everything and reconcile every job. A namespace that can't be listed does not stop the others.

        Raises:
            ClusterError: no namespace could be listed.
        """
        await self.catch_up()
        for key in self._store.all_keys():
            self.enqueue(key)

    async def catch_up(self) -> None:
        """List everything and reconcile the jobs for which that shows a change.

        Raises:
            ClusterError: no namespace could be listed.
        """
        try:
            errors = await self._list(self._namespaces)
        except HistoryChangedError:
            logger.warning(
                "The API server's state is older than before, as after a restored backup: reading it again"
            )
            self.metrics.rebuilds.inc()
            self._store.forget_versions()
            try:
                errors = await self._list(self._namespaces)
            finally:
                self._watches.restart()  # streams that continue would wait for versions of the lost history
        if len(errors) == len(self._namespaces):
            raise next(iter(errors.values()))
        self.metrics.last_resync.set_to_current_time()

    async def _list(self, namespaces: Sequence[str]) -> dict[str, ClusterError]:
        """List namespaces and reconcile the jobs that have changed; the errors of those that can't be listed.

        Raises:
            HistoryChangedError: a listing contradicts what was seen before.
        """
        errors: dict[str, ClusterError] = {}
        for namespace in namespaces:
            changed: set[JobKey] = set()
            try:
                for kind, plural in _KINDS.items():
                    since = self._store.begin_listing(kind)
                    listing = await self._cluster.list_objects(kind, namespace)
                    changed |= self._store.replace(kind, listing, since, namespace)
                    if not self.started.is_set():
                        self._watches.begin_at(WatchKey(plural, namespace), listing.version)
                self.listed_at[namespace] = time.monotonic()
                self.listed_since.setdefault(namespace, self.listed_at[namespace])
            except ClusterError as error:
                errors[namespace] = error
                self.listed_since.pop(namespace, None)
            finally:
                for key in changed:
                    self.enqueue(key)
            self._note_failure(namespace, str(errors.get(namespace, "")))
        return errors

    def _note_failure(self, namespace: str, error: str) -> None:
        """Show whether a namespace (empty for all) can be listed; logged when that changes."""
        before = self._failures.pop(namespace, "")
        if error:
            self._failures[namespace] = error
        if namespace:
            self.metrics.namespace_unavailable.labels(namespace).set(bool(error))
        which = {"namespace": namespace} if namespace else {}
        if error and error != before:
            logger.warning("Listing failed, will retry", extra={**which, "error": error})
        elif before and not error:
            logger.info("Listing works again", extra=which)

    async def _keep_listing(self) -> None:
        """List everything at the configured interval, and sooner what could not be listed or watched.

        Every job is reconciled at that interval only: unchanged jobs must not hold up new ones in between.
        """
        began = time.monotonic()
        everything_at = began + self._config.resync_interval_seconds
        while True:
            await self._wait(min(RETRY_SECONDS, max(everything_at - time.monotonic(), 0.0)))
            now, soon = time.monotonic(), self._resync_soon.is_set()
            try:
                if soon or now >= everything_at:
                    await asyncio.sleep(max(SETTLE_SECONDS, began + RETRY_SECONDS - now))
                    self._resync_soon.clear()
                    began = time.monotonic()
                    due, everything_at = everything_at, began + RETRY_SECONDS  # unless it succeeds
                    if now < due:
                        await self.catch_up()
                        everything_at = due
                    else:
                        await self.resync()
                        everything_at = time.monotonic() + self._config.resync_interval_seconds
                elif namespaces := self._overdue(now):
                    await self._list(namespaces)
            except HistoryChangedError:
                self._resync_soon.set()
            except ClusterError:
                continue  # logged when it began
            except Exception:
                logger.exception("Defect in a listing")

    async def _wait(self, seconds: float) -> None:
        """Wait, or until a listing is wanted soon."""
        with suppress(TimeoutError):
            # Python 3.11's wait_for loses a cancellation at the moment of the event.
            async with asyncio.timeout(seconds):
                await self._resync_soon.wait()

    def _overdue(self, now: float) -> list[str]:
        """The namespaces that could not be listed, and from time to time those without working watches."""
        blind = self._watches.blind_namespaces()
        return [
            namespace
            for namespace in self._namespaces
            if namespace in self._failures
            or (namespace in blind and now - self.listed_at.get(namespace, 0.0) > POLL_SECONDS)
        ]

    async def enqueue_starting(self) -> None:
        """Reconcile the jobs whose pods are on a node and have not started: nothing may change there."""
        for pod in list(self._store.all_pods()):
            key = parent_key(pod)
            if key is not None and is_starting(pod):
                self.enqueue(key)

    async def enqueue_waiting(self) -> None:
        """Reconcile the oldest job of each namespace that waits for GPUs: others may have ended."""
        for key in find_first_waiting(self._store).values():
            self.enqueue(key)

    async def _run_worker(self, reconciler: Reconciler) -> None:
        while True:
            key = await self._queue.get()
            self.metrics.queue_depth.set(len(self._queue))
            result = await self._reconcile(reconciler, key)
            self.metrics.reconciles.labels(result).inc()

    async def _reconcile(self, reconciler: Reconciler, key: JobKey) -> str:
        began, before = time.monotonic(), self._store.finetunejob(key)
        try:
            due = await reconciler.reconcile(key)
        except ClusterError as error:
            delay = self._queue.failed(key)
            logger.warning(
                "Will retry", extra={"job": str(key), "error": str(error), "delay": round(delay, 2)}
            )
            return "retry"
        except Exception:
            # A defect with one job must not stop the others; the log and a metric show it.
            delay = self._queue.failed(key)
            logger.exception("Defect while reconciling", extra={"job": str(key), "delay": round(delay, 2)})
            return "error"
        finally:
            self.metrics.reconcile_seconds.observe(time.monotonic() - began)
            self._enqueue_parent(key, before)
        self._queue.succeeded(key)
        self._queue.add_later(key, due)
        return "success"

    def _enqueue_parent(self, key: JobKey, before: Object | None) -> None:
        """Reconcile the job whose experiment has got another status: the watch event of a write whose
        response is stored already queues no job.
        """
        after = self._store.finetunejob(key)
        parent = parent_key(after) if after is not None and after is not before else None
        if parent is not None:
            self.enqueue(parent)

    async def _repeat(self, seconds: float, task: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await task()
            except ClusterError as error:
                logger.warning("Periodic task failed", extra={"task": task.__name__, "error": str(error)})
            except Exception:
                logger.exception("Defect in a periodic task", extra={"task": task.__name__})
            await asyncio.sleep(seconds)
