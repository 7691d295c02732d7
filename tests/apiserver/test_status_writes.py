"""How often the operator writes the status of a run whose progress changes all the time."""

import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from finscribe_core.api.conditions import Reason
from finscribe_core.report import BestEvaluation, Metrics, Phase, PhaseSeconds, Progress, ProgressReport
from finscribe_operator.polls import PROGRESS_WRITES_PER_SECOND
from tests.apiserver.eventually import eventually
from tests.apiserver.fake_kubelet import TrainerEndpoint, serving_progress
from tests.apiserver.installation import CRDS, install_account
from tests.apiserver.operator_process import OperatorProcess
from tests.apiserver.test_life import RESULT
from tests.apiserver.workspace import Workspace, build_job
from tests.sweeps.audit import POLICY, count_status_writes
from tests.sweeps.environment import OPERATOR
from tools.kube.apiserver import ApiServer, running_api_server

WRITES_BESIDES_PROGRESS = 12
"""Of one run, from its creation to its end."""
JOBS = 10
"""So many that progress is written less often than it is polled."""
POLLS = 20
"""Of each run, while it trains."""


@pytest.fixture(scope="module")
def server() -> Iterator[ApiServer]:
    with running_api_server(CRDS, audit_policy=POLICY) as running:
        yield running


@pytest.fixture(scope="module")
def operator(server: ApiServer) -> Iterator[OperatorProcess]:
    process = OperatorProcess(server.folder, install_account(server))
    process.start()
    yield process
    process.stop()


def restless(request: int) -> ProgressReport:
    """A report in which every figure differs from that of the request before, and phases alternate."""
    figure = f"{1 + request / 1000:.4f}"
    phase = (Phase.Training, Phase.Evaluating)[request % 2]
    return ProgressReport(
        progress=Progress(
            phase=phase,
            step=request,
            total_steps=10_000,
            eta_seconds=10_000 - request,
            samples_per_second=figure,
            tokens_per_second=figure,
            best=BestEvaluation(step=request, metric="eval_loss", value=figure),
            peak_gpu_memory_bytes=request,
            phase_seconds=PhaseSeconds(training=request, evaluating=request),
            step_seconds=request,
        ),
        metrics=Metrics(train_loss=figure),
    )


def in_phase(phase: Phase, run: str) -> ProgressReport:
    return ProgressReport(run=run, progress=Progress(phase=phase))


@pytest.mark.usefixtures("operator")
def test_a_run_has_twelve_writes_besides_one_for_each_interval_of_progress(
    server: ApiServer, workspace: Workspace
):
    names = [f"job-{number}" for number in range(JOBS)]
    with ExitStack() as stack:
        for name in names:
            workspace.apply(build_job(name))
        pods = {name: workspace.await_pod(name) for name in names}
        for pod in pods.values():
            workspace.kubelet.report_unschedulable(pod, "0/1 nodes are available: 1 Insufficient GPU.")
        await_reason(workspace, names, Reason.Unschedulable)
        for pod in pods.values():
            workspace.kubelet.report_waiting(pod)
        await_reason(workspace, names, Reason.ContainerCreating)
        trainers: list[TrainerEndpoint] = []
        started = time.monotonic()
        for pod in pods.values():
            address, run = workspace.kubelet.report_running(pod), pod.rpartition("-")[0]
            trainers.append(stack.enter_context(serving_progress(address, in_phase(Phase.Downloading, run))))
        await_reason(workspace, names, Phase.Downloading)
        show(workspace, names, trainers, Phase.Preparing)
        for trainer in trainers:
            trainer.requests, trainer.change = 0, restless
        eventually(lambda: all(trainer.requests > POLLS for trainer in trainers), within=120)
        for phase in (Phase.Exporting, Phase.Comparing, Phase.Uploading):
            show(workspace, names, trainers, phase)
        intervals = 1 + (time.monotonic() - started) / (JOBS / PROGRESS_WRITES_PER_SECOND)
        for pod in pods.values():
            workspace.kubelet.report_succeeded(pod, RESULT)
        for name in names:
            workspace.await_condition("Complete", "True", name=name)

    writes = count_status_writes(server.audit_log, workspace.namespace, OPERATOR)
    assert JOBS * POLLS / 4 < writes <= JOBS * (WRITES_BESIDES_PROGRESS + intervals)


def show(workspace: Workspace, names: list[str], trainers: list[TrainerEndpoint], phase: Phase) -> None:
    """Let every trainer report a phase, and wait until each status shows it."""
    for trainer in trainers:
        trainer.change, trainer.report = None, in_phase(phase, trainer.report.run)
    await_reason(workspace, names, phase)


def await_reason(workspace: Workspace, names: list[str], reason: str) -> None:
    for name in names:
        eventually(
            lambda name=name: workspace.condition("Running", name)[1] == reason, what=f"{name}: {reason}"
        )
