"""What an ended run leaves is deleted after `ttlSecondsAfterFinished`, and not made again."""

from pathlib import Path

import pytest
from kubernetes.aio.config import new_client_from_config

from finscribe_core.constants import EXIT_USER_ERROR, LABEL_JOB
from finscribe_core.report import RunResult
from finscribe_operator.cluster import ConflictError
from finscribe_operator.kubernetes_cluster import KubernetesCluster
from finscribe_operator.leadership import Leadership
from finscribe_operator.metrics import Metrics
from finscribe_operator.objects import Ref
from finscribe_operator.store import Store
from tests.apiserver.eventually import eventually
from tests.apiserver.operator_process import OperatorProcess
from tests.apiserver.workspace import Workspace, build_job

SECONDS = 3

pytestmark = pytest.mark.usefixtures("operator")


def children(workspace: Workspace) -> list[str]:
    kinds = ("jobs", "pods", "configmaps")
    selector = f"--selector={LABEL_JOB}=invoices"
    return workspace.kubectl("get", ",".join(kinds), selector, "--output=name").split()


def succeed(workspace: Workspace, other_than: str = "") -> str:
    pod = workspace.await_pod(other_than=other_than)
    workspace.kubelet.report_succeeded(pod, RunResult(succeeded=True))
    workspace.await_condition("Complete", "True")
    return pod


def await_reconciliation(workspace: Workspace) -> None:
    generation = workspace.job()["metadata"]["generation"]
    eventually(lambda: workspace.status().observed_generation == generation)


def test_the_children_of_all_runs_are_deleted_and_no_later_change_makes_them_again(
    workspace: Workspace, operator: OperatorProcess
):
    workspace.apply(build_job())
    pod = succeed(workspace)
    workspace.change({"spec": {"lora": {"r": 8}}})
    workspace.await_condition("Complete", "False")
    succeed(workspace, other_than=pod)
    assert len(children(workspace)) == 6

    workspace.change({"spec": {"ttlSecondsAfterFinished": SECONDS}})

    eventually(lambda: children(workspace) == [])
    status = workspace.status()
    assert (status.summary.state, len(status.runs)) == ("Complete", 1)
    workspace.change(
        {"spec": {"backoffLimit": 5, "suspend": True}, "metadata": {"labels": {"team": "documents"}}}
    )
    await_reconciliation(workspace)
    workspace.change({"spec": {"image": "trainer:2", "suspend": False}})
    await_reconciliation(workspace)
    operator.stop()
    operator.start()
    workspace.change({"spec": {"historyLimit": 5}})
    await_reconciliation(workspace)
    assert (children(workspace), workspace.status().summary.state) == ([], "Complete")


def test_a_retry_before_the_time_cancels_the_deletion_and_one_after_it_starts_the_run_again(
    workspace: Workspace,
):
    workspace.apply(build_job(ttlSecondsAfterFinished=SECONDS))
    pod = workspace.await_pod()
    workspace.kubelet.report_failed(pod, EXIT_USER_ERROR)
    workspace.await_condition("Failed", "True")

    workspace.kubectl("annotate", "finetunejob", "invoices", "finscribe.io/retry=1")
    second = workspace.await_pod(other_than=pod)
    run = workspace.batch_jobs()[0].metadata.name
    workspace.await_condition("Failed", "False")
    workspace.kubelet.report_failed(second, EXIT_USER_ERROR)
    workspace.await_condition("Failed", "True")
    eventually(lambda: children(workspace) == [])

    workspace.kubectl("annotate", "--overwrite", "finetunejob", "invoices", "finscribe.io/retry=2")
    succeed(workspace)
    assert workspace.status().run.name == run


def test_a_job_that_ended_while_no_operator_ran_is_deleted_with_all_that_it_owns(
    workspace: Workspace, operator: OperatorProcess
):
    spec = {"ttlSecondsAfterFinished": SECONDS, "ttlTarget": "FineTuneJob"}
    lower = {"name": "lower", "overrides": {"training.learningRate": 1e-5}}
    workspace.apply(build_job(**spec, experiments=[lower]))
    pods = [workspace.await_pod(name) for name in ("invoices", "invoices-lower")]
    operator.stop()
    for pod in pods:
        workspace.kubelet.report_succeeded(pod, RunResult(succeeded=True))
    operator.start()

    eventually(lambda: workspace.jobs() == [], within=60)
    eventually(lambda: workspace.kubectl("get", "jobs,pods", "--output=name") == "")


async def test_a_job_that_has_changed_since_it_was_read_is_not_deleted(
    workspace: Workspace, operator_kubeconfig: Path
):
    workspace.apply(build_job())
    workspace.await_pod()
    read = workspace.job()
    workspace.change({"metadata": {"annotations": {"finscribe.io/retry": "1"}}})
    async with await new_client_from_config(str(operator_kubeconfig)) as api:
        cluster = KubernetesCluster(api, Metrics(Store()), Leadership.permanent())
        with pytest.raises(ConflictError):
            await cluster.delete(Ref.of(read), read["metadata"]["resourceVersion"])
        assert workspace.jobs()
        read = workspace.job()
        await cluster.delete(Ref.of(read), read["metadata"]["resourceVersion"])
    assert not workspace.jobs()
