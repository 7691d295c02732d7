"""What a pending pod waits for, and which field is to be corrected."""

import pytest

from finscribe_core.api.v1alpha1 import FineTuneJob
from finscribe_operator.objects import Object
from finscribe_operator.waiting import explain_waiting
from finscribe_operator.warning_events import WarningEvent
from tests.unit.operator.builders import NOW, a_job, a_pod, waiting

CREDENTIALS, WANDB = "spec.storage.credentialsSecretRef", "spec.reporting.wandbSecretRef"
HUB = "spec.model.tokenSecretRef"

SECRETS = {
    "the Secret of the storage is missing": ('secret "s3" not found', [CREDENTIALS], "Create the Secret"),
    "the Secret of W&B is missing": ('secret "wandb" not found', [WANDB], "Create the Secret"),
    "a key of the storage is missing": (
        "couldn't find key AWS_SECRET_ACCESS_KEY in Secret team/s3",
        [CREDENTIALS],
        "Add the key AWS_SECRET_ACCESS_KEY",
    ),
    "the key of W&B is missing": (
        "couldn't find key WANDB_API_KEY in Secret team/wandb",
        [WANDB],
        "Add the key WANDB_API_KEY",
    ),
    "the token of the hub is missing": ('secret "hub" not found', [HUB], "Create the Secret"),
    "the key of the hub is missing": (
        "couldn't find key HF_TOKEN in Secret team/hub",
        [HUB],
        "Add the key HF_TOKEN",
    ),
    "another Secret is missing": ('secret "s3-of-a-sidecar" not found', [], "Create the Secret"),
    "it is about no Secret": ("container has runAsNonRoot and image will run as root", [], ""),
}


def explain(status: Object, wandb: str = "wandb") -> tuple[str, str]:
    job = a_job(
        {
            "model": {"source": "hf://owner/name", "tokenSecretRef": {"name": "hub"}},
            "storage": {"credentialsSecretRef": {"name": "s3"}},
            "reporting": {"wandbSecretRef": {"name": wandb}},
            "training": {"reportTo": ["wandb"]},
        }
    )
    return explain_waiting(a_pod("run-1", status), FineTuneJob.model_validate(job).spec)


@pytest.mark.parametrize(("message", "fields", "words"), SECRETS.values(), ids=SECRETS.keys())
def test_the_field_is_named_whose_secret_is_missing(message: str, fields: list[str], words: str):
    _, text = explain(waiting("CreateContainerConfigError", message))

    assert message in text and words in text
    assert [field for field in (CREDENTIALS, HUB, WANDB) if field in text] == fields


def test_of_a_secret_that_two_fields_name_the_missing_key_tells_which():
    missing = waiting("CreateContainerConfigError", 'secret "s3" not found')
    no_key = waiting("CreateContainerConfigError", "couldn't find key WANDB_API_KEY in Secret team/s3")

    assert f"{CREDENTIALS} and {WANDB}" in explain(missing, wandb="s3")[1]
    assert CREDENTIALS not in explain(no_key, wandb="s3")[1]


OVERLAY = FineTuneJob.model_validate(
    a_job(
        {
            "storage": {"caBundle": {"configMapName": "company-ca", "key": "bundle.pem"}},
            "featureCache": {"persistentVolumeClaim": {"name": "features"}},
            "cache": {"persistentVolumeClaim": {"name": "downloads"}},
            "pod": {
                "env": [
                    {"name": "A", "value": "a"},
                    {
                        "name": "HF_ENDPOINT",
                        "valueFrom": {"configMapKeyRef": {"name": "mirrors", "key": "hub"}},
                    },
                    {"name": "HF_TOKEN", "valueFrom": {"secretKeyRef": {"name": "hub", "key": "token"}}},
                ],
                "volumes": [
                    {"name": "data", "persistentVolumeClaim": {"claimName": "hub-cache"}},
                    {"name": "settings", "configMap": {"name": "team"}},
                    {"name": "license", "secret": {"secretName": "license-1"}},
                    {"name": "model", "image": {"reference": "registry.example.org/base:1"}},
                ],
                "volumeMounts": [
                    {"name": name, "mountPath": f"/data/{name}"}
                    for name in ("data", "settings", "license", "model")
                ],
                "schedulerName": "gpu-scheduler",
            },
        }
    )
).spec
MOUNT = "MountVolume.SetUp failed for volume"
CONFIG, IMAGE = "CreateContainerConfigError", "ImagePullBackOff"


@pytest.mark.parametrize(
    ("reason", "message", "remedy"),
    [
        (CONFIG, 'configmap "mirrors" not found', "Create the ConfigMap that spec.pod.env[1] names"),
        (
            CONFIG,
            "couldn't find key hub in ConfigMap team/mirrors",
            "Add the key hub to the ConfigMap that spec.pod.env[1] names",
        ),
        (
            CONFIG,
            "couldn't find key token in Secret team/hub",
            "Add the key token to the Secret that spec.pod.env[2] names",
        ),
        (
            IMAGE,
            'Back-off pulling image "registry.example.org/base:1"',
            "Check spec.pod.volumes[3].image and spec.pod.imagePullSecrets.",
        ),
        (IMAGE, 'Back-off pulling image "trainer:2"', "Check spec.image and spec.pod.imagePullSecrets."),
    ],
)
def test_the_field_is_named_that_a_container_can_not_start_with(reason: str, message: str, remedy: str):
    shown, text = explain_waiting(a_pod("run-1", waiting(reason, message)), OVERLAY)

    assert shown == "ContainerCannotStart"
    assert text.startswith(f"{reason}: {message}") and remedy in text


