"""Reconciles one FineTuneJob: observes it, plans the writes, applies them, updates its status."""

import logging

from finscribe_operator.clock import Clock, seconds_between
from finscribe_operator.cluster import (
    Cluster,
    ClusterError,
    ConflictError,
    InvalidObjectError,
    NotFoundError,
)
from finscribe_operator.config import OperatorConfig
from finscribe_operator.decide import Plan, decide
from finscribe_operator.experiments import build_change
from finscribe_operator.manifests import build_config_map, build_job
from finscribe_operator.metrics import Metrics
from finscribe_operator.objects import (
    JobKey,
    Object,
    Ref,
    controller_uid,
    is_being_deleted,
    key_of,
    label,
    namespace_of,
    parent_key,
)
from finscribe_operator.observe import InvalidJob, Observed, observe
from finscribe_operator.status import build_invalid_status, build_status, find_unexplained_ends
from finscribe_operator.status_writer import StatusWriter
from finscribe_operator.store import Store

logger = logging.getLogger(__name__)

SLOW_START_SECONDS = 4
"""After this time it is checked whether a pod that has not started waits for a deleted ConfigMap."""
RECHECK_SECONDS = 60
MAX_CHECKED = 1024
"""Pods whose last check is remembered."""


class Reconciler:
    """Moves the cluster towards a FineTuneJob's spec.

    Read-your-writes: the store takes the response of every write on the job and its run, so that the next
    reconciliation sees it even when the watch event has not arrived yet.
    """

    def __init__(
        self, cluster: Cluster, store: Store, config: OperatorConfig, metrics: Metrics, clock: Clock
    ) -> None:
        self._cluster = cluster
        self._store = store
        self._config = config
        self._metrics = metrics
        self._clock = clock
        self._checked: dict[str, str] = {}
        self._status = StatusWriter(cluster, store, metrics, clock)

    async def reconcile(self, key: JobKey) -> None:
        """Make the writes that the job needs now.

        Raises:
            ClusterError: a write failed; try again later.
        """
        observed = observe(self._store, key, self._config.limits)
        if observed is None or is_being_deleted(observed.raw):
            self._status.forget(key)
            return
        if isinstance(observed, InvalidJob):
            status = build_invalid_status(observed, self._clock())
            await self._status.write(observed.raw, observed.status, status)
        else:
            self._status.recover_events(observed.raw, observed.job.status)
            await self._reconcile_valid(key, observed)
        await self._status.post_events(observed.raw)

    async def _reconcile_valid(self, key: JobKey, observed: Observed) -> None:
        if await self._correct_view(key, observed):
            again = observe(self._store, key, self._config.limits)
            if not isinstance(again, Observed):
                return
            observed = again
        plan = decide(observed, self._clock())
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
            await self._update_status(key, observed.desired_run, failure)
        if failure is not None:
            raise failure

    async def _give_up(self, key: JobKey, observed: Observed, error: ClusterError) -> None:
        """Remove what was created for a run whose objects break a rule of the API, and say so.

        Creating them again changes nothing: that is done when the job changes, and after each full listing.
        """
        manifest = build_config_map(observed.job, observed.desired_run)
        await self._cluster.delete(Ref.of(manifest))
        after = observe(self._store, key, self._config.limits)
        if isinstance(after, Observed) and after.desired_run == observed.desired_run:
            problem = f"The API server refuses the run's objects: {error}"
            invalid = InvalidJob(after.raw, after.job.metadata.generation, after.job.status, problem)
            status = build_invalid_status(invalid, self._clock())
            await self._status.write(after.raw, after.job.status, status)

    async def _update_status(self, key: JobKey, run: str, failure: ClusterError | None) -> None:
        """Update the status after the writes, unless the spec has changed to another run in between."""
        after = observe(self._store, key, self._config.limits)
        if not isinstance(after, Observed) or after.desired_run != run or is_being_deleted(after.raw):
            return
        status = build_status(after, self._clock(), str(failure) if failure else "")
        await self._status.write(after.raw, after.job.status, status)

    async def _correct_view(self, key: JobKey, observed: Observed) -> bool:
        """Read what a watch may not have shown, where a decision depends on it; whether anything was read."""
        if ended := find_unexplained_ends(observed):
            await self._read_pods(key, ended)
            return True
        if observed.stray_pods and observed.batch_job is None:
            return await self._find_unlabelled_job(observed)
        return False

    async def _find_unlabelled_job(self, observed: Observed) -> bool:
        """Restore the labels of the run's Job, which its pods show to exist; whether it does."""
        manifest = build_job(observed.job, observed.desired_run, self._config)
        try:
            live = await self._cluster.get(Ref.of(manifest))
        except NotFoundError:
            return False
        if is_being_deleted(live) or controller_uid(live) != controller_uid(manifest):
            return False
        self._store.put(await self._with_labels(live, manifest))
        return True

    async def _read_pods(self, key: JobKey, jobs: list[Object]) -> None:
        """Replace what is known about the pods of these Jobs by what the cluster says now."""
        for job in jobs:
            live = await self._cluster.list_pods_of(job)
            uids = {pod["metadata"]["uid"] for pod in live}
            for known in self._store.pods(key):
                if controller_uid(known) == job["metadata"]["uid"] and known["metadata"]["uid"] not in uids:
                    self._store.remove(known)
            for pod in live:
                self._store.put(pod)

    async def _apply_plan(self, observed: Observed, plan: Plan) -> None:
        for superseded in plan.delete:
            await self._delete_run(superseded)
        if plan.create:
            job, run = observed.job, observed.desired_run
            await self._create_config_map(build_config_map(job, run))
            self._store.put(await self._create(build_job(job, run, self._config)))
            self._metrics.runs_started.inc()
            logger.info("Run created", extra={"job": str(key_of(observed.raw)), "run": run})
        elif plan.patch and observed.batch_job is not None:
            ref = Ref.of(observed.batch_job)
            self._store.put(await self._cluster.patch(ref, plan.patch))
        await self._restore_config_map(observed)
        for obsolete in plan.delete_experiments:
            await self._cluster.delete(Ref.of(obsolete))
        failure: ClusterError | None = None
        for experiment in plan.apply_experiments:
            try:
                await self._create_or_patch_experiment(experiment)
            except ConflictError as error:  # the names of the other experiments may be free
                failure = failure or error
        if failure is not None:
            raise failure

    async def _create(self, manifest: Object) -> Object:
        """Create a child of the job. One that exists counts as created if the job owns it; labels that were
        removed are restored, because children are watched by them.

        Raises:
            ConflictError: an object of that name belongs to something else.
        """
        try:
            return await self._cluster.create(manifest)
        except ConflictError:
            live = await self._cluster.get(Ref.of(manifest))
        _check_owner(live, manifest)
        return await self._with_labels(live, manifest)

    async def _with_labels(self, live: Object, manifest: Object) -> Object:
        labels = manifest["metadata"]["labels"]
        if any(label(live, name) != value for name, value in labels.items()):
            return await self._cluster.patch(Ref.of(live), {"metadata": {"labels": labels}})
        return live

    async def _restore_config_map(self, observed: Observed) -> None:
        """Create the ConfigMap again if it was deleted, and the run's pod waits for it."""
        pod = observed.newest_pod
        if pod is None or not _is_starting(pod):
            return
        uid, now = pod["metadata"]["uid"], self._clock()
        since = self._checked.get(uid, pod["metadata"]["creationTimestamp"])
        wait = RECHECK_SECONDS if uid in self._checked else SLOW_START_SECONDS
        if seconds_between(since, now) < wait:
            return
        manifest = build_config_map(observed.job, observed.desired_run)
        try:
            await self._cluster.get(Ref.of(manifest))
        except NotFoundError:
            await self._create(manifest)
            logger.info("ConfigMap created again", extra={"run": observed.desired_run})
        if len(self._checked) >= MAX_CHECKED:
            self._checked.clear()
        self._checked[uid] = now

    async def _create_config_map(self, manifest: Object) -> None:
        """Create the ConfigMap. One of an earlier attempt is replaced, as it is immutable."""
        live = await self._create(manifest)
        if live["data"] != manifest["data"]:
            await self._cluster.delete(Ref.of(live))
            await self._create(manifest)

    async def _create_or_patch_experiment(self, manifest: Object) -> None:
        """Create an experiment's FineTuneJob, or patch the existing one.

        Not a server-side apply, which would take over a user's job of the same name. Read first, because an
        exhausted quota rejects the creation even of an object that exists. The response is not stored: the
        experiment is a FineTuneJob itself, and its watch event must queue it for reconciliation.

        Raises:
            ConflictError: a job of that name belongs to something else, or was created just now.
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
        """Delete a run's children, the Job last: while it exists, an interrupted deletion is resumed."""
        namespace, name = namespace_of(job), job["metadata"]["name"]
        await self._cluster.delete(Ref("v1", "ConfigMap", namespace, name))
        await self._cluster.delete(Ref.of(job))
        logger.info("Run deleted", extra={"job": str(parent_key(job)), "run": name})


def _is_starting(pod: Object) -> bool:
    """Whether a node is preparing the pod."""
    return pod.get("status", {}).get("phase") == "Pending" and bool(pod.get("spec", {}).get("nodeName"))


def _check_owner(live: Object, manifest: Object) -> None:
    if controller_uid(live) != controller_uid(manifest):
        raise ConflictError(f"{Ref.of(manifest)} exists and belongs to something else; delete or rename it.")
