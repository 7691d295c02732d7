"""Many jobs at once, with a user who changes some of them and a kubelet that runs their pods.

Both connect to the API server directly, and repeat what failed: only the operator is disturbed. A thread
plays them, so that a sweep can break things meanwhile.
"""

import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from kubernetes.client import ApiException, V1Pod
from urllib3.exceptions import HTTPError

from finscribe_core.api.v1alpha1 import FineTuneJobStatus, State
from finscribe_core.constants import (
    ANNOTATION_RETRY,
    EXIT_RETRY,
    EXIT_USER_ERROR,
    GROUP,
    KIND,
    LABEL_RUN,
    LABEL_TASK,
    PLURAL,
    VERSION,
)
from finscribe_core.errors import FailureReason
from finscribe_core.report import Metrics, Outputs, Progress, ProgressReport, RunResult
from tests.apiserver.fake_kubelet import serving_progress
from tests.apiserver.workspace import Workspace, build_job
from tests.sweeps.counts import ENDS, CreatedJob, Expected, is_settled

PAUSE_SECONDS = 0.2
CREATED_AT_ONCE = 10
OUTAGES = (ApiException, HTTPError, OSError)
"""What a call raises while the API server is down, or has another view of an object."""


class Kind(StrEnum):
    """What happens to a job."""

    Plain = "plain"
    """It is trained."""
    Retried = "retried"
    """Its first attempt fails, the next one succeeds."""
    Failing = "failing"
    """It fails for a reason that is not retried."""
    Retrained = "retrained"
    """Its training settings change while it runs: its run is replaced by another one."""
    Resized = "resized"
    """Its memory changes while it runs: its run continues in a new pod."""
    Suspended = "suspended"
    """It is suspended while it runs, and resumed."""
    Repeated = "repeated"
    """It fails, and the annotation asks for another attempt, which succeeds."""
    Triggered = "triggered"
    """After its end `retrain.trigger` starts another run."""
    RolledBack = "rolled back"
    """After its end other training settings start another run; then the first settings come back."""


CHANGED_AFTER_THE_END = (Kind.Repeated, Kind.Triggered, Kind.RolledBack)

_CHANGES: dict[Kind, list[dict[str, Any]]] = {
    Kind.Retrained: [{"spec": {"lora": {"r": 8}}}],
    Kind.Resized: [{"spec": {"resources": {"memory": "64Gi"}}}],
    Kind.Suspended: [{"spec": {"suspend": True}}, {"spec": {"suspend": False}}],
}
"""Changes, the first one while the pod runs, the next one when no pod is left."""
_LATER_CHANGES: dict[Kind, list[dict[str, Any]]] = {
    Kind.Repeated: [{"metadata": {"annotations": {ANNOTATION_RETRY: "1"}}}],
    Kind.Triggered: [{"spec": {"retrain": {"trigger": "again"}}}],
    Kind.RolledBack: [{"spec": {"lora": {"r": 8}}}, {"spec": {"lora": {"r": 16}}}],
}
"""Changes, each when the job has ended."""
_MORE_JOBS = {Kind.Retrained: 1, Kind.Resized: 1, Kind.Repeated: 1, Kind.Triggered: 1, Kind.RolledBack: 2}
"""Jobs besides the first one; the last one of RolledBack promotes the first run."""
_MORE_RUNS = {Kind.Retrained: 1, Kind.Triggered: 1, Kind.RolledBack: 2}
"""Names of Jobs besides the first one."""


@dataclass
class Member:
    """One job of a burst."""

    name: str
    kind: Kind
    changes: list[dict[str, Any]]
    """Which are still to be made while it runs."""
    later_changes: list[dict[str, Any]]
    """Which are still to be made after its end."""
    held: set[str] = field(default_factory=set)
    """Pods (by uid) that run until they are deleted, because a change replaces them."""
    failed_pod: str = ""
    """The pod (by uid) of the attempt that failed and is repeated."""
    result: RunResult | None = None
    """What its last pod reported."""
    results: list[RunResult] = field(default_factory=list)
    """What its pods have reported that trained with success, in their order."""
    ended: bool = False
    """Whether its last pod has ended."""
    max_jobs: int = 1

    @property
    def expected(self) -> Expected:
        """What has to become of it."""
        return Expected(
            self.name,
            State.Failed if self.kind is Kind.Failing else State.Complete,
            self.result,
            self.ended and not self.later_changes,
            max_runs=1 + _MORE_RUNS.get(self.kind, 0),
            max_jobs=self.max_jobs + _MORE_JOBS.get(self.kind, 0),
        )


