"""Takes jobs through every stage of their lives, and reads how each tool shows them there."""

import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from finscribe_core.api.conditions import Reason
from finscribe_core.api.v1alpha1 import State
from finscribe_core.constants import ANNOTATION_RETRY, EXIT_RETRY, EXIT_USER_ERROR, LABEL_RESTORED
from finscribe_core.errors import FailureReason
from finscribe_core.report import (
    EvaluationReport,
    GateVerdict,
    Metrics,
    Outputs,
    Phase,
    Progress,
    ProgressReport,
    RunResult,
)
from tests.apiserver.eventually import eventually
from tests.apiserver.fake_kubelet import serving_progress
from tests.apiserver.operator_process import OperatorProcess
from tests.apiserver.test_pod_creation import GPUS, UNCONFINED, set_quota
from tests.apiserver.workspace import Workspace, build_job
from tests.support.argocd import health
from tests.support.kstatus import kstatus

WAITS = ("Complete", "Failed", "Suspended", "Reconciling=false")
"""Conditions that a pipeline may wait for."""
APPLY = ("--server-side", "--filename=-")
TRAINING = Progress(phase=Phase.Training, step=42, total_steps=100, epoch=1.0, percent=42, eta_seconds=1810)
METRICS = Metrics(train_loss="0.412")
ENDED = TRAINING.model_copy(update={"phase": Phase.Uploading, "step": 80, "percent": 80})
SUCCESS = RunResult(
    succeeded=True,
    stopped_early=True,
    progress=ENDED,
    metrics=METRICS,
    outputs=Outputs(uri="s3://team-models/invoices/runs/r"),
)
VERDICT = GateVerdict(passed=False, message="field_accuracy 0.8 is below 0.9.")
GATE_FAILED = SUCCESS.model_copy(update={"evaluation": EvaluationReport(documents=4, gate=VERDICT)})
UNAVAILABLE = RunResult(
    succeeded=False, reason=FailureReason.StorageUnavailable, message="s3://team-docs does not answer."
)
MISSING = RunResult(
    succeeded=False, reason=FailureReason.DatasetNotFound, message="train.jsonl does not exist."
)


@dataclass
class Life:
    """A job whose manifest is kept in a file and applied after each change, as from a Git repository."""

    workspace: Workspace
    operator: OperatorProcess
    manifest: dict[str, Any] = field(default_factory=dict)

    def commit(self, labels: dict[str, str] | None = None, **spec: Any) -> None:
        self.manifest = build_job(**spec)
        self.manifest["metadata"]["labels"] = labels or {}
        self.workspace.kubectl("apply", *APPLY, stdin=json.dumps(self.manifest))

    def await_running(self, reason: str, words: str = "", *, status: str = "False") -> None:
        """Wait until the condition Running has this status and reason, and these words in its message."""

        def holds() -> bool:
            actual = self.workspace.condition("Running")
            assert actual[:2] == (status, reason) and words in actual[2], f"Running is {actual}"
            return True

        eventually(holds)

    def run_pod(self, other_than: str = "") -> str:
        """Wait for a pod and report it as running; returns its name."""
        pod = self.workspace.await_pod(other_than=other_than)
        self.workspace.kubelet.report_running(pod)
        self.await_running(Phase.Starting, status="True")
        return pod

    @contextmanager
    def without_operator(self) -> Iterator[None]:
        self.operator.kill()
        yield
        self.operator.start()


def refused_pods(life: Life) -> Iterator[str]:
    refused = Reason.PodCreationFailed
    life.commit(storage={"serviceAccountName": "missing"})
    life.await_running(refused, "serviceaccount")
    yield "its service account is missing"
    life.commit(pod={"runtimeClassName": "missing"})
    life.await_running(refused, "RuntimeClass")
    yield "its RuntimeClass is missing"
    level = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "baseline"}}}
    life.workspace.core.patch_namespace(life.workspace.namespace, level)
    life.commit(pod={"annotations": UNCONFINED})
    life.await_running(refused, "PodSecurity")
    yield "a policy refuses its pod"
    set_quota(life.workspace, GPUS, "0")
    life.commit(image="trainer:2")
    life.await_running(refused, "exceeded quota")
    yield "the quota has no room for its pod"


