"""Builds objects for the operator's tests, as an API server would return them."""

import json
from typing import Any

from finscribe_core.api.v1alpha1 import FineTuneJobStatus
from finscribe_core.constants import CONTAINER_NAME, EXIT_RETRY, LABEL_JOB, LABEL_RUN
from finscribe_core.errors import FailureReason
from finscribe_core.report import EvaluationReport, Metrics, Outputs, Phase, Progress, RunResult
from finscribe_operator.objects import Object
from finscribe_operator.runs import find_run

NOW = "2026-05-01T12:00:00Z"
EARLIER = "2026-05-01T11:00:00Z"


def a_job(spec: Object | None = None, **rest: Any) -> Object:
    """A FineTuneJob with the required fields, overridden by the top-level fields of `spec`."""
    base: Object = {
        "model": {"source": "hf://PaddlePaddle/PaddleOCR-VL"},
        "dataset": {"train": "s3://docs/train.jsonl"},
        "output": {"uri": "s3://models/invoices"},
    }
    return {
        "apiVersion": "finscribe.io/v1alpha1",
        "kind": "FineTuneJob",
        "metadata": {
            "name": "invoices",
            "namespace": "team",
            "uid": "job-uid",
            "generation": 1,
            "resourceVersion": "1",
            "creationTimestamp": NOW,
        },
        "spec": base | (spec or {}),
        **rest,
    }


def run_name(job: Object) -> str:
    return find_run(job, FineTuneJobStatus())[1].name


def a_batch_job(run: str, status: Object | None = None, spec: Object | None = None) -> Object:
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": run,
            "namespace": "team",
            "uid": f"{run}-uid",
            "resourceVersion": "1",
            "creationTimestamp": EARLIER,
            "labels": {LABEL_JOB: "invoices", LABEL_RUN: run},
            "ownerReferences": [{"uid": "job-uid", "controller": True}],
        },
        "spec": {"suspend": False, "backoffLimit": 3, "parallelism": 1} | (spec or {}),
        "status": {"startTime": EARLIER} | (status or {}),
    }


def ended(type_: str, reason: str = "", failed: int = 0) -> Object:
    """The status of a Job that ended."""
    return {
        "failed": failed,
        "completionTime": NOW,
        "conditions": [
            {"type": type_, "status": "True", "reason": reason, "message": "", "lastTransitionTime": NOW}
        ],
    }


def a_pod(run: str, status: Object | None = None, attempt: int = 0, **metadata: Any) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"{run}-{attempt}",
            "namespace": "team",
            "uid": f"{run}-{attempt}-uid",
            "resourceVersion": "1",
            "creationTimestamp": f"2026-05-01T11:0{attempt}:00Z",
            "labels": {LABEL_JOB: "invoices", LABEL_RUN: run},
            "ownerReferences": [{"uid": f"{run}-uid", "controller": True}],
            **metadata,
        },
        "spec": {
            "nodeName": "node-1",
            "containers": [{"name": CONTAINER_NAME, "resources": {"limits": {"memory": "16Gi"}}}],
        },
        "status": {"phase": "Running", **_container({"running": {}})} | (status or {}),
    }


def waiting(reason: str, message: str) -> Object:
    return {"phase": "Pending", **_container({"waiting": {"reason": reason, "message": message}})}


def failed(exit_code: int, message: str = "", reason: str = "Error") -> Object:
    terminated = {"exitCode": exit_code, "reason": reason, "message": message}
    return {"phase": "Failed", **_container({"terminated": terminated})}


def restarted(times: int, message: str = "", state: Object | None = None) -> Object:
    """The status of a pod whose container has failed, and was started again; or will be: in another state."""
    last = {"terminated": {"exitCode": EXIT_RETRY, "reason": "Error", "message": message}}
    status = _container(state or {"running": {"startedAt": NOW}})
    status["containerStatuses"][0] |= {"restartCount": times, "lastState": last}
    return {"phase": "Running", **status}


def succeeded(message: str = "") -> Object:
    return {"phase": "Succeeded", **_container({"terminated": {"exitCode": 0, "message": message}})}


def a_success(evaluation: EvaluationReport | None = None, under_training: str = "") -> str:
    """The termination message of a run that succeeded."""
    return RunResult(
        succeeded=True,
        stopped_early=True,
        progress=Progress(phase=Phase.Uploading, step=80, total_steps=100, epoch=4.0, percent=80),
        metrics=Metrics(train_loss="0.31", best_eval_loss="0.27"),
        outputs=Outputs(
            uri="s3://models/invoices/runs/x", manifest="s3://models/invoices/runs/x/manifest.json"
        ),
        evaluation=evaluation,
        under_training=under_training,
    ).to_termination_message()


def a_failure(reason: FailureReason, message: str, remedy: str) -> str:
    return RunResult(
        succeeded=False, reason=reason, message=message, remedy=remedy, resumed_from="checkpoint-40"
    ).to_termination_message()


def _container(state: Object) -> Object:
    return {"containerStatuses": [{"name": CONTAINER_NAME, "state": json.loads(json.dumps(state))}]}
