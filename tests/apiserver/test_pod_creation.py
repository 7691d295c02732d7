"""Pods that the API server refuses: the status says why, and what to correct."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from finscribe_core.api.conditions import Reason
from tests.apiserver.eventually import eventually
from tests.apiserver.workspace import Workspace, build_job

pytestmark = pytest.mark.usefixtures("operator")

UNCONFINED = {"container.apparmor.security.beta.kubernetes.io/trainer": "unconfined"}
CAUSES = {
    "a service account that is missing": (
        {"storage": {"serviceAccountName": "missing"}},
        ('serviceaccount "missing" not found', "spec.storage.serviceAccountName"),
    ),
    "a priority class that is missing": (
        {"pod": {"priorityClassName": "missing"}},
        ("no PriorityClass with name missing", "spec.pod.priorityClassName"),
    ),
    "a runtime class that is missing": (
        {"pod": {"runtimeClassName": "missing"}},
        ('RuntimeClass "missing" not found', "spec.pod.runtimeClassName"),
    ),
    "a Pod Security level": ({"pod": {"annotations": UNCONFINED}}, ("violates PodSecurity", "spec.pod")),
}
GPUS = "requests.nvidia.com/gpu"
WEBHOOK: dict[str, Any] = {
    "name": "pods.example.com",
    "clientConfig": {"url": "https://127.0.0.1:1/"},
    "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}],
    "sideEffects": "None",
    "admissionReviewVersions": ["v1"],
}


def set_quota(workspace: Workspace, resource: str, amount: str) -> None:
    """Set a quota and its status, which the API server checks and no controller writes here."""
    spec = {"hard": {resource: amount}}
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "team"}, "spec": spec}
    workspace.kubectl("apply", "--filename=-", stdin=json.dumps(quota))
    status = json.dumps({"status": {**spec, "used": {resource: "0"}}})
    workspace.kubectl("patch", "quota", "team", "--subresource=status", "--type=merge", f"--patch={status}")


def warnings(workspace: Workspace) -> list[str]:
    events = workspace.core.list_namespaced_event(
        workspace.namespace, field_selector=f"involvedObject.name=invoices,reason={Reason.PodCreationFailed}"
    )
    return [event.message for event in events.items]


@pytest.mark.parametrize(("spec", "words"), CAUSES.values(), ids=CAUSES.keys())
def test_the_status_names(spec: dict[str, Any], words: tuple[str, ...], workspace: Workspace):
    level = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "baseline"}}}
    workspace.core.patch_namespace(workspace.namespace, level)
    workspace.apply(build_job(**spec))

    message = workspace.await_condition("Running", "False", Reason.PodCreationFailed)

    assert all(text in message for text in words), message
    workspace.assert_table_is_full()


def test_a_run_without_room_in_a_quota_says_so_once_and_starts_when_there_is_room(workspace: Workspace):
    set_quota(workspace, GPUS, "0")
    workspace.apply(build_job())

    message = workspace.await_condition("Running", "False", Reason.PodCreationFailed)
    assert "exceeded quota: team" in message and "lower spec.resources" in message
    selector = "involvedObject.kind=Job,reason=FailedCreate"
    eventually(
        lambda: (
            len(workspace.core.list_namespaced_event(workspace.namespace, field_selector=selector).items) > 2
        )
    )
    assert warnings(workspace) == [message]

    set_quota(workspace, GPUS, "1")
    workspace.await_pod()
    workspace.await_condition("Running", "False", Reason.Pending)


def test_a_quota_that_asks_for_a_limit_is_met_by_a_limit_range(workspace: Workspace):
    set_quota(workspace, "limits.cpu", "8")
    workspace.apply(build_job())
    message = workspace.await_condition("Running", "False", Reason.PodCreationFailed)
    assert "must specify limits.cpu" in message and "add a LimitRange" in message

    limits = {"limits": [{"type": "Container", "default": {"cpu": "8"}}]}
    workspace.core.create_namespaced_limit_range(
        workspace.namespace, {"metadata": {"name": "defaults"}, "spec": limits}
    )
    workspace.await_pod()


def test_a_pod_that_its_node_does_not_start_is_shown_with_the_nodes_last_warning(workspace: Workspace):
    workspace.apply(build_job())
    pod = workspace.await_pod()
    workspace.kubelet.report_waiting(pod)
    message = 'no runtime for "nvidia" is configured'
    workspace.kubelet.warn(pod, "Unhealthy", "a warning of another kind")
    workspace.kubelet.warn(pod, "FailedCreatePodSandBox", message)

    workspace.await_condition("Running", "False", Reason.ContainerCreating)

    eventually(lambda: f"FailedCreatePodSandBox: {message}" in workspace.condition("Running")[2])


@pytest.fixture
def webhook(workspace: Workspace) -> Iterator[None]:
    """An admission webhook for the pods of this namespace, on which nothing listens."""
    selector = {"matchLabels": {"kubernetes.io/metadata.name": workspace.namespace}}
    manifest = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": workspace.namespace},
        "webhooks": [{**WEBHOOK, "namespaceSelector": selector}],
    }
    workspace.kubectl("apply", "--filename=-", stdin=json.dumps(manifest))
    yield
    workspace.kubectl("delete", "validatingwebhookconfiguration", workspace.namespace)


@pytest.mark.usefixtures("webhook")
def test_an_admission_webhook_that_does_not_answer_is_named(workspace: Workspace):
    workspace.apply(build_job())

    message = workspace.await_condition("Running", "False", Reason.PodCreationFailed)

    assert 'failed calling webhook "pods.example.com"' in message and "Service and pods" in message
