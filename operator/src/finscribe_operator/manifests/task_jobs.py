"""Builds the Jobs that train nothing and need no GPU, from a run's own Job.

One looks in the bucket for the result of a run and makes latest.json name it, the other checks whether the
training data have changed.
"""

from typing import Any

from finscribe_core.api.v1alpha1 import FineTuneJob
from finscribe_core.constants import ENV_IMAGE_MOUNTS, LABEL_RUN, LABEL_TASK, TASK_DATA_CHECK, TASK_LOOKUP
from finscribe_operator.config import OperatorConfig
from finscribe_operator.field_changes import hash_value
from finscribe_operator.manifests.job import build_job
from finscribe_operator.objects import Object

DEADLINE_SECONDS = 600
"""After this time the task has failed."""
RESOURCES = {
    "requests": {"cpu": "500m", "memory": "2Gi", "ephemeral-storage": "1Gi"},
    "limits": {"memory": "2Gi", "ephemeral-storage": "1Gi"},
}
_FOR_TRAINING = (
    *("nodeSelector", "tolerations", "runtimeClassName"),
    *("affinity", "topologySpreadConstraints", "schedulerName"),
)
"""Parts of the pod that select nodes with GPUs."""
_BULK = ("persistentVolumeClaim", "image")
"""Kinds of volumes that may tie a pod to a node or take long to pull; they hold data for training."""


def lookup_name(run: str) -> str:
    """The Job's name, as long as the run's.

    >>> lookup_name("invoices-0123abcd")
    'invoices-r0123abc'
    """
    return f"{run[:-8]}r{run[-8:-1]}"


def data_check_name(run: str, checks: int) -> str:
    """The name of the next Job that checks the training data; `checks` is the number of checks before it.

    >>> data_check_name("invoices-0123abcd", 3)
    'invoices-d4e07a0f'
    """
    return f"{run[:-8]}d{hash_value([run, checks])[:7]}"


def build_lookup_job(job: FineTuneJob, run: str, config: OperatorConfig) -> Object:
    """The Job that looks for the result of a run."""
    return _build_task_job(job, run, lookup_name(run), TASK_LOOKUP, ["--published-only"], config)


def build_data_check_job(
    job: FineTuneJob, run: str, checks: int, fingerprint: str, config: OperatorConfig
) -> Object:
    """The Job that checks the training data.

    Args:
        job: the FineTuneJob.
        run: its last run.
        checks: number of checks before this one.
        fingerprint: of the data of the last run, whose rows are not counted again; empty when not known.
        config: the operator's configuration.
    """
    args = ["--data-state", *(["--known", fingerprint] if fingerprint else [])]
    return _build_task_job(job, run, data_check_name(run, checks), TASK_DATA_CHECK, args, config)


def _build_task_job(
    job: FineTuneJob, run: str, name: str, task: str, args: list[str], config: OperatorConfig
) -> Object:
    """The Job. It mounts the run's ConfigMap, and has a run label of its own: it is none of its attempts."""
    manifest = build_job(_on_one_node(job), run, config)
    labels = {LABEL_RUN: name, LABEL_TASK: task}
    manifest["metadata"] = {
        **{key: value for key, value in manifest["metadata"].items() if key != "annotations"},
        "name": name,
        "labels": {**manifest["metadata"]["labels"], **labels},
    }
    template = manifest["spec"]["template"]
    template["metadata"]["labels"] = {**template["metadata"]["labels"], **labels}
    template["spec"] = _without_gpu(template["spec"], args)
    manifest["spec"] |= {"suspend": False, "backoffLimit": 2, "activeDeadlineSeconds": DEADLINE_SECONDS}
    return manifest


def _on_one_node(job: FineTuneJob) -> FineTuneJob:
    resources = job.spec.resources.model_copy(update={"nodes": None})
    return job.model_copy(update={"spec": job.spec.model_copy(update={"resources": resources})})


def _without_gpu(spec: dict[str, Any], task_args: list[str]) -> dict[str, Any]:
    (container,) = spec["containers"]
    args = container["args"][:3]  # without the number of processes
    volumes = [volume for volume in spec["volumes"] if not any(kind in volume for kind in _BULK)]
    names = {volume["name"] for volume in volumes}
    mounts = [mount for mount in container["volumeMounts"] if mount["name"] in names]
    container = {
        **{key: value for key, value in container.items() if key != "livenessProbe"},
        "args": [*args, *task_args],
        "resources": RESOURCES,
        "env": [variable for variable in container["env"] if variable["name"] != ENV_IMAGE_MOUNTS],
        "volumeMounts": mounts,
    }
    kept = {key: value for key, value in spec.items() if key not in _FOR_TRAINING}
    return {**kept, "containers": [container], "volumes": volumes}
