"""Asks for what no watch tells: progress, silent pods, why pods are missing or don't start, and what queues
say.
"""

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from finscribe_core.report import Phase, ProgressReport
from finscribe_operator.clock import Clock, seconds_between
from finscribe_operator.cluster import Cluster, ClusterError
from finscribe_operator.config import OperatorConfig
from finscribe_operator.objects import (
    JobKey,
    Object,
    has_ended,
    is_being_deleted,
    is_starting,
    namespace_of,
    node_rank,
    parent_key,
)
from finscribe_operator.outcome import read_outcome
from finscribe_operator.pod_creation import lacks_pod
from finscribe_operator.store import Store
from finscribe_operator.warning_events import Kind
from finscribe_operator.workloads import WORKLOAD_KIND, is_in_queue

logger = logging.getLogger(__name__)

SILENCE_SECONDS = 60.0
"""How long a pod may not answer, or outlive its deletion, before the status says so; at least three polls."""
PROGRESS_WRITES_PER_SECOND = 10.0
"""Writes of progress over all running jobs: each is written less often the more there are. A phase that the
attempt had not had before, and all other changes, are written at once."""
EVENTS_SECONDS = 2.0
"""Between two look-ups of Events, and of Workloads."""
RECENT_SECONDS, ROUNDS_OF_OLD = 60.0, 10
"""What has waited for longer is looked up in every tenth round only: listings of Events are expensive."""
_WAITS = {"Job": 1.0, "Pod": 10.0, WORKLOAD_KIND: 0.0}
"""Age in seconds from which Events are looked up about a Job without a pod, or a pod that does not start, and
the Workload of a Job in a queue."""


@dataclass(frozen=True)
class _Shown:
    report: ProgressReport
    at: float
    """When the job was queued for it, by the timer."""
    phases: frozenset[Phase]
    """All that were shown of this pod: training and evaluation alternate many times."""