def one_attempt(life: Life) -> Iterator[str]:
    kubelet = life.workspace.kubelet
    with life.without_operator():
        life.commit(featureCache={"persistentVolumeClaim": {"name": "features"}})
        yield "it was created and no operator runs"
    pod = life.workspace.await_pod()
    life.await_running(Reason.Pending, "scheduler")
    yield "its pod waits for the scheduler"
    kubelet.report_unschedulable(pod, "0/1 nodes are available: 1 Insufficient nvidia.com/gpu.")
    life.await_running(Reason.Unschedulable)
    yield "no node fits"
    kubelet.report_waiting(pod)
    life.await_running(Reason.ContainerCreating)
    yield "its image is pulled"
    kubelet.warn(pod, "FailedMount", 'MountVolume.SetUp failed for volume "features": not found')
    life.await_running(Reason.ContainerCreating, "FailedMount")
    yield "its volume can't be mounted"
    kubelet.report_waiting(pod, "ErrImagePull", "no such image: finscribe/trainer:test")
    life.await_running(Reason.ContainerCannotStart, "ErrImagePull")
    yield "its image does not exist"
    kubelet.report_waiting(pod, "CreateContainerConfigError", 'secret "s3-credentials" not found')
    life.await_running(Reason.ContainerCannotStart, "secret")
    yield "its Secret is missing"
    address = kubelet.report_running(pod)
    life.await_running(Phase.Starting, status="True")
    yield "its trainer is Starting"
    run = life.workspace.batch_jobs()[0].metadata.name
    with serving_progress(address, ProgressReport(run=run)) as trainer:
        for phase in list(Phase)[1:]:
            progress = TRAINING.model_copy(update={"phase": phase})
            trainer.report = ProgressReport(run=run, progress=progress, metrics=METRICS)
            life.await_running(phase, status="True")
            yield f"its trainer is {phase}"
        eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod}}
        life.workspace.core.create_namespaced_pod_eviction(
            pod, life.workspace.namespace, eviction, _preload_content=False
        )
        life.await_running(Reason.Stopping, "Evicted", status="True")
        yield "its pod is evicted"
    kubelet.report_disrupted(pod, EXIT_RETRY, "EvictionByEvictionAPI", "Eviction API: evicting")
    life.await_running(Reason.Retrying)
    yield "its pod was evicted"
    kubelet.remove(pod)
    second = life.run_pod(other_than=pod)
    kubelet.report_succeeded(second, SUCCESS)
    life.workspace.await_condition("Reconciling", "False", Reason.Finished)
    yield "it stopped early and is complete"


def failures(life: Life) -> Iterator[str]:
    workspace, kubelet = life.workspace, life.workspace.kubelet
    life.commit(backoffLimit=1)
    first = life.run_pod()
    kubelet.report_failed(first, EXIT_RETRY, UNAVAILABLE.to_termination_message())
    life.await_running(Reason.Retrying)
    yield "an attempt failed"
    second = life.run_pod(other_than=first)
    kubelet.report_failed(second, EXIT_RETRY, UNAVAILABLE.to_termination_message())
    workspace.await_condition("Stalled", "True")
    yield "it failed after its last attempt"
    workspace.kubectl("annotate", "finetunejob", "invoices", f"{ANNOTATION_RETRY}=1")
    third = workspace.await_pod(other_than=second)
    life.await_running(Reason.Pending, "scheduler")
    yield "it is retried by its annotation"
    kubelet.report_running(third)
    kubelet.report_failed(third, EXIT_USER_ERROR, MISSING.to_termination_message())
    workspace.await_condition("Stalled", "True", FailureReason.DatasetNotFound)
    yield "it failed with a user error"


