"""Builds the pod template of a run, which the Pod Security level `restricted` admits."""

import math
from collections.abc import Sequence
from typing import Any

from finscribe_core.api.base import CpuQuantity, count_cpus
from finscribe_core.api.pod import PodSpec, ResourcesSpec
from finscribe_core.api.references import SecretReference
from finscribe_core.api.retraining import RunCause
from finscribe_core.api.v1alpha1 import FineTuneJob, FineTuneJobSpec
from finscribe_core.constants import (
    CA_DIR,
    CA_FILE,
    CONFIG_DIR,
    CONFIG_FILE,
    CONTAINER_NAME,
    DOWNLOAD_CACHE_DIR,
    ENV_CA_BUNDLE,
    ENV_CAUSE,
    ENV_HTTP_PORT,
    ENV_IMAGE_MOUNTS,
    ENV_JOB,
    ENV_LOG_FORMAT,
    ENV_MASTER_ADDRESS,
    ENV_MASTER_PORT,
    ENV_NAMESPACE,
    ENV_NODE_RANK,
    ENV_NODES,
    ENV_PROCESSES_PER_NODE,
    ENV_RUN,
    ENV_TERMINATION_LOG,
    ENV_TRAINING_HASH,
    FEATURE_CACHE_DIR,
    HTTP_PORT,
    HTTP_PORT_NAME,
    HUB_KEYS_REQUIRED,
    LABEL_CAUSE,
    LABEL_NODE_RANK,
    MASTER_PORT,
    MODEL_DIR,
    MODEL_VOLUME,
    OCI_SCHEME,
    SECRET_KEYS_OPTIONAL,
    SECRET_KEYS_REQUIRED,
    TERMINATION_LOG,
    WANDB_KEYS_OPTIONAL,
    WANDB_KEYS_REQUIRED,
    WORK_DIR,
)
from finscribe_operator.config import OperatorConfig
from finscribe_operator.field_changes import Change, hash_settings
from finscribe_operator.manifests.metadata import build_labels
from finscribe_operator.manifests.service import first_pod_address
from finscribe_operator.objects import Object

GRACE_SECONDS = 120
"""Seconds between SIGTERM and SIGKILL, in which the trainer saves and uploads a checkpoint, unless
`pod.terminationGracePeriodSeconds` is set."""
USER_ID = 65532
"""The user `nonroot` of the images."""
TMP_DIR = "/tmp"  # noqa: S108 - a volume of the pod's own
TMP_SIZE = "4Gi"
"""Size limit of /tmp, which holds compiled kernels."""


def build_pod_template(
    job: FineTuneJob, run: str, config: OperatorConfig, cause: RunCause = RunCause.Created
) -> Object:
    """The template. The operator's labels override the job's, because children are selected by them."""
    spec: dict[str, Any] = {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": job.spec.pod.termination_grace_period_seconds or GRACE_SECONDS,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": _build_security_context(config),
        "containers": [_build_container(job, run, config, cause)],
        "volumes": _build_volumes(job, run),
    }
    if job.spec.resources.num_nodes > 1:
        spec["subdomain"] = run
    if job.spec.storage.service_account_name:
        spec["serviceAccountName"] = job.spec.storage.service_account_name
    labels = {**job.spec.pod.labels, **build_labels(job, run), LABEL_CAUSE: str(cause)}
    metadata: dict[str, Any] = {"labels": labels}
    if job.spec.pod.annotations:
        metadata["annotations"] = job.spec.pod.annotations
    return {"metadata": metadata, "spec": spec | _build_overrides(job.spec.pod)}


def _build_security_context(config: OperatorConfig) -> Object:
    """Without `fixed_user_id` the platform chooses user and group, which may write the volumes."""
    context: Object = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    if config.fixed_user_id:
        context |= {"runAsUser": USER_ID, "runAsGroup": USER_ID, "fsGroup": USER_ID}
    # Otherwise the kubelet changes the group of every file of a shared feature cache at each start.
    return context | {"fsGroupChangePolicy": "OnRootMismatch"}


def _build_container(job: FineTuneJob, run: str, config: OperatorConfig, cause: RunCause) -> Object:
    """The container. It has no readiness probe, as nothing depends on its readiness."""
    return {
        "name": CONTAINER_NAME,
        "image": job.spec.image or config.trainer_image,
        "imagePullPolicy": job.spec.pod.image_pull_policy or config.image_pull_policy,
        "args": _build_args(job.spec.resources.gpus),
        "env": _build_env(job, run, cause),
        "ports": [{"name": HTTP_PORT_NAME, "containerPort": HTTP_PORT, "protocol": "TCP"}],
        "livenessProbe": _build_liveness_probe(),
        "resources": _build_resources(job.spec.resources),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        },
        "terminationMessagePath": TERMINATION_LOG,
        # If a trainer is killed before it writes its RunResult, the kubelet takes its last log lines.
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": _build_mounts(job.spec),
    }


