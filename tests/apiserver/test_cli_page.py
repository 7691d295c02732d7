"""The commands of docs/cli.md, and examples/client.py, work as written, with real API and S3 servers."""

import runpy
import shlex
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from finscribe_core.cli import main_command
from finscribe_core.report import outputs_below
from finscribe_core.trainer_config import StorageEndpoint
from finscribe_trainer.storage import Storage
from tests.apiserver.log_server import bind, serving_logs
from tests.apiserver.test_life import RESULT
from tests.apiserver.workspace import Workspace
from tests.support.s3 import S3Server
from tests.unit.docs.pages import ALL, ROOT

JOB = "team-invoices"
RUN = ALL["docs/cli.md"].tested_commands
pytestmark = pytest.mark.usefixtures("operator")


@pytest.fixture
def folder(workspace: Workspace, s3_env: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the examples, from which the workspace is the cluster's present namespace."""
    config = yaml.safe_load(workspace.server.kubeconfig.read_text())
    config["contexts"][0]["context"]["namespace"] = workspace.namespace
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(config))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    s3_env.client().create_bucket(Bucket="team-models")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@contextmanager
def working(workspace: Workspace, folder: Path, s3: S3Server) -> Iterator[None]:
    """What a node and the trainer do: the job's pod runs, its result is uploaded, and it succeeds."""

    def work() -> None:
        pod = workspace.await_pod(JOB)
        node.logs[pod] = ["training"]
        bind(workspace.core, workspace.namespace, pod)
        workspace.kubelet.report_running(pod)
        uri = f"s3://team-models/invoices/runs/{workspace.batch_jobs(JOB)[0].metadata.name}"
        (folder / "result/adapter").mkdir(parents=True)
        (folder / "result/adapter/adapter_model.safetensors").write_text("weights")
        Storage.from_config(StorageEndpoint(endpoint=s3.endpoint)).publish_run(folder / "result", uri)
        outputs = outputs_below(uri, merged=False, evaluated=False)
        workspace.kubelet.report_succeeded(pod, RESULT.model_copy(update={"outputs": outputs}))

    with serving_logs(workspace.core, folder / "pki") as node:
        worker = threading.Thread(target=work)
        worker.start()
        yield
        worker.join()


def test_the_commands_of_the_page_work_in_their_order(workspace: Workspace, folder: Path, s3_env: S3Server):
    printed = ""
    with working(workspace, folder, s3_env):
        for call in [*RUN, f"finscribe compare {JOB} {JOB}"]:
            program, *arguments = shlex.split(call)
            result = CliRunner().invoke(main_command, arguments, prog_name=program)
            assert result.exit_code == 0, (call, result.output, result.exception)
            printed += result.output

    assert f"FineTuneJob {workspace.namespace}/{JOB} created" in printed
    assert f"{workspace.namespace}/{JOB}: Complete (Succeeded)" in printed
    assert "training\n" in printed
    assert "1 files (7 bytes)" in printed
    assert ["eval_loss", "0.31", "0.31"] in [line.split() for line in printed.splitlines()]


def test_the_example_of_the_python_client_works(
    workspace: Workspace, folder: Path, s3_env: S3Server, capsys: pytest.CaptureFixture[str]
):
    with working(workspace, folder, s3_env):
        runpy.run_path("examples/client.py")

    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{JOB} Pending" and "Complete 100% 0.21" in lines
    assert lines[-1].endswith("adapter/adapter_model.safetensors")