def start_deadline(life: Life) -> Iterator[str]:
    life.commit(startDeadlineSeconds=2)
    pod = life.workspace.await_pod()
    life.workspace.kubelet.report_waiting(pod, "ImagePullBackOff", "Back-off pulling image")
    eventually(lambda: not life.workspace.pods(), what="the pod is being deleted")
    life.workspace.kubelet.remove(pod)
    life.workspace.await_condition("Stalled", "True", FailureReason.StartDeadlineExceeded)
    yield "it failed because its pod did not start"


def expiry(life: Life) -> Iterator[str]:
    life.commit(ttlSecondsAfterFinished=1)
    pod = life.run_pod()
    life.workspace.kubelet.report_succeeded(pod, SUCCESS)
    eventually(lambda: life.workspace.status().run.outputs.uri and not life.workspace.batch_jobs())
    yield "its Job was deleted some time after its end"


def deadline(life: Life) -> Iterator[str]:
    life.commit(activeDeadlineSeconds=1)
    pod = life.workspace.await_pod()
    life.workspace.kubelet.report_waiting(pod)
    eventually(lambda: not life.workspace.pods(), what="the pod is being deleted")
    life.await_running(Reason.Stopping)
    yield "its pod ends after its deadline"
    life.workspace.kubelet.remove(pod)
    life.workspace.await_condition("Stalled", "True", FailureReason.DeadlineExceeded)
    yield "it failed by its deadline"
    life.commit(activeDeadlineSeconds=3600)
    life.workspace.kubectl("annotate", "finetunejob", "invoices", f"{ANNOTATION_RETRY}=1")
    life.workspace.await_pod(other_than=pod)
    life.await_running(Reason.Pending, "scheduler")
    yield "it is retried with a later deadline"


def suspension(life: Life) -> Iterator[str]:
    workspace, kubelet = life.workspace, life.workspace.kubelet
    life.commit()
    pod = life.run_pod()
    life.commit(suspend=True)
    eventually(lambda: not workspace.pods(), what="the pod is being deleted")
    life.await_running(Reason.Stopping, status="True")
    yield "its pod ends because it is suspended"
    kubelet.remove(pod)
    life.await_running(Reason.SuspendedBySpec)
    yield "it is suspended"
    life.commit(suspend=False)
    workspace.await_pod(other_than=pod)
    life.await_running(Reason.Pending, "scheduler")
    yield "it is resumed"
    (job,) = workspace.batch_jobs()
    workspace.batch.patch_namespaced_job(job.metadata.name, workspace.namespace, {"spec": {"suspend": True}})
    life.await_running(Reason.Queued)
    yield "a queue has suspended its Job"
    workspace.batch.patch_namespaced_job(job.metadata.name, workspace.namespace, {"spec": {"suspend": False}})
    last = life.run_pod()
    kubelet.lose_node(last)
    life.await_running(Reason.NodeUnreachable, status="Unknown")
    yield "its node does not answer"
    life.commit(suspend=True)
    eventually(lambda: not workspace.pods(), what="the pod is being deleted")
    workspace.await_condition("Suspended", "True")
    yield "it is suspended and its node does not answer"


def runs(life: Life) -> Iterator[str]:
    workspace, kubelet = life.workspace, life.workspace.kubelet
    life.commit()
    first = life.run_pod()
    kubelet.report_succeeded(first, SUCCESS)
    workspace.await_condition("Promoted", "True")
    with life.without_operator():
        life.commit(lora={"r": 8})
        yield "its spec has changed and no operator runs"
    second = workspace.await_pod(other_than=first)
    life.await_running(Reason.Pending, "scheduler")
    yield "its new run starts"
    run = workspace.status().run
    assert run is not None
    report = ProgressReport(run=run.name, progress=TRAINING, metrics=METRICS)
    with serving_progress(kubelet.report_running(second), report):
        life.await_running(Phase.Training, status="True")
    life.commit(lora={"r": 4})
    eventually(lambda: "Superseded" in [record.outcome for record in workspace.status().runs])
    third = workspace.await_pod(other_than=second)
    life.await_running(Reason.Pending, "scheduler")
    yield "its run is superseded and the next one starts"
    kubelet.remove(second)
    kubelet.report_succeeded(third, GATE_FAILED)
    workspace.await_condition("Promoted", "False", Reason.GateFailed)
    yield "it is complete and its gate failed"
    life.commit()
    workspace.await_condition("Promoted", "False", Reason.Promoting)
    workspace.await_pod(other_than=third)
    yield "its earlier run is promoted again"


