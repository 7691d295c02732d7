"""Two jobs that write to the same prefix: the second one is told."""

import re

from kubernetes import client

from finscribe_operator.clock import utc_now
from tests.apiserver.eventually import eventually
from tests.apiserver.operator_process import OperatorProcess
from tests.apiserver.workspace import Workspace, build_job, open_workspace
from tools.kube.apiserver import ApiServer

OUTPUT = {"uri": "s3://team-models/shared-by-two-jobs"}


def test_the_younger_of_two_jobs_with_one_output_is_told_and_runs(
    server: ApiServer, api: client.ApiClient, workspace: Workspace, operator: OperatorProcess
):
    workspace.apply(build_job("first", output=OUTPUT))
    workspace.await_pod("first")
    workspace.apply(build_job("second", output={"uri": f"{OUTPUT['uri']}/"}))
    workspace.await_pod("second")

    assert "the older job first" in workspace.await_condition("Accepted", "True", name="second")
    told = workspace.condition("Accepted", "first")[2]
    assert re.fullmatch(r"The spec is valid. It trains for .* rows per step, on .*\.", told)
    reasons = "--output=jsonpath={.items[*].reason}"
    eventually(lambda: workspace.kubectl("get", "events", reasons).split().count("OutputShared") == 1)

    created = workspace.job("first")["metadata"]["creationTimestamp"]
    eventually(lambda: utc_now() > created)  # times of creation are whole seconds
    with open_workspace(server, api) as other:
        other.apply(build_job("third", output=OUTPUT))
        other.await_pod("third")
        message = other.await_condition("Accepted", "True", name="third")
        assert "a job in another namespace" in message and "first" not in message

    workspace.delete("first")
    eventually(lambda: [job["metadata"]["name"] for job in workspace.jobs()] == ["second"])
    workspace.change({"spec": {"backoffLimit": 1}}, "second")
    eventually(lambda: workspace.condition("Accepted", "second")[2] == told)
