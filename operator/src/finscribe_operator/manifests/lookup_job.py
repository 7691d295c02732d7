"""Builds the Job that looks in the bucket for a run's result, and makes latest.json name it; without GPU."""

from typing import Any

from finscribe_core.api.v1alpha1 import FineTuneJob
from finscribe_core.constants import LABEL_RUN, LABEL_TASK, TASK_LOOKUP
from finscribe_operator.config import OperatorConfig
from finscribe_operator.manifests.job import build_job
from finscribe_operator.objects import Object

DEADLINE_SECONDS = 600
"""After this time the result counts as missing."""
RESOURCES = {
    "requests": {"cpu": "500m", "memory": "2Gi", "ephemeral-storage": "1Gi"},
    "limits": {"memory": "2Gi", "ephemeral-storage": "1Gi"},
}
_FOR_TRAINING = ("nodeSelector", "tolerations", "runtimeClassName")
"""Parts of the pod that select nodes with GPUs."""


def lookup_name(run: str) -> str:
    """The Job's name, as long as the run's.

    >>> lookup_name("invoices-0123abcd")
    'invoices-r0123abc'
    """
    return f"{run[:-8]}r{run[-8:-1]}"


def build_lookup_job(job: FineTuneJob, run: str, config: OperatorConfig) -> Object:
    """The Job. It mounts the run's ConfigMap, and has a run label of its own: it is none of its attempts."""
    manifest = build_job(job, run, config)
    name = lookup_name(run)
    labels = {LABEL_RUN: name, LABEL_TASK: TASK_LOOKUP}
    manifest["metadata"] = {
        **{key: value for key, value in manifest["metadata"].items() if key != "annotations"},
        "name": name,
        "labels": {**manifest["metadata"]["labels"], **labels},
    }
    template = manifest["spec"]["template"]
    template["metadata"]["labels"] = {**template["metadata"]["labels"], **labels}
    template["spec"] = _without_gpu(template["spec"])
    manifest["spec"] |= {"suspend": False, "backoffLimit": 2, "activeDeadlineSeconds": DEADLINE_SECONDS}
    return manifest


def _without_gpu(spec: dict[str, Any]) -> dict[str, Any]:
    (container,) = spec["containers"]
    args = container["args"][:3]  # without the number of processes
    mounts = [mount for mount in container["volumeMounts"] if mount["name"] != "features"]
    container = {
        **{key: value for key, value in container.items() if key != "livenessProbe"},
        "args": [*args, "--published-only"],
        "resources": RESOURCES,
        "volumeMounts": mounts,
    }
    kept = {key: value for key, value in spec.items() if key not in _FOR_TRAINING}
    volumes = [volume for volume in spec["volumes"] if volume["name"] != "features"]
    return {**kept, "containers": [container], "volumes": volumes}
