"""Builds the batch/v1 Job of a run: its attempts, and which failures count against the backoff limit."""

from typing import Any

from finscribe_core.api.retraining import RunCause
from finscribe_core.api.v1alpha1 import FineTuneJob, FineTuneJobSpec
from finscribe_core.constants import (
    ANNOTATION_ATTEMPT,
    ANNOTATION_GPUS,
    ANNOTATION_OCCASION,
    ANNOTATION_SUSPENDED,
    CONTAINER_NAME,
    EXIT_PEER_LOST,
    EXIT_RETRY,
    EXIT_USER_ERROR,
    LABEL_CAUSE,
    LABEL_QUEUE,
    LABEL_QUEUE_PRIORITY,
)
from finscribe_operator.config import OperatorConfig
from finscribe_operator.field_changes import Change, hash_settings
from finscribe_operator.manifests.metadata import build_metadata
from finscribe_operator.manifests.pod import build_pod_template
from finscribe_operator.objects import Object

_RESTARTED_IN_PLACE = {
    "restartPolicy": "Never",
    "restartPolicyRules": [
        {"action": "Restart", "exitCodes": {"operator": "In", "values": [EXIT_RETRY]}},
    ],
}
"""Fields of the trainer's container: after a transient error the kubelet starts it again in the same pod,
which keeps its node, its GPUs and its scratch volume."""


def build_job(
    job: FineTuneJob,
    run: str,
    config: OperatorConfig,
    cause: RunCause = RunCause.Created,
    occasion: str = "",
    knows_restart_rules: bool = False,
) -> Object:
    """The Job. Its pod template is immutable; the fields of `build_mutable_fields` are not."""
    metadata = build_metadata(job, run)
    template = build_pod_template(job, run, config, cause)
    if knows_restart_rules and job.spec.resources.num_nodes == 1 and job.spec.backoff_limit > 0:
        template["spec"]["containers"][0] |= _RESTARTED_IN_PLACE
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            **metadata,
            "labels": {**metadata["labels"], LABEL_CAUSE: str(cause), **_build_queue_labels(job.spec)},
            "annotations": _build_annotations(job.spec, occasion),
        },
        "spec": {
            "suspend": job.spec.suspend or job.spec.queue_name is not None,
            **{name: value for name, value in build_mutable_fields(job.spec).items() if value is not None},
            **_build_group(job.spec.resources.num_nodes),
            # A new pod waits until the last one has ended: two must never write the same checkpoints.
            "podReplacementPolicy": "Failed",
            "podFailurePolicy": {"rules": _failure_rules(job.spec.resources.num_nodes)},
            "template": template,
        },
    }


def build_mutable_fields(spec: FineTuneJobSpec) -> dict[str, Any]:
    """The Job's fields that may change during the run, as a merge patch: None means absent.

    `suspend` is not among them, as other controllers set it, too.
    """
    return {
        "backoffLimit": spec.backoff_limit,
        "activeDeadlineSeconds": spec.active_deadline_seconds,
        "parallelism": spec.resources.num_nodes,
    }


def _build_group(nodes: int) -> Object:
    """How many pods have to succeed. Of several the first one, which alone publishes the result."""
    if nodes == 1:
        return {"completions": 1}
    return {
        "completions": nodes,
        "completionMode": "Indexed",
        "successPolicy": {"rules": [{"succeededIndexes": "0"}]},
    }


def _build_annotations(spec: FineTuneJobSpec, occasion: str) -> dict[str, str]:
    """The settings that the Job was created with, what for, and whether the operator has suspended it."""
    return {
        ANNOTATION_ATTEMPT: hash_settings(spec, Change.NewAttempt),
        ANNOTATION_GPUS: str(spec.resources.total_gpus),
        **({ANNOTATION_OCCASION: occasion} if occasion else {}),
        **({ANNOTATION_SUSPENDED: "true"} if spec.suspend else {}),
    }


def _build_queue_labels(spec: FineTuneJobSpec) -> dict[str, str]:
    """The labels by which Kueue takes the Job into a queue, with its pods."""
    labels = {LABEL_QUEUE: spec.queue_name, LABEL_QUEUE_PRIORITY: spec.queue_priority_class}
    return {name: value for name, value in labels.items() if value is not None}


def build_suspend_patch(suspended: bool) -> Object:
    """Merge patch that suspends or resumes a Job."""
    annotation = "true" if suspended else None
    return {
        "metadata": {"annotations": {ANNOTATION_SUSPENDED: annotation}},
        "spec": {"suspend": suspended},
    }


def _failure_rules(nodes: int) -> list[Object]:
    """A user error fails the Job at once; evictions, preemptions and node drains do not count as failures.

    Neither do the ends of pods that have only lost another one: the restart of all counts once.
    """
    return [
        _rule("FailJob", EXIT_USER_ERROR),
        *([_rule("Ignore", EXIT_PEER_LOST)] if nodes > 1 else []),
        {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
    ]


def _rule(action: str, exit_code: int) -> Object:
    codes = {"containerName": CONTAINER_NAME, "operator": "In", "values": [exit_code]}
    return {"action": action, "onExitCodes": codes}
