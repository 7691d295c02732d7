"""Reconciles one FineTuneJob: observes it, plans the writes, applies them, updates its status."""

import time
from collections.abc import Callable

from finscribe_operator.children import Children
from finscribe_operator.clock import Clock
from finscribe_operator.cluster import (
    Cluster,
    ClusterError,
    ConflictError,
    InvalidObjectError,
    TransientError,
)
from finscribe_operator.config import OperatorConfig
from finscribe_operator.decide import Plan, decide
from finscribe_operator.due import has_times, seconds_until_due
from finscribe_operator.metrics import Metrics
from finscribe_operator.objects import (
    JobKey,
    Object,
    Ref,
    is_being_deleted,
    key_of,
)
from finscribe_operator.observe import InvalidJob, Observed, PostponedJob, observe
from finscribe_operator.policies import Policies
from finscribe_operator.start_deadline import is_overdue
from finscribe_operator.status import (
    build_invalid_status,
    build_postponed_status,
    build_status,
    find_unexplained_ends,
)
from finscribe_operator.status_delay import StatusDelay
from finscribe_operator.status_writer import StatusWriter
from finscribe_operator.store import Store
from finscribe_operator.workloads import Workload


class Reconciler:
    """Moves the cluster towards a FineTuneJob's spec.

    Read-your-writes: the store takes the response of every write on the job and its run, so that the next
    reconciliation sees it even when the watch event has not arrived yet.
    """

    def __init__(
        self,
        cluster: Cluster,
        store: Store,
        config: OperatorConfig,
        metrics: Metrics,
        clock: Clock,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cluster = cluster
        self._store = store
        self._config = config
        self._metrics = metrics
        self._clock = clock
        self._policies = Policies(cluster, config)
        self._reserved: dict[JobKey, int] = {}
        """GPUs of the jobs whose runs are being started, until the store has their Jobs."""
        self._children = Children(cluster, store, config, clock)
        self._status = StatusWriter(cluster, store, metrics, clock)
        self._delay = StatusDelay(timer)

    async def reconcile(self, key: JobKey) -> float | None:
        """Make the writes that the job needs now; the seconds until it has to be reconciled again, if any.

        Raises:
            ClusterError: a write failed; try again later.
        """
        await self._policies.refresh(key.namespace)
        observed = self._observe(key)
        if observed is None or is_being_deleted(observed.raw):
            self._status.forget(key)
            self._delay.forget(key)
            return None
        if isinstance(observed, InvalidJob):
            status = build_invalid_status(observed, self._clock())
            await self._status.write(observed.raw, observed.status, status)
        elif isinstance(observed, PostponedJob):
            status = build_postponed_status(observed, self._clock())
            await self._status.write(observed.raw, observed.status, status)
            raise TransientError(observed.problem)
        else:
            self._status.recover_events(observed.raw, observed.job.status)
            await self._reconcile_valid(key, observed)
        await self._status.post_events(observed.raw)
        if isinstance(observed, InvalidJob):
            return None
        return self._seconds_until_due(key, observed)

    def _seconds_until_due(self, key: JobKey, observed: Observed) -> float | None:
        after = self._observe(key) if has_times(observed.job.spec) else None
        due = seconds_until_due(after, self._clock()) if isinstance(after, Observed) else None
        waits = [seconds for seconds in (due, self._delay.seconds_left(key)) if seconds is not None]
        return min(waits, default=None)

    def _observe(self, key: JobKey) -> Observed | InvalidJob | PostponedJob | None:
        policy = self._policies.of(key.namespace)
        return observe(self._store, key, policy, self._clock(), self._reserved)

    async def _reconcile_valid(self, key: JobKey, observed: Observed) -> None:
        if await self._correct_view(observed):
            again = self._observe(key)
            if not isinstance(again, Observed):
                return
            observed = again
        plan = decide(observed, self._clock())
        if plan.create or plan.patch:
            self._reserved[key] = observed.job.spec.resources.total_gpus
        try:
            await self._carry_out(key, observed, plan)
        finally:
            self._reserved.pop(key, None)
        if observed.is_looking_for_result or observed.desired.holds_back or has_times(observed.job.spec):
            await self._continue(key, observed)

    async def _carry_out(self, key: JobKey, observed: Observed, plan: Plan) -> None:
        """Make the plan's writes, and update the status."""
        if plan.status is not None:
            await self._status.write(observed.raw, observed.job.status, plan.status)
        failure: ClusterError | None = None
        try:
            await self._apply_plan(observed, plan)
        except InvalidObjectError as error:
            if not plan.create:
                raise
            await self._give_up(key, observed, error)
            return
        except ClusterError as error:
            failure = error
        if not plan.wait:
            after = observed if plan == Plan() else self._observe(key)
            await self._update_status(key, after, observed.desired_run, failure)
        if failure is not None:
            raise failure

    async def _continue(self, key: JobKey, before: Observed) -> None:
        """Reconcile again if the search for a result has ended, or if another run has to start: the status
        that says so causes no event.
        """
        after = self._observe(key)
        if not isinstance(after, Observed):
            return
        has_found = before.is_looking_for_result and not after.is_looking_for_result
        if has_found or after.desired_run != before.desired_run:
            await self._reconcile_valid(key, after)

    async def _give_up(self, key: JobKey, observed: Observed, error: ClusterError) -> None:
        """Remove what was created for a run whose objects break a rule of the API, and say so.

        Creating them again changes nothing: that is done when the job changes, and after each full listing.
        """
        await self._children.delete_config_map(observed.raw, observed.desired_run)
        after = self._observe(key)
        if isinstance(after, Observed) and after.desired_run == observed.desired_run:
            problem = f"The API server refuses the run's objects: {error}"
            invalid = InvalidJob(after.raw, after.job.metadata.generation, after.job.status, problem)
            status = build_invalid_status(invalid, self._clock())
            await self._status.write(after.raw, after.job.status, status)

    async def _update_status(
        self,
        key: JobKey,
        after: Observed | InvalidJob | PostponedJob | None,
        run: str,
        failure: ClusterError | None,
    ) -> None:
        """Update the status after the writes, unless the spec has changed to another run in between."""
        if not isinstance(after, Observed) or after.desired_run != run or is_being_deleted(after.raw):
            return
        status = build_status(after, self._clock(), str(failure) if failure else "")
        if failure is None and self._delay.holds_back(key, after, status):
            return
        await self._status.write(after.raw, after.job.status, status)

    async def _correct_view(self, observed: Observed) -> bool:
        """Read what a watch may not have shown, where a decision depends on it; whether anything was read."""
        if ended := find_unexplained_ends(observed):
            await self._read_pods(ended)
            return True
        if is_overdue(observed, self._clock()) and observed.batch_job is not None:
            await self._read_pods([observed.batch_job])
            return True
        if observed.stray_pods and observed.batch_job is None:
            return await self._children.find_unlabelled_job(observed)
        return False

    async def _read_pods(self, jobs: list[Object]) -> None:
        """Replace what is known about the pods of these Jobs by what the cluster says now."""
        for job in jobs:
            live = await self._cluster.list_pods_of(job)
            uids = {pod["metadata"]["uid"] for pod in live}
            for known in self._store.pods_of(job):
                if known["metadata"]["uid"] not in uids:
                    self._store.remove(known)
            for pod in live:
                self._store.put(pod)

    async def _apply_tasks(self, observed: Observed, plan: Plan) -> None:
        if plan.create_lookup:
            await self._children.create_lookup(observed)
        if plan.create_data_check:
            await self._children.create_data_check(observed)
        if plan.delete_tasks:
            is_last = len(plan.delete_tasks) == len(observed.tasks)
            needs_config = plan.create_lookup or plan.create_data_check or not is_last
            await self._children.delete_tasks(observed, plan.delete_tasks, keep_config=needs_config)

    async def _apply_plan(self, observed: Observed, plan: Plan) -> None:
        if plan.delete_finetunejob:
            await self._children.delete_finetunejob(observed.raw)
            return
        for superseded in plan.delete:
            await self._children.delete_run(superseded)
        if plan.create:
            await self._children.create_run(observed)
            self._delay.add_created(key_of(observed.raw))
            self._metrics.runs_started.labels(observed.desired.cause).inc()
        elif plan.patch and observed.batch_job is not None:
            ref = Ref.of(observed.batch_job)
            self._store.put(await self._cluster.patch(ref, plan.patch))
        if plan.patch_workload and observed.workload is not None and observed.batch_job is not None:
            live = await self._cluster.patch(observed.workload.ref, plan.patch_workload)
            self._store.put_workload(observed.batch_job, Workload.of(live))
        await self._children.restore_needed(observed)
        await self._apply_tasks(observed, plan)
        await self._apply_experiments(plan)

    async def _apply_experiments(self, plan: Plan) -> None:
        for obsolete in plan.delete_experiments:
            await self._cluster.delete(Ref.of(obsolete))
        failure: ClusterError | None = None
        for experiment in plan.apply_experiments:
            try:
                await self._children.create_or_patch_experiment(experiment)
            except ConflictError as error:  # the names of the other experiments may be free
                failure = failure or error
            except InvalidObjectError as error:  # by an admission policy; the job's own run is not at fault
                name = experiment["metadata"]["name"]
                failure = failure or ConflictError(f"The experiment {name} is refused: {error}")
        if failure is not None:
            raise failure
