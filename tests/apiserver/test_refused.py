"""The API server refuses a run's Job: that is said, nothing is left behind, and it is not tried for ever."""

from collections.abc import Iterator

import pytest
from kubernetes import client

from finscribe_core.api.conditions import Reason
from tests.apiserver.eventually import eventually
from tests.apiserver.operator_process import OperatorProcess
from tests.apiserver.workspace import Workspace, build_job

POLICY = "no-large-jobs"


@pytest.fixture
def policy(workspace: Workspace, api: client.ApiClient) -> Iterator[None]:
    """An admission policy of the cluster that refuses Jobs with 64Gi of memory."""
    policies = client.AdmissionregistrationV1Api(api)
    rule = {"apiGroups": ["batch"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["jobs"]}
    memory = "object.spec.template.spec.containers[0].resources.limits['memory'] != '64Gi'"
    policies.create_validating_admission_policy(
        {
            "metadata": {"name": POLICY},
            "spec": {
                "failurePolicy": "Fail",
                "matchConstraints": {"resourceRules": [rule]},
                "validations": [{"expression": memory, "message": "use at most 32Gi"}],
            },
        }
    )
    selector = {"matchLabels": {"kubernetes.io/metadata.name": workspace.namespace}}
    policies.create_validating_admission_policy_binding(
        {
            "metadata": {"name": POLICY},
            "spec": {
                "policyName": POLICY,
                "validationActions": ["Deny"],
                "matchResources": {"namespaceSelector": selector},
            },
        }
    )
    eventually(lambda: _is_enforced(workspace), what="the policy is enforced")
    yield
    policies.delete_validating_admission_policy_binding(POLICY)
    policies.delete_validating_admission_policy(POLICY)


def _is_enforced(workspace: Workspace) -> bool:
    container = {"name": "a", "image": "a", "resources": {"limits": {"memory": "64Gi"}}}
    template = {"spec": {"restartPolicy": "Never", "containers": [container]}}
    job = {"metadata": {"name": "probe"}, "spec": {"suspend": True, "template": template}}
    try:
        workspace.batch.create_namespaced_job(workspace.namespace, job, dry_run="All")
    except client.ApiException as error:
        return error.status == 422
    return False


@pytest.mark.usefixtures("policy")
def test_a_job_that_the_api_server_refuses_is_invalid_until_it_changes(
    workspace: Workspace, operator: OperatorProcess
):
    refused = 'finscribe_operator_api_requests_total{code="422",kind="jobs",verb="POST"}'
    before = operator.metric(refused)
    workspace.apply(build_job(resources={"memory": "64Gi"}))

    assert "use at most 32Gi" in workspace.await_condition("Stalled", "True", Reason.InvalidSpec)
    assert workspace.table()[0][0] == "Invalid"
    eventually(lambda: "invoices" not in workspace.kubectl("get", "configmaps", "--output=name"))
    assert operator.metric(refused) - before <= 3

    workspace.change({"spec": {"resources": {"memory": "32Gi"}}})
    workspace.await_pod()
    workspace.await_condition("Stalled", "False")
