"""What a user does with FineTuneJobs on a cluster, as Python calls, which the commands use, too."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from finscribe_client.api import APPLY, MERGE, Api, Object, core_path, jobs_path
from finscribe_client.errors import ClientError, ClientReason
from finscribe_client.follow import follow_job
from finscribe_client.jobs import Job, Run
from finscribe_client.log_stream import stream_log
from finscribe_client.pods import LogOptions, Pod
from finscribe_client.reader import find_run
from finscribe_client.submission import Submission, read_submissions, submission_of
from finscribe_client.timeline import TimelineEvent, build_timeline
from finscribe_core.api.v1alpha1 import FineTuneJob, FineTuneJobStatus, State
from finscribe_core.constants import (
    ANNOTATION_RETRY,
    API_VERSION,
    CONTAINER_NAME,
    KIND,
    LABEL_JOB,
    LABEL_RUN,
    LABEL_TASK,
)

if TYPE_CHECKING:
    from finscribe_client.bucket import Downloaded

FIELD_MANAGER = "finscribe-cli"
Change = Literal["created", "configured", "unchanged", "applied"]


@dataclass(frozen=True)
class Submitted:
    """An object that was submitted."""

    kind: str
    name: str
    namespace: str
    change: Change
    job: Job | None
    """None for a Secret."""


class Client:
    """FineTuneJobs of a cluster, with the credentials of a kubeconfig.

    Every method raises a ClientError if the call fails; its text says why, and what to do.

    Args:
        namespace: the namespace of jobs; that of the context by default.
        context: a context of the kubeconfig; the current one by default.
        api: another connection than that of the kubeconfig.
    """

    def __init__(
        self, namespace: str | None = None, context: str | None = None, api: Api | None = None
    ) -> None:
        self.api = api or Api.connect(context)
        self.namespace = namespace or self.api.namespace

    @property
    def place(self) -> str:
        """Where the jobs are, for messages."""
        return f"namespace {self.namespace}"

    def in_namespace(self, namespace: str) -> Self:
        """A client for another namespace, by the same connection."""
        other = copy(self)
        other.namespace = namespace
        return other

    def submit(
        self, job: str | Path | dict[str, Any] | FineTuneJob, *, force: bool = False, dry_run: bool = False
    ) -> Job:
        """Create a job, or change it to what is given (server-side apply).

        Args:
            job: a file with one FineTuneJob, or the job itself.
            force: take over fields that somebody else has set.
            dry_run: only check it.

        Raises:
            FinscribeError: it is invalid, with file, line and field; or the call failed.
        """
        items = read_submissions([Path(job)]) if isinstance(job, str | Path) else [submission_of(job)]
        jobs = [one.job for one in self.apply(items, force=force, dry_run=dry_run) if one.job]
        return jobs[-1]

    def apply(
        self, items: Sequence[Submission], *, force: bool = False, dry_run: bool = False
    ) -> Sequence[Submitted]:
        """Create or change objects, after the API server has accepted all of them in a dry run."""
        checked = [self._apply(item, force=force, dry_run=True) for item in items]
        return checked if dry_run else [self._apply(item, force=force, dry_run=False) for item in items]

    def _apply(self, item: Submission, *, force: bool, dry_run: bool) -> Submitted:
        namespace = item.namespace or self.namespace
        is_job = item.kind == KIND
        path = jobs_path(namespace, item.name) if is_job else core_path(namespace, "secrets", item.name)
        query = {"fieldManager": FIELD_MANAGER, **({"force": "true"} if force else {})}
        query |= {"dryRun": "All"} if dry_run else {}
        before = self._read_or_none(path) if is_job else None
        try:
            after = self.api.request("PATCH", path, query, item.manifest(namespace), APPLY)
        except ClientError as error:
            raise _with_force(item.explain(error)) from error
        job = Job(after) if is_job else None
        # Secrets are written and never read.
        return Submitted(
            item.kind, item.name, namespace, _change(before, after) if is_job else "applied", job
        )

    def _read_or_none(self, path: str) -> Object | None:
        try:
            return self.api.request("GET", path)
        except ClientError as error:
            if error.reason == ClientReason.NotFound:
                return None
            raise

    def get(self, name: str) -> Job:
        """A job."""
        return Job(self.api.request("GET", jobs_path(self.namespace, name)))

    def list(self, *, all_namespaces: bool = False, selector: str = "") -> Sequence[Job]:
        """The jobs of the namespace, or of all, by name; `selector` is one of labels."""
        path = jobs_path("" if all_namespaces else self.namespace)
        query = {"labelSelector": selector} if selector else {}
        defaults = {"apiVersion": API_VERSION, "kind": KIND}
        return [Job({**defaults, **item}) for item in self.api.items(path, query)]

    def status(self, name: str) -> FineTuneJobStatus:
        """The status of a job."""
        return self.get(name).status

    def follow(self, name: str, timeout: float | None = None) -> Iterator[Job]:
        """The job whenever it has changed, until it has ended: complete, failed, invalid or suspended.

        Raises:
            ClientError: TimedOut after `timeout` seconds; or the job can't be read.
        """
        return follow_job(lambda: self.get(name), timeout)

    def wait(
        self, name: str, timeout: float | None = None, on_change: Callable[[Job], object] | None = None
    ) -> Job:
        """Wait until a job has ended: complete, failed, invalid or suspended.

        Raises:
            ClientError: TimedOut after `timeout` seconds; or a call failed.
        """
        job = None
        for job in self.follow(name, timeout):
            if on_change is not None:
                on_change(job)
        assert job is not None
        return job

    def suspend(self, name: str, *, dry_run: bool = False) -> Job:
        """Stop the job's run, which saves a checkpoint and releases its GPUs."""
        return self._change(name, {"spec": {"suspend": True}}, dry_run=dry_run)

    def resume(self, name: str, *, dry_run: bool = False) -> Job:
        """Let a suspended job go on from its last checkpoint."""
        return self._change(name, {"spec": {"suspend": False}}, dry_run=dry_run)

    def retry(self, name: str, *, dry_run: bool = False) -> Job:
        """Start a failed run again, from its last checkpoint.

        Raises:
            ClientError: WrongState, the job has not failed.
        """
        job = self.get(name)
        if job.state != State.Failed:
            remedy = f"To train again from the start: finscribe retrain {name}"
            raise ClientError(
                ClientReason.WrongState, f"{name} is {job.state}: only a failed run is retried.", remedy
            )
        change = {"metadata": {"annotations": {ANNOTATION_RETRY: _now()}}}
        return self._change(name, change, job, dry_run=dry_run)

    def retrain(self, name: str, trigger: str | None = None, *, dry_run: bool = False) -> Job:
        """Start a new run, though nothing has changed; `trigger` names it, the time by default."""
        return self._change(name, {"spec": {"retrain": {"trigger": trigger or _now()}}}, dry_run=dry_run)

    def delete(self, name: str, *, dry_run: bool = False) -> None:
        """Delete a job with its pods and logs; its results stay in the bucket."""
        options: Object = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"}
        body = options | ({"dryRun": ["All"]} if dry_run else {})
        self.api.request("DELETE", jobs_path(self.namespace, name), body=body)

    def pods(self, job: Job, run: str) -> Sequence[Pod]:
        """The pods of a run that still exist, oldest first."""
        query = {"labelSelector": f"{LABEL_JOB}={job.name},{LABEL_RUN}={run},!{LABEL_TASK}"}
        found = [Pod(raw) for raw in self.api.items(core_path(job.namespace, "pods"), query)]
        return sorted(found, key=lambda pod: (pod.created, pod.name))

    def log(self, pod: Pod, options: LogOptions) -> Iterator[str]:
        """The lines of a pod's log; with `follow` until its container ends."""
        query = {"container": CONTAINER_NAME}
        query |= {} if options.tail is None else {"tailLines": str(options.tail)}
        query |= {} if options.since_seconds is None else {"sinceSeconds": str(options.since_seconds)}
        path = core_path(pod.namespace, "pods", pod.name)

        def read(part: Mapping[str, str]) -> Iterator[str]:
            return self.api.lines(f"{path}/log", {"container": CONTAINER_NAME, **part})

        def is_running() -> bool:
            found = self._read_or_none(path)
            return found is not None and not Pod(found).has_ended

        return stream_log(read, is_running, query) if options.follow else read(query)

    def events(self, job: Job) -> Sequence[TimelineEvent]:
        """What happened to a job, its pods and its experiments, in order, as long as Kubernetes keeps it."""
        experiments = {experiment.job for experiment in job.status.experiments}
        runs = {run.name for run in job.runs}
        return build_timeline(
            self.api.items(core_path(job.namespace, "events")), {job.name, *experiments}, runs
        )

    def find_run(self, name: str) -> tuple[Job, Run]:
        """A run and its job, by the run's name, `job/run`, or the name of a job for its current run."""
        return find_run(self, name)

    def download(
        self,
        run: str,
        folder: str | Path | None = None,
        only: Collection[str] = (),
        endpoint: str | None = None,
    ) -> "Downloaded":
        """Download the result of a run, and verify each file; an interrupted download is resumed.

        Args:
            run: as for `find_run`; of a job the newest run that has a result.
            folder: by default the run's name.
            only: parts of the result, such as `adapter`; all of it when empty.
            endpoint: URL of the object storage, if it has another one here than in the cluster.
        """
        from finscribe_client.bucket import Result  # noqa: PLC0415 - needs boto3

        job, found = self.find_run(run)
        if run == job.name:
            found = next((one for one in job.runs if one.outputs.uri), found)
        return Result.of(job, found, endpoint).download(Path(folder or found.name), only)

    def promote(
        self, run: str, *, force: bool = False, dry_run: bool = False, endpoint: str | None = None
    ) -> bool:
        """Make latest.json name a run, with `force` also one below its gate; False if it does already."""
        from finscribe_client.bucket import Result  # noqa: PLC0415 - needs boto3

        return Result.of(*self.find_run(run), endpoint).promote(force=force, dry_run=dry_run)

    def _change(self, name: str, patch: Object, read: Job | None = None, *, dry_run: bool = False) -> Job:
        """Apply a merge patch; to a job as it was read only, if `read` is given."""
        if read is not None:
            version = read.raw["metadata"]["resourceVersion"]
            patch = {**patch, "metadata": {**patch.get("metadata", {}), "resourceVersion": version}}
        query = {"fieldManager": FIELD_MANAGER, **({"dryRun": "All"} if dry_run else {})}
        return Job(self.api.request("PATCH", jobs_path(self.namespace, name), query, patch, MERGE))


def _change(before: Object | None, after: Object) -> Change:
    if before is None:
        return "created"
    metadata = ("labels", "annotations")
    same = [before["metadata"].get(key) == after["metadata"].get(key) for key in metadata]
    return "unchanged" if all(same) and before["spec"] == after["spec"] else "configured"


def _with_force(error: ClientError) -> ClientError:
    if error.reason != ClientReason.Conflict:
        return error
    return ClientError(
        ClientReason.Conflict, error.message, "To set the fields nevertheless: --force-conflicts"
    )


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
