"""A sweep in which others put objects beside those of a run that look like its own, or are absurd."""

from collections.abc import Callable
from typing import Any

from finscribe_core.api.v1alpha1 import State
from finscribe_core.constants import (
    ANNOTATION_ATTEMPT,
    ANNOTATION_GPUS,
    ANNOTATION_OCCASION,
    ANNOTATION_SUSPENDED,
    CONTAINER_NAME,
    EXIT_USER_ERROR,
    LABEL_CAUSE,
    LABEL_EXPERIMENT_OF,
    LABEL_JOB,
    LABEL_RUN,
    LABEL_TASK,
    TASK_LOOKUP,
)
from finscribe_core.errors import FailureReason
from finscribe_core.report import Outputs, RunResult
from tests.apiserver.hostile_objects import build_hostile_objects, create, states
from tests.sweeps import hands
from tests.sweeps.counts import Counts
from tests.sweeps.environment import Environment
from tests.sweeps.hands import Act, Target

LARGE = "x" * 200_000
ODD = "\u202e\u001b[31m\u0007 données 数据 🦄\n" * 20
"""A text with a change of direction, terminal escapes, and characters of several scripts."""
FAR, LONG_AGO = "9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z"
FAILED = RunResult(succeeded=False, reason=FailureReason.DatasetNotFound, message="of a stranger")
SUCCEEDED = RunResult(succeeded=True, outputs=Outputs(uri="s3://stranger/runs/r"))
"""What a stranger's pod reports, which no job's status may show."""

Do = Callable[[Target], None]


def _labels(target: Target, **more: str) -> dict[str, str]:
    """Those that the operator finds the children of the job's run by."""
    return {LABEL_JOB: target.name, LABEL_RUN: target.run, **more}


def _stranger(target: Target) -> dict[str, Any]:
    """A reference to an object that is nothing to the job: the namespace's service account."""
    found = target.workspace.core.read_namespaced_service_account("default", target.workspace.namespace)
    return {"apiVersion": "v1", "kind": "ServiceAccount", "name": "default", "uid": found.metadata.uid}


def _finetunejob(target: Target) -> dict[str, Any]:
    """A reference to the job as the owner that controls an object."""
    job = target.workspace.job(target.name)
    owner = {"apiVersion": job["apiVersion"], "kind": job["kind"], "name": target.name, "controller": True}
    return {**owner, "uid": job["metadata"]["uid"], "blockOwnerDeletion": False}


def _pod(result: RunResult | None, *owners: Callable[[Target], dict[str, Any]]) -> Do:
    """A pod with the labels of the run's, which ends, or is never started."""

    def do(target: Target) -> None:
        workspace, name = target.workspace, f"stranger-{target.name}"
        references = [build(target) for build in owners]
        metadata = {"name": name, "labels": _labels(target), "ownerReferences": references}
        spec = {"containers": [{"name": CONTAINER_NAME, "image": "stranger"}]}
        workspace.core.create_namespaced_pod(workspace.namespace, {"metadata": metadata, "spec": spec})
        if result is not None and result.succeeded:
            workspace.kubelet.report_succeeded(name, result)
        elif result is not None:
            workspace.kubelet.report_failed(name, EXIT_USER_ERROR, result.to_termination_message())

    return do


def _job(owner: Callable[[Target], dict[str, Any]] | None = None, **labels: str) -> Do:
    """A Job with the labels of the run's; suspended, so that it has no pods."""

    def do(target: Target) -> None:
        workspace = target.workspace
        references = [owner(target)] if owner else []
        metadata = {"name": f"stranger-{target.name}", "ownerReferences": references}
        pod = {"restartPolicy": "Never", "containers": [{"name": CONTAINER_NAME, "image": "stranger"}]}
        body = {
            "metadata": {**metadata, "labels": _labels(target, **labels)},
            "spec": {"suspend": True, "template": {"spec": pod}},
        }
        workspace.batch.create_namespaced_job(workspace.namespace, body)

    return do