UNPLACED = {
    "a missing claim": (
        'persistentvolumeclaim "hub-cache" not found',
        "Create the PersistentVolumeClaim that spec.pod.volumes[0] names",
    ),
    "claims without a volume": (
        "pod has unbound immediate PersistentVolumeClaims",
        "spec.cache.persistentVolumeClaim and spec.pod.volumes[0] names",
    ),
    "an affinity": (
        "0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector",
        "Check spec.pod.nodeSelector or affinity.nodeAffinity.",
    ),
    "too few GPUs": ("0/2 nodes are available: 2 Insufficient nvidia.com/gpu", ""),
}


@pytest.mark.parametrize(("message", "remedy"), UNPLACED.values(), ids=UNPLACED.keys())
def test_a_pod_that_no_node_fits_is_shown_with_the_field_to_correct(message: str, remedy: str):
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
    pod = a_pod("run-1", {"phase": "Pending", "conditions": [condition]})

    reason, text = explain_waiting(pod, OVERLAY)

    assert reason == "Unschedulable"
    assert text.startswith(f"No node fits: {message}") and remedy in text
    assert bool(remedy) == ("spec." in text)


def test_the_scheduler_that_a_job_names_is_shown_while_it_says_nothing():
    pod = a_pod("run-1", {"phase": "Pending"}) | {"spec": {}}

    assert "gpu-scheduler (spec.pod.schedulerName)" in explain_waiting(pod, OVERLAY)[1]


@pytest.mark.parametrize(
    ("reason", "message", "remedy"),
    [
        ("FailedCreatePodSandBox", 'no runtime for "nvidia" is configured', "spec.pod.runtimeClassName"),
        (
            "FailedMount",
            f'{MOUNT} "features" : rpc error',
            "Check the PersistentVolumeClaim that spec.featureCache",
        ),
        (
            "FailedMount",
            f'{MOUNT} "downloads" : rpc error',
            "Check the PersistentVolumeClaim that spec.cache",
        ),
        (
            "FailedMount",
            f'{MOUNT} "ca-bundle" : configmap "company-ca" not found',
            "Create the ConfigMap that spec.storage.caBundle names",
        ),
        (
            "FailedMount",
            f'{MOUNT} "ca-bundle" : configmap references non-existent config key: bundle.pem',
            "Add the key bundle.pem to the ConfigMap that spec.storage.caBundle names",
        ),
        (
            "FailedMount",
            f'{MOUNT} "license" : secret "license-1" not found',
            "Create the Secret that spec.pod.volumes[2] names",
        ),
        ("FailedMount", f'{MOUNT} "config" : configmap "run-1" not found', ""),
    ],
)
def test_a_pod_that_its_node_does_not_start_is_shown_with_the_nodes_last_warning(reason, message, remedy):
    pod = a_pod("run-1", waiting("ContainerCreating", ""))
    spec = OVERLAY

    shown, text = explain_waiting(pod, spec, WarningEvent("uid", reason, message, NOW))

    assert shown == "ContainerCreating"
    assert f"{reason}: {message}" in text and remedy in text


def test_a_gated_pod_is_not_called_unschedulable():
    condition = {"type": "PodScheduled", "status": "False", "reason": "SchedulingGated", "message": "gates"}

    reason, text = explain({"phase": "Pending", "conditions": [condition]})

    assert reason == "Pending" and "not released" in text


@pytest.mark.parametrize(
    ("image", "field"),
    [("registry.example/models/a:1", "spec.model.source"), ("finscribe/trainer:9", "spec.image")],
)
def test_the_image_that_cant_be_pulled_is_that_of_the_model_or_of_the_trainer(image: str, field: str):
    job = a_job({"model": {"source": "oci://registry.example/models/a:1"}})
    pod = a_pod("run-1", waiting("ImagePullBackOff", f'Back-off pulling image "{image}": not found'))

    _, text = explain_waiting(pod, FineTuneJob.model_validate(job).spec)

    assert f"Check {field} and spec.pod.imagePullSecrets." in text


@pytest.mark.parametrize(
    ("source", "is_named"), [("oci://registry.example/models/a:1", True), ("s3://models/a", False)]
)
def test_a_runtime_without_image_volumes_is_named_when_the_model_needs_them(source: str, is_named: bool):
    pod = a_pod("run-1", waiting("CreateContainerError", "failed to generate container spec"))

    _, text = explain_waiting(pod, FineTuneJob.model_validate(a_job({"model": {"source": source}})).spec)

    assert ("containerd 2.1" in text) == is_named
