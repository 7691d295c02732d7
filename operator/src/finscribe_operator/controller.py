"""Queues FineTuneJobs for reconciliation: on events, on new progress, and periodically.

Needs neither kopf nor Kubernetes. Callers pass every watched object to `on_event`; `start` fills the store
from the cluster's listings, so that no decision is made on incomplete data, and runs the workers and the
periodic tasks (in case an event was lost) until `stop`:

    controller = Controller(cluster, Store(), OperatorConfig())
    await controller.start()
    controller.on_event(job)
    ...
    await controller.stop()
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from finscribe_core.constants import KIND
from finscribe_operator.clock import Clock, utc_now
from finscribe_operator.cluster import Cluster, ClusterError
from finscribe_operator.config import OperatorConfig
from finscribe_operator.metrics import Metrics
from finscribe_operator.objects import JobKey, Object, key_of, parent_key
from finscribe_operator.polls import Polls
from finscribe_operator.reconcile import Reconciler
from finscribe_operator.store import Store
from finscribe_operator.work_queue import WorkQueue

logger = logging.getLogger(__name__)


class Controller:
    """Reconciles each job one call at a time, several jobs concurrently, and retries failures."""

    def __init__(
        self,
        cluster: Cluster,
        store: Store,
        config: OperatorConfig,
        metrics: Metrics | None = None,
        clock: Clock = utc_now,
    ) -> None:
        self.metrics = metrics or Metrics(store)
        self._cluster = cluster
        self._store = store
        self._config = config
        self._reconciler = Reconciler(cluster, store, config, self.metrics, clock)
        self._polls = Polls(cluster, store, config, clock, self.enqueue)
        self._queue = WorkQueue()
        self._tasks: list[asyncio.Task[None]] = []

    def on_event(self, obj: Object, *, deleted: bool = False) -> None:
        """Store a FineTuneJob, Job or Pod, or its deletion, and queue the FineTuneJobs it belongs to."""
        keys = [parent_key(obj), key_of(obj) if obj["kind"] == KIND else None]
        if deleted:
            self._store.remove(obj)
        elif not self._store.put(obj):
            return
        for key in keys:
            if key is not None:
                self.enqueue(key)

    def enqueue(self, key: JobKey) -> None:
        """Reconcile a job as soon as possible."""
        self._queue.add(key)
        self.metrics.queue_depth.set(len(self._queue))

    @property
    def is_idle(self) -> bool:
        """Whether every job has been reconciled successfully since it last changed."""
        return self._queue.is_idle

    async def start(self) -> None:
        """Fill the store, then reconcile in the background.

        Raises:
            ClusterError: the cluster could not be listed.
        """
        await self.resync()
        workers = [self._run_worker() for _ in range(self._config.max_concurrent_reconciles)]
        periodic = [
            self._repeat(self._config.progress_interval_seconds, self.poll_progress),
            self._repeat(self._config.progress_interval_seconds, self.enqueue_starting),
            self._repeat(self._config.resync_interval_seconds, self.resync),
        ]
        self._tasks = [asyncio.create_task(task) for task in (*workers, *periodic)]

    async def stop(self) -> None:
        """Cancel the background tasks. Unfinished reconciliations are repeated after the next start."""
        self._queue.close()
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with suppress(asyncio.CancelledError):
                await task
        self._tasks = []

    async def resync(self) -> None:
        """List everything and reconcile every job.

        Raises:
            ClusterError: the cluster could not be listed.
        """
        # Children first: a job must never be reconciled without its children. Pods after Jobs: when a Job is
        # seen to have ended, the end of its pods must be known.
        listings: Sequence[tuple[str, Callable[[], Awaitable[Sequence[Object]]]]] = (
            ("Job", self._cluster.list_jobs),
            ("Pod", self._cluster.list_pods),
            (KIND, self._cluster.list_finetunejobs),
        )
        for kind, list_objects in listings:
            since = self._store.begin_listing()
            self._store.replace(kind, await list_objects(), since)
        for key in self._store.all_keys():
            self.enqueue(key)

    async def enqueue_starting(self) -> None:
        """Reconcile the jobs whose pods are on a node and have not started: nothing may change there."""
        for pod in list(self._store.all_pods()):
            key = parent_key(pod)
            is_pending = pod.get("status", {}).get("phase") == "Pending"
            if key is not None and is_pending and pod.get("spec", {}).get("nodeName"):
                self.enqueue(key)

    async def poll_progress(self) -> None:
        """Ask for what no watch tells (see `polls`)."""
        await self._polls.poll()

    async def _run_worker(self) -> None:
        while True:
            key = await self._queue.get()
            self.metrics.queue_depth.set(len(self._queue))
            result = await self._reconcile(key)
            self.metrics.reconciles.labels(result).inc()

    async def _reconcile(self, key: JobKey) -> str:
        began = time.monotonic()
        try:
            await self._reconciler.reconcile(key)
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
        self._queue.succeeded(key)
        return "success"

    async def _repeat(self, seconds: float, task: Callable[[], Awaitable[None]]) -> None:
        while True:
            await asyncio.sleep(seconds)
            try:
                await task()
            except ClusterError as error:
                logger.warning("Periodic task failed", extra={"task": task.__name__, "error": str(error)})
            except Exception:
                logger.exception("Defect in a periodic task", extra={"task": task.__name__})
