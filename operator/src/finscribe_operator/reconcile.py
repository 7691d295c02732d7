"""One job, one look: observe, decide, build, apply, and say so in the status. Idempotent."""

import logging

from finscribe_core.api.v1alpha1 import FineTuneJobStatus
from finscribe_operator.clock import Clock
from finscribe_operator.cluster import Cluster, ClusterError, ConflictError, NotFoundError
from finscribe_operator.config import OperatorConfig
from finscribe_operator.decide import Plan, decide
from finscribe_operator.events import build_events
from finscribe_operator.experiments import build_change
from finscribe_operator.manifests import build_config_map, build_job, build_service
from finscribe_operator.metrics import Metrics
from finscribe_operator.objects import JobKey, Object, Ref, controller_uid, is_being_deleted, namespace_of
from finscribe_operator.observe import InvalidJob, Observed, observe
from finscribe_operator.status import build_invalid_status, build_status
from finscribe_operator.store import Store

logger = logging.getLogger(__name__)


class Reconciler:
    """Brings the cluster nearer to what a FineTuneJob asks for.

    Every answer to a write on the job and its run goes into the store at once, so that the next look sees our
    own writes even when their events are still on the way.
    """

    def __init__(
        self, cluster: Cluster, store: Store, config: OperatorConfig, metrics: Metrics, clock: Clock
    ) -> None:
        self._cluster = cluster
        self._store = store
        self._config = config
        self._metrics = metrics
        self._clock = clock

    async def reconcile(self, key: JobKey) -> None:
        """Look at the job and do what is to be done.

        Raises:
            ClusterError: something could not be done; try again later.
        """
        observed = observe(self._store, key)
        if observed is None or is_being_deleted(observed.raw):
            return
        if isinstance(observed, InvalidJob):
            await self._write_status(
                observed.raw, observed.status, build_invalid_status(observed, self._clock())
            )
            return
        await self._reconcile_valid(key, observed)

    async def _reconcile_valid(self, key: JobKey, observed: Observed) -> None:
        plan = decide(observed, self._clock())
        if plan.status is not None:
            await self._write_status(observed.raw, observed.job.status, plan.status)
        trouble: ClusterError | None = None
        try:
            await self._bring_about(observed, plan)
        except ClusterError as error:
            trouble = error
        if not plan.wait:
            await self._tell(key, observed.wanted, trouble)
        if trouble is not None:
            raise trouble

    async def _tell(self, key: JobKey, wanted: str, trouble: ClusterError | None) -> None:
        """Of a spec that changed meanwhile the next look speaks: nothing has been done for it yet."""
        after = observe(self._store, key)
        if not isinstance(after, Observed) or after.wanted != wanted or is_being_deleted(after.raw):
            return
        status = build_status(after, self._clock(), str(trouble) if trouble else "")
        await self._write_status(after.raw, after.job.status, status)

    async def _bring_about(self, observed: Observed, plan: Plan) -> None:
        for superseded in plan.delete:
            await self._delete_run(superseded)
        if plan.create:
            job, run = observed.job, observed.wanted
            await self._create(build_config_map(job, run))
            await self._create(build_service(job, run))
            self._store.put(await self._create(build_job(job, run, self._config)))
            self._metrics.runs_started.inc()
            logger.info("Run created", extra={"job": job.metadata.name, "run": run})
        elif plan.patch and observed.batch_job is not None:
            ref = Ref.of(observed.batch_job)
            self._store.put(await self._cluster.patch(ref, {"spec": plan.patch}))
        for unwanted in plan.end:
            await self._cluster.delete(Ref.of(unwanted))
        trouble: ClusterError | None = None
        for experiment in plan.experiments:
            try:
                await self._provide_experiment(experiment)
            except ConflictError as error:  # the others' names may be free
                trouble = trouble or error
        if trouble is not None:
            raise trouble

    async def _create(self, manifest: Object) -> Object:
        """Apply a child. It may be there already, unchangeable: ours then, it is as good as applied.

        Raises:
            ConflictError: an object of that name belongs to something else.
        """
        try:
            live = await self._cluster.apply(manifest)
        except ConflictError:
            live = await self._cluster.get(Ref.of(manifest))
        _check_owner(live, manifest)
        return live

    async def _provide_experiment(self, manifest: Object) -> None:
        """Create an experiment's FineTuneJob, or bring ours in line.

        Its name, unlike a run's, may be anyone's: an apply would take it over and ask nobody. Read first,
        because a full quota refuses to create even what is there. Nothing goes into the store: the watch is
        to bring it as news, for it is a job to look at itself.

        Raises:
            ConflictError: a job of that name belongs to something else, or was made just now.
        """
        try:
            live = await self._cluster.get(Ref.of(manifest))
        except NotFoundError:
            await self._cluster.create(manifest)
            return
        _check_owner(live, manifest)
        if change := build_change(live, manifest):
            await self._cluster.patch(Ref.of(live), change)

    async def _delete_run(self, job: Object) -> None:
        """Remove a run's children; the Job last, for as long as it is there the rest is found again."""
        namespace, name = namespace_of(job), job["metadata"]["name"]
        await self._cluster.delete(Ref("v1", "ConfigMap", namespace, name))
        await self._cluster.delete(Ref("v1", "Service", namespace, name))
        await self._cluster.delete(Ref.of(job))
        logger.info("Run removed", extra={"run": name})

    async def _write_status(self, raw: Object, old: FineTuneJobStatus, new: FineTuneJobStatus) -> None:
        if new == old:
            return
        try:
            self._store.put(await self._cluster.patch_status(raw, new.to_kubernetes()))
        except NotFoundError:
            return  # The job was deleted meanwhile: nobody is left to be told.
        self._metrics.note_outcome(old, new)
        for event in build_events(old, new):
            try:
                await self._cluster.emit_event(raw, event)
            except ClusterError as error:
                logger.warning("Event not posted", extra={"event": event.reason, "error": str(error)})


def _check_owner(live: Object, manifest: Object) -> None:
    if controller_uid(live) != controller_uid(manifest):
        raise ConflictError(f"{Ref.of(manifest)} exists and belongs to something else; delete or rename it.")