def held_spec(life: Life) -> Iterator[str]:
    life.commit(retrain={"onSpecChange": "Ignore"})
    pod = life.run_pod()
    life.workspace.kubelet.report_succeeded(pod, SUCCESS)
    life.workspace.await_condition("Promoted", "True")
    life.commit(retrain={"onSpecChange": "Ignore"}, lora={"r": 8})
    generation = life.workspace.job()["metadata"]["generation"]
    eventually(lambda: life.workspace.status().observed_generation == generation)
    yield "its new spec is not used yet"


def invalid_spec(life: Life) -> Iterator[str]:
    life.commit(experiments=[{"name": "a", "overrides": {"training.unknown": 1}}])
    life.workspace.await_condition("Stalled", "True", Reason.InvalidSpec)
    yield "its spec is invalid"


def restored(life: Life) -> Iterator[str]:
    label = {LABEL_RESTORED: "backup-1"}
    life.commit(label, suspend=True)
    life.await_running(Reason.SuspendedBySpec)
    yield "it was restored without its status and is suspended"
    life.commit(label, suspend=False)
    life.workspace.await_pod()
    life.await_running(Reason.LookingForResult)
    yield "it was restored without its status"


LIVES: tuple[Callable[[Life], Iterator[str]], ...] = (
    refused_pods,
    one_attempt,
    failures,
    start_deadline,
    deadline,
    expiry,
    suspension,
    runs,
    held_spec,
    invalid_spec,
    restored,
)


@dataclass(frozen=True)
class View:
    """How each tool shows a job."""

    state: State
    is_unread: bool
    """Whether the status is about an older spec, or about none."""
    argo: tuple[str, str]
    """Health and message."""
    kstatus: tuple[str, str]
    running: str
    """Status and reason of the condition Running."""
    holds: list[str]
    """The types of the conditions that are true."""
    columns: list[str]
    """What `kubectl get` prints."""
    waits: list[str]
    """The conditions for which `kubectl wait` waits no longer."""
    difference: str
    """What `kubectl diff` prints."""

    def to_text(self) -> dict[str, Any]:
        """As it is kept: of the message its reason, as other tests compare the rest."""
        reason = self.argo[1].partition(":")[0]
        return {
            "Running condition": self.running,
            "true conditions": " ".join(self.holds),
            "Argo CD": f"{self.argo[0]}: {reason}",
            "kstatus": self.kstatus[0],
            "kubectl get": " ".join(self.columns),
            "kubectl wait": " ".join(self.waits),
        }


def view(life: Life) -> View:
    """How each tool shows the job now; the operator is stopped meanwhile, so that all see the same."""
    with _stopped(life.operator):
        workspace = life.workspace
        job = workspace.job()
        status = workspace.status()
        waits = [
            name
            for name in WAITS
            if workspace.try_kubectl(
                "wait", f"--for=condition={name}", "--timeout=0", "finetunejob/invoices"
            ).returncode
            == 0
        ]
        return View(
            state=status.summary.state,
            is_unread=status.observed_generation != job["metadata"]["generation"],
            argo=health(job),
            kstatus=kstatus(job)[0],
            running=" ".join(workspace.condition("Running")[:2]).strip(),
            holds=[c.type for c in status.conditions if c.status == "True"],
            columns=workspace.table()[0][:4],
            waits=waits,
            difference=workspace.try_kubectl("diff", *APPLY, stdin=json.dumps(life.manifest)).stdout,
        )


@contextmanager
def _stopped(operator: OperatorProcess) -> Iterator[None]:
    if not operator.is_running:
        yield
        return
    os.kill(operator.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(operator.pid, signal.SIGCONT)
