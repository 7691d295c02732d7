"""Jobs and pods as an API server sends them."""

from typing import Any

from finscribe_client.jobs import Job
from finscribe_client.pods import Pod
from finscribe_core.api.conditions import Condition
from finscribe_core.api.v1alpha1 import FineTuneJobStatus

SPEC = {
    "model": {"source": "hf://PaddlePaddle/PaddleOCR-VL"},
    "dataset": {"train": "s3://team-docs/invoices/train.jsonl"},
    "output": {"uri": "s3://team-models/invoices"},
}


def build_job(name: str = "invoices", generation: int = 1, **status: Any) -> Job:
    """A job of which the operator has read generation 1; keyword arguments are parts of its status."""
    metadata = {"name": name, "namespace": "team", "generation": generation, "resourceVersion": "1"}
    full = FineTuneJobStatus(observed_generation=1, **status).to_kubernetes()
    return Job({"metadata": metadata, "spec": SPEC, "status": full})


def build_condition(type_: str, status: str, reason: str, message: str = "") -> Condition:
    return Condition(type=type_, status=status, reason=reason, message=message, last_transition_time="")


def build_pod(name: str, node: int | None = None, phase: str = "Running", **status: Any) -> Pod:
    labels = {} if node is None else {"batch.kubernetes.io/job-completion-index": str(node)}
    return Pod({"metadata": {"name": name, "labels": labels}, "status": {"phase": phase, **status}})
