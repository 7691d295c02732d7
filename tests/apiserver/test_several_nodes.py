"""A run with two pods, whose Job and Service are those of a real control plane."""

import pytest

from finscribe_core.api.conditions import Reason
from finscribe_core.constants import EXIT_PEER_LOST, EXIT_RETRY, LABEL_NODE_RANK
from finscribe_core.report import Outputs, RunResult
from tests.apiserver.eventually import eventually
from tests.apiserver.workspace import Workspace, build_job

pytestmark = pytest.mark.usefixtures("operator")

SUCCESS = RunResult(succeeded=True, message="Done.", outputs=Outputs(uri="s3://models/invoices/runs/x"))
KILLED = 137


def await_pods(workspace: Workspace, other_than: tuple[str, ...] = ()) -> tuple[str, str]:
    """The names of the two pods, by their numbers, once both exist."""

    def found() -> tuple[str, str] | None:
        by_rank = {
            pod.metadata.labels[LABEL_NODE_RANK]: pod.metadata.name
            for pod in workspace.pods()
            if pod.metadata.name not in other_than
        }
        return (by_rank["0"], by_rank["1"]) if len(by_rank) == 2 else None

    return eventually(found, within=90)


def failed_attempts(workspace: Workspace) -> int:
    run = workspace.status().run
    assert run is not None
    return run.failed_attempts


def test_two_pods_find_each_other_and_restart_together_which_counts_once(workspace: Workspace):
    workspace.apply(build_job(backoffLimit=1, resources={"nodes": 2}))
    first = await_pods(workspace)
    (job,) = workspace.batch_jobs()
    run = job.metadata.name
    service = workspace.core.read_namespaced_service(run, workspace.namespace)
    pods = {pod.metadata.name: pod for pod in workspace.pods()}
    assert [pods[name].spec.hostname for name in first] == [f"{run}-0", f"{run}-1"]
    assert {pods[name].spec.subdomain for name in first} == {service.metadata.name}
    assert service.spec.selector.items() <= pods[first[0]].metadata.labels.items()
    address = {v.name: v.value for v in pods[first[1]].spec.containers[0].env}["PET_MASTER_ADDR"]
    assert address == f"{run}-0.{run}.{workspace.namespace}.svc"

    workspace.kubelet.report_running(first[0])
    workspace.kubelet.report_waiting(first[1], "ErrImagePull", "not found")
    message = workspace.await_condition("Running", "False", Reason.ContainerCannotStart)
    assert first[1] in message

    workspace.kubelet.report_running(first[1])
    workspace.kubelet.report_failed(first[1], KILLED, reason="OOMKilled")
    workspace.kubelet.report_failed(first[0], EXIT_PEER_LOST)
    second = await_pods(workspace, other_than=first)
    eventually(lambda: failed_attempts(workspace) == 1)

    for name in second:
        workspace.kubelet.report_running(name)
    workspace.kubelet.report_disrupted(second[1], EXIT_RETRY, "EvictionByEvictionAPI", "drained")
    workspace.kubelet.report_failed(second[0], EXIT_PEER_LOST)
    third = await_pods(workspace, other_than=(*first, *second))
    assert failed_attempts(workspace) == 1

    for name in third:
        workspace.kubelet.report_running(name)
    workspace.kubelet.report_succeeded(third[0], SUCCESS)
    eventually(lambda: third[1] not in [pod.metadata.name for pod in workspace.pods()])  # it is ended
    workspace.kubelet.remove(third[1])
    workspace.await_condition("Complete", "True")
    assert workspace.status().run.outputs.uri == "s3://models/invoices/runs/x"


def test_a_run_that_is_replaced_takes_its_service_with_it(workspace: Workspace):
    workspace.apply(build_job(resources={"nodes": 2}))
    await_pods(workspace)
    (job,) = workspace.batch_jobs()
    run = job.metadata.name

    workspace.change({"spec": {"resources": {"nodes": None}}})

    def names() -> set[str]:
        services = workspace.core.list_namespaced_service(workspace.namespace).items
        return {service.metadata.name for service in services}

    eventually(lambda: run not in names())