def _build_args(gpus: int) -> list[str]:
    """The trainer's arguments, with one process per GPU."""
    args = ["train", "--config", f"{CONFIG_DIR}/{CONFIG_FILE}"]
    return [*args, "--nproc-per-node", str(gpus)] if gpus > 1 else args


def _build_liveness_probe() -> Object:
    """The trainer answers 503 when a step hangs (`training.stepTimeoutSeconds`).

    It may also be too busy to answer, as loading a model blocks the interpreter for minutes: only ten minutes
    without a successful probe end the container. The Job then starts a new pod, which resumes from the last
    checkpoint.
    """
    return {
        "httpGet": {"path": "/healthz", "port": HTTP_PORT_NAME},
        "initialDelaySeconds": 60,
        "periodSeconds": 60,
        "timeoutSeconds": 30,
        "failureThreshold": 10,
    }


def _build_env(job: FineTuneJob, run: str, cause: RunCause) -> list[Object]:
    values = {
        ENV_JOB: job.metadata.name,
        ENV_NAMESPACE: job.metadata.namespace,
        ENV_RUN: run,
        ENV_CAUSE: str(cause),
        ENV_TRAINING_HASH: hash_settings(job.spec, Change.NewRun),
        ENV_HTTP_PORT: str(HTTP_PORT),
        ENV_TERMINATION_LOG: TERMINATION_LOG,
        ENV_LOG_FORMAT: "json",
        # The root file system is read-only: every cache must be on the scratch volume.
        "HOME": WORK_DIR,
        "HF_HOME": f"{WORK_DIR}/huggingface",
        "TMPDIR": TMP_DIR,
        # Otherwise there is a thread for every core of the node, and they wait for each other in busy loops.
        "OMP_NUM_THREADS": str(_whole_cpus(job.spec.resources.cpu)),
    }
    env: list[Object] = [{"name": name, "value": value} for name, value in values.items()]
    if job.spec.resources.num_nodes > 1:
        env += _build_node_env(job, run)
    if secret := job.spec.storage.credentials_secret_ref:
        env += _from_secret(secret, SECRET_KEYS_REQUIRED, SECRET_KEYS_OPTIONAL)
    if secret := job.spec.model.token_secret_ref:
        env += _from_secret(secret, HUB_KEYS_REQUIRED, ())
    if secret := job.spec.reporting.wandb_secret_ref:
        env += _from_secret(secret, WANDB_KEYS_REQUIRED, WANDB_KEYS_OPTIONAL)
    if job.spec.storage.ca_bundle:
        env.append({"name": ENV_CA_BUNDLE, "value": f"{CA_DIR}/{CA_FILE}"})
    if paths := _find_image_mounts(job.spec.pod):
        env.append({"name": ENV_IMAGE_MOUNTS, "value": ":".join(paths)})
    return env + [variable.to_kubernetes() for variable in job.spec.pod.env or []]


def _build_node_env(job: FineTuneJob, run: str) -> list[Object]:
    """The pod's place among those of the run, in the variables of torchrun."""
    values = {
        ENV_NODES: str(job.spec.resources.num_nodes),
        ENV_PROCESSES_PER_NODE: str(max(1, job.spec.resources.gpus)),
        ENV_MASTER_ADDRESS: first_pod_address(job, run),
        ENV_MASTER_PORT: str(MASTER_PORT),
    }
    rank = {"fieldRef": {"fieldPath": f"metadata.annotations['{LABEL_NODE_RANK}']"}}
    return [
        *({"name": name, "value": value} for name, value in values.items()),
        {"name": ENV_NODE_RANK, "valueFrom": rank},
    ]


def _find_image_mounts(pod: PodSpec) -> list[str]:
    """Paths of mounted images: an API server without image volumes drops them, which only the pod can see."""
    images = {volume.name for volume in pod.volumes or [] if volume.image}
    return [mount.mount_path for mount in pod.volume_mounts or [] if mount.name in images]


def _from_secret(secret: SecretReference, required: Sequence[str], optional: Sequence[str]) -> list[Object]:
    """Environment variables that the kubelet takes from a Secret, each named like its key."""
    return [
        {
            "name": key,
            "valueFrom": {"secretKeyRef": {"name": secret.name, "key": key, "optional": key in optional}},
        }
        for key in (*required, *optional)
    ]


