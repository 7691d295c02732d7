"""Creates, restores and deletes a FineTuneJob's children: ConfigMap, Service, Job and experiments."""

import logging

from finscribe_operator.clock import Clock, seconds_between
from finscribe_operator.cluster import Cluster, ConflictError, NotFoundError
from finscribe_operator.config import OperatorConfig
from finscribe_operator.experiments import build_change
from finscribe_operator.manifests import (
    build_config_map,
    build_data_check_job,
    build_job,
    build_lookup_job,
    build_service,
)
from finscribe_operator.objects import (
    Object,
    Ref,
    controller_uid,
    is_being_deleted,
    is_starting,
    key_of,
    label,
    namespace_of,
    parent_key,
)
from finscribe_operator.observe import Observed
from finscribe_operator.store import Store

logger = logging.getLogger(__name__)

SLOW_START_SECONDS = 4
"""After this time it is checked whether a pod that has not started waits for a deleted ConfigMap."""
RECHECK_SECONDS = 60
MAX_CHECKED = 1024
"""Pods whose last check is remembered."""


class Children:
    """Writes children, and takes over none of another owner."""

    def __init__(self, cluster: Cluster, store: Store, config: OperatorConfig, clock: Clock) -> None:
        self._cluster = cluster
        self._store = store
        self._config = config
        self._clock = clock
        self._checked: dict[str, str] = {}

    async def create_run(self, observed: Observed) -> None:
        """Create the desired run's ConfigMap, Service and Job. Those that exist count as created.

        Raises:
            ConflictError: an object of that name belongs to something else.
            InvalidObjectError: the API server refuses one of them.
        """
        run = observed.desired_run
        await self._create_config_map(observed)
        if observed.job.spec.resources.num_nodes > 1:
            await self._create(build_service(observed.job, run))
        rules = await self._cluster.knows_restart_rules()
        self._store.put(await self._create(self._build_job(observed, knows_restart_rules=rules)))
        logger.info("Run created", extra={"job": str(key_of(observed.raw)), "run": run})

    async def create_lookup(self, observed: Observed) -> None:
        """Create the Job that looks for the desired run's result, and the ConfigMap that it needs."""
        await self._create_config_map(observed)
        manifest = build_lookup_job(observed.job, observed.desired_run, self._config)
        self._store.put(await self._create(manifest))

    async def create_data_check(self, observed: Observed) -> None:
        """Create the Job that checks the training data, and the ConfigMap that it needs."""
        run = observed.job.status.run
        known = run.dataset.fingerprint if run and run.dataset else ""
        await self._create_config_map(observed)
        manifest = build_data_check_job(
            observed.job, observed.desired_run, observed.checks, known, self._config
        )
        self._store.put(await self._create(manifest))

    def _build_job(self, observed: Observed, *, knows_restart_rules: bool = False) -> Object:
        desired = observed.desired
        cause, occasion = desired.cause, desired.occasion
        return build_job(observed.job, desired.name, self._config, cause, occasion, knows_restart_rules)

    async def _create_config_map(self, observed: Observed) -> None:
        manifest = build_config_map(observed.job, observed.desired_run)
        live = await self._create(manifest)
        if live.get("data") != manifest["data"]:  # of an earlier attempt, and immutable
            await self._cluster.delete(Ref.of(live))
            await self._create(manifest)

    async def delete_run(self, job: Object) -> None:
        """Delete a run's children, the Job last: while it exists, an interrupted deletion is resumed."""
        run = job["metadata"]["name"]
        await self.delete_config_map(job, run)
        if job["spec"].get("parallelism", 1) > 1:
            await self._delete_owned(job, Ref("v1", "Service", namespace_of(job), run))
        await self._cluster.delete(Ref.of(job))
        logger.info("Run deleted", extra={"job": str(parent_key(job)), "run": job["metadata"]["name"]})

    async def delete_tasks(self, observed: Observed, tasks: list[Object], *, keep_config: bool) -> None:
        """Delete Jobs that have done their tasks, after the run's ConfigMap if nothing needs it any more.

        Args:
            observed: the job and its children.
            tasks: the Jobs.
            keep_config: whether another task needs the ConfigMap.
        """
        if observed.is_concluded and observed.batch_job is None and not keep_config:
            await self.delete_config_map(observed.raw, observed.desired_run)
        for task in tasks:
            await self._cluster.delete(Ref.of(task))

    async def delete_finetunejob(self, job: Object) -> None:
        """Delete the FineTuneJob, and so what it owns, unless it has changed since it was read.

        Raises:
            ConflictError: it has changed.
        """
        await self._cluster.delete(Ref.of(job), job["metadata"]["resourceVersion"])
        logger.info("FineTuneJob deleted, as its spec requests", extra={"job": str(key_of(job))})

    async def delete_config_map(self, sibling: Object, run: str) -> None:
        """Delete the ConfigMap of a run unless it belongs to something else.

        Args:
            sibling: the run's Job, or the FineTuneJob.
            run: the run's name.
        """
        await self._delete_owned(sibling, Ref("v1", "ConfigMap", namespace_of(sibling), run))

    async def _delete_owned(self, sibling: Object, ref: Ref) -> None:
        try:
            live = await self._cluster.get(ref)
        except NotFoundError:
            return
        if controller_uid(live) in (controller_uid(sibling), sibling["metadata"]["uid"]):
            await self._cluster.delete(Ref.of(live))

    async def find_unlabelled_job(self, observed: Observed) -> bool:
        """Restore the labels of the run's Job, which its pods show to exist; whether it does."""
        manifest = self._build_job(observed)
        try:
            live = await self._cluster.get(Ref.of(manifest))
        except NotFoundError:
            return False
        if is_being_deleted(live) or controller_uid(live) != controller_uid(manifest):
            return False
        self._store.put(await self._with_labels(live, manifest))
        return True

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

    async def restore_needed(self, observed: Observed) -> None:
        """Create ConfigMap and Service again if they were deleted, and the run's pod waits for them."""
        pod = observed.slowest_pod
        if pod is None or not is_starting(pod):
            return
        uid, now = pod["metadata"]["uid"], self._clock()
        since = self._checked.get(uid, pod["metadata"]["creationTimestamp"])
        wait = RECHECK_SECONDS if uid in self._checked else SLOW_START_SECONDS
        if seconds_between(since, now) < wait:
            return
        needed = [build_config_map(observed.job, observed.desired_run)]
        if observed.job.spec.resources.num_nodes > 1:
            needed.append(build_service(observed.job, observed.desired_run))
        for manifest in needed:
            try:
                await self._cluster.get(Ref.of(manifest))
            except NotFoundError:
                await self._create(manifest)
                logger.info("%s created again", manifest["kind"], extra={"run": observed.desired_run})
        if len(self._checked) >= MAX_CHECKED:
            self._checked.clear()
        self._checked[uid] = now

    async def create_or_patch_experiment(self, manifest: Object) -> None:
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


def _check_owner(live: Object, manifest: Object) -> None:
    if controller_uid(live) != controller_uid(manifest):
        raise ConflictError(f"{Ref.of(manifest)} exists and belongs to something else; delete or rename it.")