class Burst:
    """The jobs of a namespace, their user and their kubelet.

    Args:
        workspace: their namespace.
        kinds: what happens to each of them.
        run_seconds: how long each pod runs.
        hold: pods run until `hold` is set to False.
        prefix: of the jobs' names, to which other bursts of the namespace pay no attention.
    """

    def __init__(
        self,
        workspace: Workspace,
        kinds: list[Kind],
        *,
        run_seconds: float = 1.0,
        hold: bool = False,
        prefix: str = "job",
    ) -> None:
        self.workspace = workspace
        self.members = {
            name: Member(name, kind, list(_CHANGES.get(kind, [])), list(_LATER_CHANGES.get(kind, [])))
            for name, kind in ((f"{prefix}-{number:03}", kind) for number, kind in enumerate(kinds))
        }
        self.hold = hold
        self._answers = (
            hold  # otherwise the operator would say after a while that a pod gives no sign of life
        )
        self.held_back = 0
        """Jobs that are not created yet, until it is set to less."""
        self._servers = ExitStack()
        self._run_seconds = run_seconds
        self._to_create = list(self.members)
        self._seen_running: dict[str, float] = {}
        self.seen_jobs: set[CreatedJob] = set()
        """The Jobs of all pods that were seen."""
        self._stop = threading.Event()
        self._defect: BaseException | None = None

    @contextmanager
    def playing(self) -> Iterator[None]:
        """Create the jobs, and play user and kubelet until the end of the block."""
        thread = threading.Thread(target=self._play)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join()
            self._servers.close()
        if self._defect is not None:
            raise self._defect

    def statuses(self) -> dict[str, FineTuneJobStatus]:
        """The status of each job, by name; those that do not parse are empty."""
        jobs = {job["metadata"]["name"]: job.get("status") for job in self.workspace.jobs()}
        return {name: _parse(status) for name, status in jobs.items() if name in self.members}

    def is_settled(self) -> bool:
        """Whether every job is in its expected state."""
        statuses = self.statuses()
        return all(name in statuses and is_settled(m.expected, statuses[name]) for name, m in self._all())

    def are_running(self) -> bool:
        """Whether every job is shown as running."""
        statuses = self.statuses()
        return len(statuses) == len(self.members) and all(
            s.summary.state == State.Running for s in statuses.values()
        )

    def wait(self, condition: Callable[[], bool], within: float) -> bool:
        """Wait for a condition, also during outages; whether it became true in time."""
        deadline = time.monotonic() + within
        while time.monotonic() < deadline:
            if self._defect is not None:
                raise self._defect
            try:
                if condition():
                    return True
            except OUTAGES:
                pass
            time.sleep(PAUSE_SECONDS)
        return False

    def events(self) -> frozenset[tuple[str, str]]:
        """FineTuneJob and reason of each Event."""
        found = self.workspace.core.list_namespaced_event(self.workspace.namespace).items
        return frozenset((e.involved_object.name, e.reason) for e in found if e.involved_object.kind == KIND)

    def _all(self) -> list[tuple[str, Member]]:
        return list(self.members.items())

    def _play(self) -> None:
        try:
            while not self._stop.wait(PAUSE_SECONDS):
                try:
                    self._create()
                    self._step()
                except OUTAGES:
                    continue
        except BaseException as error:
            self._defect = error

    def _create(self) -> None:
        ready = len(self._to_create) - self.held_back
        for name in self._to_create[: min(max(ready, 0), CREATED_AT_ONCE)]:
            try:
                self.workspace.custom.create_namespaced_custom_object(
                    GROUP, VERSION, self.workspace.namespace, PLURAL, build_job(name)
                )
            except ApiException as error:
                if error.status != 409:
                    raise
            self._to_create.remove(name)

    def _step(self) -> None:
        """Do what user and kubelet do now, for every job."""
        pods: dict[str, list[V1Pod]] = {name: [] for name in self.members}
        # By name, as the labels may have been removed.
        for pod in self.workspace.core.list_namespaced_pod(self.workspace.namespace).items:
            job = "-".join(pod.metadata.name.split("-")[:2])
            if job in pods:
                pods[job].append(pod)
                owners = [o for o in pod.metadata.owner_references or [] if o.kind == "Job"]
                self.seen_jobs |= {CreatedJob(job, owner.name, owner.uid) for owner in owners}
        for name, member in self._all():
            for pod in pods[name]:
                try:
                    self._run(member, pod)
                except ApiException:
                    continue  # the next pass sees why
            is_between = member.held and not any(_is_alive(pod) for pod in pods[name])
            if member.changes and is_between:
                self._change(member)
        self._change_after_the_end()

    def _change_after_the_end(self) -> None:
        waiting = [m for _, m in self._all() if m.later_changes and m.ended]
        statuses = self.statuses() if waiting else {}
        for member in waiting:
            if _shows_the_end(statuses[member.name], member.result):
                self.workspace.change(member.later_changes[0], member.name)
                member.later_changes.pop(0)
                member.ended = False

    def _run(self, member: Member, pod: V1Pod) -> None:
        uid, name = pod.metadata.uid, pod.metadata.name
        if pod.metadata.deletion_timestamp is not None:
            if pod.status.phase == "Running":
                self._interrupt(name)
            self.workspace.kubelet.remove(name)
        elif pod.status.phase == "Pending":
            address = self.workspace.kubelet.report_running(name)
            if self._answers:
                report = ProgressReport(run=pod.metadata.labels.get(LABEL_RUN, ""))
                self._servers.enter_context(serving_progress(address, report))
        elif pod.status.phase == "Running" and uid not in member.held:
            since = self._seen_running.setdefault(uid, time.monotonic())
            if time.monotonic() - since < self._run_seconds or self.hold:
                return
            if member.changes and not member.held:
                self._change(member)
                member.held.add(uid)
            elif not member.changes:
                self._end(member, pod)

    def _interrupt(self, pod: str) -> None:
        """End a pod as a trainer ends upon SIGTERM."""
        result = RunResult(
            succeeded=False, reason=FailureReason.Interrupted, message="SIGTERM", retryable=True
        )
        self.workspace.kubelet.report_failed(pod, EXIT_RETRY, result.to_termination_message())

    def _change(self, member: Member) -> None:
        self.workspace.change(member.changes[0], member.name)
        member.changes.pop(0)

    def _end(self, member: Member, pod: V1Pod) -> None:
        uid, name = pod.metadata.uid, pod.metadata.name
        if member.kind is Kind.Retried and member.failed_pod in ("", uid):
            member.failed_pod = uid
            result = RunResult(
                succeeded=False, reason=FailureReason.StorageUnavailable, message="no answer", retryable=True
            )
            self.workspace.kubelet.report_failed(name, EXIT_RETRY, result.to_termination_message())
            return
        if member.kind is Kind.Failing or (member.kind is Kind.Repeated and member.later_changes):
            result = RunResult(
                succeeded=False, reason=FailureReason.DatasetInvalid, message="row 3: no image"
            )
            self.workspace.kubelet.report_failed(name, EXIT_USER_ERROR, result.to_termination_message())
        else:
            if LABEL_TASK in pod.metadata.labels:  # it finds the result of the first run
                result = member.results[0]
            else:
                result = _build_result(uid)
                member.results.append(result)
            self.workspace.kubelet.report_succeeded(name, result)
        member.result, member.ended = result, True


def mix(kinds: Sequence[Kind], jobs: int, rng: random.Random) -> list[Kind]:
    """A kind for each of this many jobs, all of them about equally often, in random order."""
    mixed = [kinds[number % len(kinds)] for number in range(jobs)]
    rng.shuffle(mixed)
    return mixed


def _build_result(uid: str) -> RunResult:
    """A result that no other pod has."""
    return RunResult(
        succeeded=True,
        progress=Progress(step=100, total_steps=100, percent=100),
        metrics=Metrics(eval_loss=f"0.{int(uid[:6], 16) + 1}"),
        outputs=Outputs(uri=f"s3://team-models/invoices/runs/{uid}"),
    )


def _shows_the_end(status: FineTuneJobStatus, result: RunResult | None) -> bool:
    """Whether a job has ended with this result, and not with that of an earlier run."""
    if status.summary.state not in ENDS or status.run is None or result is None:
        return False
    return not result.succeeded or status.run.outputs == result.outputs


def _is_alive(pod: V1Pod) -> bool:
    return pod.status.phase not in ("Succeeded", "Failed")


def _parse(status: Any) -> FineTuneJobStatus:
    try:
        return FineTuneJobStatus.model_validate(status or {})
    except ValueError:
        return FineTuneJobStatus()