def _whole_cpus(quantity: CpuQuantity) -> int:
    """CPUs, at least one, rounded up.

    >>> [_whole_cpus(q) for q in ("4", "2.5", "500m", "2500m")]
    [4, 3, 1, 3]
    """
    return max(1, math.ceil(count_cpus(quantity)))


def _build_resources(resources: ResourcesSpec) -> Object:
    requests = {
        "cpu": resources.cpu,
        "memory": resources.memory,
        "ephemeral-storage": resources.scratch,
    }
    # Local storage is the scratch volume, /tmp and the log: a pod that exceeds it is evicted, no other one.
    limits = {"memory": resources.memory, "ephemeral-storage": resources.scratch}
    # An extended resource's request must equal its limit.
    extended = {name: str(number) for name, number in resources.extended.items()}
    if resources.gpus:
        extended[resources.gpu_resource_name] = str(resources.gpus)
    return {"requests": requests | extended, "limits": limits | extended}


def _build_volumes(job: FineTuneJob, run: str) -> list[Object]:
    volumes: list[Object] = [
        {"name": "config", "configMap": {"name": run}},
        {"name": "work", "emptyDir": {"sizeLimit": job.spec.resources.scratch}},
        {"name": "tmp", "emptyDir": {"sizeLimit": TMP_SIZE}},
        # Data loader workers pass batches in shared memory; the runtime's default of 64 MiB is too little.
        {"name": "shm", "emptyDir": {"medium": "Memory"}},
    ]
    if claim := job.spec.feature_cache.persistent_volume_claim:
        volumes.append({"name": "features", "persistentVolumeClaim": {"claimName": claim.name}})
    if cache := job.spec.cache:
        claim = cache.persistent_volume_claim
        volumes.append({"name": "downloads", "persistentVolumeClaim": {"claimName": claim.name}})
    if (source := job.spec.model.source).startswith(OCI_SCHEME):
        volumes.append({"name": MODEL_VOLUME, "image": {"reference": source.removeprefix(OCI_SCHEME)}})
    if bundle := job.spec.storage.ca_bundle:
        items = [{"key": bundle.key, "path": CA_FILE}]
        volumes.append({"name": "ca-bundle", "configMap": {"name": bundle.config_map_name, "items": items}})
    return volumes + [volume.to_kubernetes() for volume in job.spec.pod.volumes or []]


def _build_mounts(spec: FineTuneJobSpec) -> list[Object]:
    mounts: list[Object] = [
        {"name": "config", "mountPath": CONFIG_DIR, "readOnly": True},
        {"name": "work", "mountPath": WORK_DIR},
        {"name": "tmp", "mountPath": TMP_DIR},
        {"name": "shm", "mountPath": "/dev/shm"},  # noqa: S108 - a volume of the pod's own
    ]
    if spec.feature_cache.persistent_volume_claim:
        mounts.append({"name": "features", "mountPath": FEATURE_CACHE_DIR})
    if spec.cache:
        mounts.append({"name": "downloads", "mountPath": DOWNLOAD_CACHE_DIR})
    if spec.model.source.startswith(OCI_SCHEME):
        mounts.append({"name": MODEL_VOLUME, "mountPath": MODEL_DIR, "readOnly": True})
    if spec.storage.ca_bundle:
        mounts.append({"name": "ca-bundle", "mountPath": CA_DIR, "readOnly": True})
    return mounts + [mount.to_kubernetes() for mount in spec.pod.volume_mounts or []]


def _build_overrides(pod: PodSpec) -> Object:
    overrides: dict[str, Any] = {
        "nodeSelector": pod.node_selector,
        "tolerations": [toleration.to_kubernetes() for toleration in pod.tolerations],
        "priorityClassName": pod.priority_class_name,
        "runtimeClassName": pod.runtime_class_name,
        "imagePullSecrets": [secret.to_kubernetes() for secret in pod.image_pull_secrets],
        "affinity": pod.affinity and pod.affinity.to_kubernetes(),
        "topologySpreadConstraints": [
            spread.to_kubernetes() for spread in pod.topology_spread_constraints or []
        ],
        "schedulerName": pod.scheduler_name,
        "hostAliases": [alias.to_kubernetes() for alias in pod.host_aliases or []],
        "dnsPolicy": pod.dns_policy,
        "dnsConfig": pod.dns_config and pod.dns_config.to_kubernetes(),
    }
    return {name: value for name, value in overrides.items() if value}
