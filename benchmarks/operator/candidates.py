"""What is measured: this operator, that of another commit, Kubeflow Trainer, and JobSet."""

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from finscribe_core.constants import GROUP, LABEL_JOB, PLURAL, VERSION
from finscribe_operator.config import OperatorConfig
from tests.apiserver.installation import CRDS, ROOT, install_account
from tests.apiserver.operator_process import OperatorProcess
from tests.apiserver.workspace import build_job
from tools.kube.apiserver import ApiServer
from tools.kube.jobset import CONTROLLER as JOBSET
from tools.kube.jobset import find_jobset_crds, running_jobset
from tools.kube.kubeflow import CONTROLLER as TRAINER
from tools.kube.kubeflow import find_trainer_crds, running_kubeflow_trainer

OURS = "FinScribe"
EXAMPLE = ROOT / "examples" / "kubeflow.yaml"
RUNTIME = "finscribe"
"""Name of the example's ClusterTrainingRuntime."""
_LABEL_JOBSET = "jobset.sigs.k8s.io/jobset-name"


@dataclass(frozen=True)
class Running:
    """The processes of a candidate."""

    pids: Callable[[], list[int]]
    operator: OperatorProcess | None = None
    """FinScribe's only."""


@dataclass(frozen=True)
class Candidate:
    """A program that makes Jobs of objects."""

    name: str
    crds: Callable[[], Sequence[Path]]
    start: Callable[[ApiServer], Any]
    """Context manager of `Running`: installs what the candidate needs, and runs it."""
    api: str
    """Group and version of its objects."""
    plural: str
    build: Callable[[str], dict[str, Any]]
    """An object of this name."""
    label: str
    """Of the Job, whose value is the object's name."""

    def collection(self, namespace: str) -> str:
        """Path of its objects in a namespace."""
        return f"/apis/{self.api}/namespaces/{namespace}/{self.plural}"


def finscribe(name: str = OURS, checkout: Path = ROOT, **settings: Any) -> Candidate:
    """The operator of a work tree.

    Args:
        name: in the table.
        checkout: the work tree; the CRD is that of this one.
        settings: of the operator's configuration, in which all else has its default.
    """

    @contextmanager
    def start(server: ApiServer) -> Iterator[Running]:
        account = install_account(server)
        folder = Path(tempfile.mkdtemp(dir=server.folder))
        paths = os.pathsep.join(map(str, (checkout, checkout / "operator/src")))
        interval = OperatorConfig().progress_interval_seconds
        defaults = {"log_format": "json", "progress_interval_seconds": interval}
        operator = OperatorProcess(folder, account, {**defaults, **settings}, env={"PYTHONPATH": paths})
        operator.start()
        try:
            yield Running(lambda: [operator.pid] if operator.is_running else [], operator)
        finally:
            operator.stop()

    def build(name: str) -> dict[str, Any]:
        return build_job(name, output={"uri": f"s3://team-models/{name}"})

    return Candidate(name, lambda: CRDS, start, f"{GROUP}/{VERSION}", PLURAL, build, LABEL_JOB)


def kubeflow_trainer() -> Candidate:
    """Kubeflow Trainer with the JobSet controller, which makes the Jobs; the example's runtime, one node."""
    runtime, _, job = _example()

    @contextmanager
    def start(server: ApiServer) -> Iterator[Running]:
        with ExitStack() as stack:
            stack.enter_context(running_jobset(server))
            stack.enter_context(running_kubeflow_trainer(server))
            server.kubectl("apply", "--server-side", "--filename=-", stdin=yaml.safe_dump(runtime))
            yield Running(lambda: _pids(server, TRAINER, JOBSET))

    def build(name: str) -> dict[str, Any]:
        spec = {**job["spec"], "trainer": {**job["spec"]["trainer"], "numNodes": 1}}
        return {**job, "metadata": {"name": name}, "spec": spec}

    return Candidate(
        "Kubeflow Trainer", find_trainer_crds, start, job["apiVersion"], "trainjobs", build, _LABEL_JOBSET
    )


def jobset() -> Candidate:
    """JobSet alone, with the JobSet of the example's runtime."""
    runtime, _, _ = _example()

    @contextmanager
    def start(server: ApiServer) -> Iterator[Running]:
        with running_jobset(server):
            yield Running(lambda: _pids(server, JOBSET))

    def build(name: str) -> dict[str, Any]:
        version = "jobset.x-k8s.io/v1alpha2"
        template = runtime["spec"]["template"]
        return {"apiVersion": version, "kind": "JobSet", "metadata": {"name": name}, "spec": template["spec"]}

    return Candidate(
        "JobSet", find_jobset_crds, start, "jobset.x-k8s.io/v1alpha2", "jobsets", build, _LABEL_JOBSET
    )


def _example() -> list[Any]:
    return list(yaml.safe_load_all(EXAMPLE.read_text(encoding="utf-8")))


def _pids(server: ApiServer, *names: str) -> list[int]:
    return [pid for name in names if (pid := server.processes.pid(name)) is not None]