class Polls:
    """Stores what it learns, and queues the FineTuneJobs for which something has changed."""

    def __init__(
        self,
        cluster: Cluster,
        store: Store,
        config: OperatorConfig,
        clock: Clock,
        enqueue: Callable[[JobKey], None],
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cluster = cluster
        self._store = store
        self._config = config
        self._clock = clock
        self._enqueue = enqueue
        self._timer = timer
        self._shown: dict[str, _Shown] = {}
        self._rounds = 0
        self._waiting_since: dict[str, dict[str, float]] = {what: {} for what in _WAITS}

    async def poll_events(self) -> None:
        """Look up why Jobs lack a pod, and why pods do not start."""
        self._rounds += 1
        jobs = [job for job in self._store.all_batch_jobs() if lacks_pod(job, self._store.pods_of(job))]
        starting = [pod for pod in self._store.all_pods() if is_starting(pod)]
        await self._look_up("Job", jobs)
        await self._look_up("Pod", starting)

    async def poll_workloads(self) -> None:
        """Look up what suspended Jobs in queues wait for, and the Workloads that are to be suspended."""
        waiting = [job for job in self._store.all_batch_jobs() if self._waits_in_queue(job)]
        for namespace, jobs in self._find_due(WORKLOAD_KIND, waiting).items():
            try:
                found = await self._cluster.list_workloads(namespace, jobs)
            except ClusterError as error:
                logger.warning("Workloads not listed", extra={"namespace": namespace, "error": str(error)})
                continue
            by_job = {workload.job_uid: workload for workload in found}
            for job in jobs:
                if self._store.put_workload(job, by_job.get(job["metadata"]["uid"])):
                    self._enqueue_parent(job)

    def _waits_in_queue(self, job: Object) -> bool:
        if not is_in_queue(job) or is_being_deleted(job) or read_outcome(job, ()) is not None:
            return False
        key = parent_key(job)
        spec = (self._store.finetunejob(key) or {}).get("spec", {}) if key else {}
        return bool(job["spec"].get("suspend") or spec.get("suspend"))

    async def poll_progress(self) -> None:
        """Fetch the progress of running pods, a bounded number at a time, and note those that are silent."""
        limit = asyncio.Semaphore(self._config.max_concurrent_reconciles)
        running = []
        for pod in list(self._store.all_pods()):
            if has_ended(pod):
                continue
            if is_being_deleted(pod):
                # The time at which its grace period ends, not that of the request.
                self._note_silence(pod, pod["metadata"]["deletionTimestamp"])
            elif pod.get("status", {}).get("phase") == "Running" and node_rank(pod) == 0:  # which reports
                running.append(pod)
        uids = {pod["metadata"]["uid"] for pod in running}
        self._shown = {uid: shown for uid, shown in self._shown.items() if uid in uids}
        await asyncio.gather(*(self._fetch_progress(pod, limit, len(running)) for pod in running))

    async def _fetch_progress(self, pod: Object, limit: asyncio.Semaphore, running: int) -> None:
        async with limit:
            report = await self._cluster.fetch_progress(pod)
        if report is None:
            self._note_silence(pod, self._store.last_answer(pod, self._clock()))
            return
        was_silent = bool(self._store.silent_since(pod))
        is_new = self._store.put_report(pod, report, self._clock())
        if was_silent:
            self._enqueue_parent(pod)
        elif is_new or self._is_behind(pod, report):
            self._show(pod, report, running)

    def _is_behind(self, pod: Object, report: ProgressReport) -> bool:
        """Whether the status has not been told the last report yet."""
        shown = self._shown.get(pod["metadata"]["uid"])
        return shown is not None and shown.report != report

    def _show(self, pod: Object, report: ProgressReport, running: int) -> None:
        """Queue the job, unless its status showed a report a short time ago, and the phase is not new."""
        uid, now, phase = pod["metadata"]["uid"], self._timer(), report.progress.phase
        shown = self._shown.get(uid)
        phases = shown.phases if shown else frozenset()
        interval = running / PROGRESS_WRITES_PER_SECOND
        if shown is not None and phase in phases and now - shown.at < interval:
            return
        self._shown[uid] = _Shown(report, now, phases | {phase})
        self._enqueue_parent(pod)

    def _note_silence(self, pod: Object, since: str) -> None:
        patience = max(SILENCE_SECONDS, 3 * self._config.progress_interval_seconds)
        if seconds_between(since, self._clock()) > patience and self._store.put_silence(pod, since):
            self._enqueue_parent(pod)

    async def _look_up(self, kind: Kind, objects: Sequence[Object]) -> None:
        """Look up Events with one listing for each namespace that has such an object."""
        for namespace, waiting in self._find_due(kind, objects).items():
            try:
                warnings = await self._cluster.list_warnings(namespace, kind)
            except ClusterError as error:
                logger.warning("Events not listed", extra={"namespace": namespace, "error": str(error)})
                continue
            by_uid = {warning.uid: warning for warning in warnings}
            for obj in waiting:
                if self._store.put_warning(obj, by_uid.get(obj["metadata"]["uid"])):
                    self._enqueue_parent(obj)

    def _find_due(self, what: str, objects: Sequence[Object]) -> dict[str, list[Object]]:
        """By namespace the objects that wait, about which something is to be looked up in this round."""
        by_namespace: dict[str, list[Object]] = defaultdict(list)
        now, known = self._timer(), self._waiting_since[what]
        waiting_since = {obj["metadata"]["uid"]: known.get(obj["metadata"]["uid"], now) for obj in objects}
        self._waiting_since[what] = waiting_since
        for obj in objects:
            age = seconds_between(obj["metadata"]["creationTimestamp"], self._clock())
            waited = now - waiting_since[obj["metadata"]["uid"]]
            is_turn = waited < RECENT_SECONDS or self._rounds % ROUNDS_OF_OLD == 0
            if age >= _WAITS[what] and is_turn:
                by_namespace[namespace_of(obj)].append(obj)
        return by_namespace

    def _enqueue_parent(self, child: Object) -> None:
        if (key := parent_key(child)) is not None:
            self._enqueue(key)