def _config_map(target: Target) -> None:
    metadata = {"name": f"stranger-{target.name}", "labels": _labels(target)}
    body = {"metadata": metadata, "data": {"config.yaml": "{"}}
    target.workspace.core.create_namespaced_config_map(target.workspace.namespace, body)


def _event(kind: str, reason: str, message: str, time: str) -> Do:
    """A Warning about the job, its Job or its pod."""

    def do(target: Target) -> None:
        workspace = target.workspace
        live = {
            "FineTuneJob": workspace.job(target.name)["metadata"],
            "Job": workspace.batch_jobs(target.name)[0].metadata.to_dict(),
            "Pod": workspace.pods(target.name)[0].metadata.to_dict(),
        }[kind]
        involved = {"kind": kind, "namespace": workspace.namespace, "name": live["name"], "uid": live["uid"]}
        event = {"type": "Warning", "reason": reason, "message": message[:1024], "lastTimestamp": time}
        body = {"metadata": {"generateName": "stranger-"}, "involvedObject": involved, **event}
        source = {"source": {"component": "finscribe-operator"}, "count": 2**31 - 1}
        workspace.core.create_namespaced_event(workspace.namespace, body | source)

    return do


def _metadata(patch: Callable[[Target, dict], None], **changed: Any) -> Do:
    """Change an object's metadata."""
    return lambda target: patch(target, {"metadata": changed})


def _foreign_owner(patch: Callable[[Target, dict], None], read: Callable[[Target], list[dict]]) -> Do:
    """Add an owner that is nothing to the object."""
    return lambda target: patch(target, {"metadata": {"ownerReferences": [*read(target), _stranger(target)]}})


def _pod_status(**status: Any) -> Do:
    """Change what the kubelet has said of the run's pod, besides its phase."""

    def do(target: Target) -> None:
        target.workspace.core.patch_namespaced_pod_status(
            target.pod, target.workspace.namespace, {"status": status}, _content_type=hands.MERGE
        )

    return do


def _patch_finetunejob(target: Target, patch: dict) -> None:
    target.workspace.change(patch, target.name)


def _owners(found: Any) -> list[dict]:
    """The owners of an object of the client."""
    references = found.metadata.owner_references or []
    return [
        {
            "apiVersion": r.api_version,
            "kind": r.kind,
            "name": r.name,
            "uid": r.uid,
            "controller": r.controller,
            "blockOwnerDeletion": r.block_owner_deletion,
        }
        for r in references
    ]


def _condition(type_: str, **more: str) -> dict[str, str]:
    return {"type": type_, "status": "True", **more}


PATCHES: dict[str, Callable[[Target, dict], None]] = {
    "pod": Target.patch_pod,
    "Job": Target.patch_job,
    "ConfigMap": Target.patch_config_map,
    "FineTuneJob": _patch_finetunejob,
}
OWNERS: dict[str, Callable[[Target], list[dict]]] = {
    "pod": lambda t: _owners(t.workspace.core.read_namespaced_pod(t.pod, t.workspace.namespace)),
    "Job": lambda t: _owners(t.workspace.batch_jobs(t.name)[0]),
    "ConfigMap": lambda t: _owners(t.workspace.core.read_namespaced_config_map(t.run, t.workspace.namespace)),
    "FineTuneJob": lambda t: [],
}
ACTS = (
    Act("a pod with its labels fails", _pod(FAILED)),
    Act("a pod with its labels succeeds", _pod(SUCCEEDED)),
    Act("a pod with its labels and another owner succeeds", _pod(SUCCEEDED, _stranger)),
    Act("a pod with its labels, owned by the FineTuneJob, fails", _pod(FAILED, _finetunejob)),
    Act("a pod with its labels waits", _pod(None)),
    Act("a Job with its labels", _job()),
    Act("a Job with its labels and another owner", _job(_stranger)),
    Act("a Job with its labels that looks like a look-up", _job(**{LABEL_TASK: TASK_LOOKUP})),
    Act("a Job with its labels, owned by the FineTuneJob", _job(_finetunejob)),
    Act("a ConfigMap with its labels", _config_map),
    Act("an odd Event about the pod", _event("Pod", "FailedMount", ODD, FAR)),
    Act("an odd Event about the Job", _event("Job", "FailedCreate", ODD, FAR)),
    Act("a large Event about the pod", _event("Pod", "FailedScheduling", LARGE, LONG_AGO)),
    Act("an Event in the operator's name", _event("FineTuneJob", "RunFailed", "of a stranger", FAR)),
    *(
        Act(f"large annotations of the {kind}", _metadata(patch, annotations={"example.com/note": LARGE}))
        for kind, patch in PATCHES.items()
    ),
    *(
        Act(f"odd annotations of the {kind}", _metadata(patch, annotations={"example.com/note": ODD}))
        for kind, patch in PATCHES.items()
    ),
    *(
        Act(f"a finalizer of others on the {kind}", _metadata(patch, finalizers=["example.com/never"]))
        for kind, patch in PATCHES.items()
    ),
    *(
        Act(f"another owner of the {kind}", _foreign_owner(patch, OWNERS[kind]))
        for kind, patch in PATCHES.items()
    ),
    *(
        Act(f"the Job's annotation {name} is absurd", _metadata(Target.patch_job, annotations={name: value}))
        for name, value in {
            ANNOTATION_GPUS: "-1e400",
            ANNOTATION_OCCASION: ODD,
            ANNOTATION_SUSPENDED: "perhaps",
        }.items()
    ),
    # The annotation records the settings of the pod, so the run continues in a new one.
    Act(
        "the Job's annotation of its settings is absurd",
        _metadata(Target.patch_job, annotations={ANNOTATION_ATTEMPT: LARGE}),
        max_jobs=2,
    ),
    Act("the Job's cause is unknown", _metadata(Target.patch_job, labels={LABEL_CAUSE: "Nobody"})),
    Act("the pod's cause is unknown", _metadata(Target.patch_pod, labels={LABEL_CAUSE: "Nobody"})),
    Act(
        "the FineTuneJob is labelled as its own experiment",
        lambda t: _patch_finetunejob(t, {"metadata": {"labels": {LABEL_EXPERIMENT_OF: t.name}}}),
    ),
    Act("the pod's status is odd", _pod_status(message=ODD, reason=ODD)),
    Act("the pod's status is large", _pod_status(message=LARGE, reason=LARGE)),
    Act("the pod started in the year 9999", _pod_status(startTime=FAR)),
    Act("the pod started in the year 1", _pod_status(startTime=LONG_AGO)),
    Act(
        "conditions of the pod changed in the year 9999",
        _pod_status(conditions=[_condition("Ready", lastTransitionTime=FAR, message=ODD)]),
    ),
    Act("the pod has no address", _pod_status(podIP=None, podIPs=None)),
)


def others_objects(environment: Environment) -> Counts:
    """Beside each running job there are hostile objects, and in another namespace hostile FineTuneJobs."""
    with environment.workspace() as elsewhere:
        accepted = [
            name
            for name, hostile in build_hostile_objects().items()
            if not hostile.invalid and create(elsewhere, hostile, environment.server.folder)
        ]
        counts = hands.while_it_runs(environment, ACTS)
        counts.faults += len(accepted)
        started = states(elsewhere)
        for name in accepted:
            counts.tried += 1
            if started[name] == State.Pending:
                counts.survived += 1
            else:
                counts.stuck += 1
                counts.evidence.append(f"stuck: {name}: {started[name]}")
        elsewhere.kubectl(
            "patch", "ftj", "kopf-finalizer", "--type=merge", '--patch={"metadata":{"finalizers":null}}'
        )
        return counts
