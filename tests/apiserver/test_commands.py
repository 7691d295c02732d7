"""The commands of `finscribe` for a cluster, against a real API server."""

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from finscribe_client import ClientError, ClientReason
from finscribe_client.api import Api
from finscribe_core.cli import main_command
from finscribe_core.constants import BUILT_IN_MODEL, EXIT_RETRY, EXIT_USER_ERROR
from finscribe_core.errors import FailureReason, FinscribeError
from finscribe_core.report import RunResult
from tests.apiserver.eventually import eventually
from tests.apiserver.log_server import bind, serving_logs
from tests.apiserver.test_life import RESULT
from tests.apiserver.workspace import Workspace, build_job
from tests.support.s3 import S3Server
from tools.kube.binaries import provide
from tools.kube.process import free_ports

Finscribe = Callable[..., Result]


@pytest.fixture
def finscribe(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Finscribe:
    """Runs a command in the workspace's namespace; an error is the result's `exception`."""
    monkeypatch.setenv("KUBECONFIG", str(workspace.server.kubeconfig))

    def call(*arguments: str, stdin: str = "", **given: object) -> Result:
        command = [arguments[0], "--namespace", workspace.namespace, *arguments[1:]]
        return CliRunner().invoke(main_command, command, input=stdin, prog_name="finscribe")

    return call


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    path = tmp_path / "job.yaml"
    path.write_text(yaml.safe_dump(build_job(), sort_keys=False))
    return path


def error_of(result: Result) -> FinscribeError:
    assert isinstance(result.exception, FinscribeError), result.output
    return result.exception


def test_a_job_that_cannot_be_planned_is_not_submitted(
    workspace: Workspace, finscribe: Finscribe, manifest: Path
):
    job = build_job(model={"source": "oci://registry.example.com/models/paddleocr-vl:1"})
    manifest.write_text(yaml.safe_dump(job))

    assert finscribe("submit", str(manifest), "--plan").exit_code == EXIT_USER_ERROR
    assert "invoices" not in finscribe("list").output


@pytest.mark.usefixtures("operator")
def test_the_plan_of_a_job_is_printed_and_quoted_by_its_condition(
    workspace: Workspace, finscribe: Finscribe, manifest: Path, sample: Path, s3_env: S3Server
):
    bucket = s3_env.create_bucket()
    for file in (*sample.glob("*.jsonl"), *sample.glob("images/*")):
        s3_env.client().upload_file(str(file), bucket, str(file.relative_to(sample)))
    dataset = {"train": f"s3://{bucket}/train.jsonl", "validation": f"s3://{bucket}/val.jsonl"}
    job = build_job(model={"source": BUILT_IN_MODEL}, dataset=dataset, training={"maxSteps": 3})
    manifest.write_text(yaml.safe_dump(job))

    submitted = finscribe("submit", str(manifest), "--plan")

    assert submitted.exit_code == 0 and "\nsteps     3, " in submitted.output, submitted.output
    message = workspace.await_condition("Accepted", "True")
    assert re.search(r"Planned at submit: 3 steps on \d rows, 0\.\d+ GiB at the peak on a GPU\.", message)


def test_a_job_is_submitted_listed_and_shown(workspace: Workspace, finscribe: Finscribe, manifest: Path):
    dry = finscribe("submit", str(manifest), "--dry-run")
    first, trains, counted = dry.output.splitlines()
    assert first == f"FineTuneJob {workspace.namespace}/invoices created (dry run)"
    assert trains.startswith("  It trains for ")
    assert counted.startswith("  Its rows were not counted: ")
    assert workspace.jobs() == []

    submitted = finscribe("submit", str(manifest))
    assert f"FineTuneJob {workspace.namespace}/invoices created\n  It trains" in submitted.output
    assert "\nNext: finscribe watch" in submitted.output
    again = finscribe("submit", str(manifest)).output
    assert "unchanged" in again and "It trains" not in again
    manifest.write_text(manifest.read_text() + "  backoffLimit: 5\n")
    assert "configured" in finscribe("submit", str(manifest)).output
    assert workspace.job()["spec"]["backoffLimit"] == 5

    header, row = finscribe("list").output.splitlines()
    assert header.split() == ["NAME", "STATE", "PROGRESS", "ETA", "LOSS", "AGE"]
    assert row.split()[:5] == ["invoices", "Pending", "0%", "-", "-"]
    assert finscribe("list", "-o", "name").output == "finetunejob.finscribe.io/invoices\n"
    assert json.loads(finscribe("list", "-o", "json").output)["items"][0]["metadata"]["name"] == "invoices"
    assert finscribe("list", "--state", "Failed").output.startswith("No jobs in namespace")
    assert workspace.namespace in finscribe("list", "--all-namespaces").output

    assert finscribe("status", "invoices").output.startswith(f"{workspace.namespace}/invoices: Pending")
    assert yaml.safe_load(finscribe("status", "invoices", "-o", "yaml").output)["spec"]["backoffLimit"] == 5


INVALID = {
    "a value of the wrong type": ("backoffLimit: 3", "backoffLimit: three", ":15: spec.backoffLimit"),
    "a key that does not exist": ("backoffLimit: 3", "backofLimit: 3", ":15: unknown key spec.backofLimit"),
    "a namespace that is not the one asked for": (
        "name: invoices",
        "name: invoices\n  namespace: other",
        ":5: the namespace other is not that of --namespace",
    ),
}


@pytest.mark.parametrize(("old", "new", "message"), INVALID.values(), ids=INVALID)
def test_an_invalid_file_is_named_with_its_line_and_nothing_is_written(
    workspace: Workspace, finscribe: Finscribe, manifest: Path, old: str, new: str, message: str
):
    manifest.write_text((manifest.read_text() + "  backoffLimit: 3\n").replace(old, new))
    other = manifest.with_name("other.yaml")
    other.write_text(yaml.safe_dump(build_job("receipts")))

    error = error_of(finscribe("submit", str(other), str(manifest)))

    assert f"{manifest}{message}" in error.message
    assert error.exit_code == EXIT_USER_ERROR
    assert workspace.jobs() == []


def test_a_file_may_have_the_secret_that_its_job_needs(
    workspace: Workspace, finscribe: Finscribe, manifest: Path
):
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s3-credentials"}}
    keys = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "hidden"}
    manifest.write_text(yaml.safe_dump_all([build_job(), secret | {"stringData": keys}]))

    printed = finscribe("submit", str(manifest)).output.splitlines()

    assert printed[0] == f"Secret {workspace.namespace}/s3-credentials applied", (
        "before the job that needs it"
    )
    assert printed[1] == f"FineTuneJob {workspace.namespace}/invoices created"
    assert (
        workspace.core.read_namespaced_secret("s3-credentials", workspace.namespace).data.keys()
        == keys.keys()
    )
    for wrong in ({"stringData": 12345}, {"stringData": {"key": 12345}}, {"data": {"key": "12345!"}}):
        manifest.write_text(yaml.safe_dump_all([build_job(), secret | wrong]))
        error = error_of(finscribe("submit", str(manifest)))
        assert f"{manifest}:" in error.message and next(iter(wrong)) in error.message
        assert "12345" not in str(error)


def test_what_the_api_server_rejects_is_named_with_its_line(
    workspace: Workspace, finscribe: Finscribe, manifest: Path
):
    manifest.write_text(
        manifest.read_text().replace("name: invoices", "name: invoices\n  labels: {team: 'a b'}")
    )

    error = error_of(finscribe("submit", str(manifest)))

    assert f"{manifest}:5: metadata.labels" in error.message
    assert workspace.jobs() == []


def test_fields_of_somebody_else_are_taken_over_only_when_asked_for(
    workspace: Workspace, finscribe: Finscribe, manifest: Path
):
    workspace.kubectl("apply", "--server-side", "--filename=-", stdin=json.dumps(build_job(backoffLimit=1)))
    manifest.write_text(manifest.read_text() + "  backoffLimit: 5\n")

    error = error_of(finscribe("submit", str(manifest)))

    assert "backoffLimit" in error.message and "--force-conflicts" in error.remedy
    assert "configured" in finscribe("submit", str(manifest), "--force-conflicts").output
    assert workspace.job()["spec"]["backoffLimit"] == 5


def test_errors_say_what_to_do(
    workspace: Workspace,
    finscribe: Finscribe,
    manifest: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
):
    with pytest.raises(ClientError, match="This cluster has no FineTuneJobs"):
        Api.connect(None).request("GET", "/apis/other.example/v1/namespaces/default/finetunejobs")
    missing = error_of(finscribe("status", "receipts"))
    assert missing.reason == ClientReason.NotFound and "finscribe list" in missing.remedy
    elsewhere = error_of(
        CliRunner().invoke(main_command, ["submit", str(manifest), "--namespace", "nowhere"])
    )
    assert elsewhere.reason == ClientReason.NamespaceNotFound and "no namespace nowhere" in elsewhere.message

    viewer = workspace.server.kubeconfig_of_service_account(workspace.namespace, "default")
    monkeypatch.setenv("KUBECONFIG", str(viewer))
    denied = error_of(finscribe("list"))
    assert denied.reason == ClientReason.AccessDenied
    assert denied.remedy.startswith(f"Ask for the role `view` in namespace {workspace.namespace}")
    assert "`edit`" in error_of(finscribe("suspend", "invoices")).remedy

    config = yaml.safe_load(viewer.read_text())
    other = tmp_path / "kubeconfig"
    monkeypatch.setenv("KUBECONFIG", str(other))
    assert error_of(finscribe("list")).reason == ClientReason.NoCluster
    other.write_text(yaml.safe_dump(config))
    assert "no context" in error_of(finscribe("list", "--context", "no context")).message
    config["users"][0]["user"] = {"token": "expired"}
    other.write_text(yaml.safe_dump(config))
    assert "Log in again" in error_of(finscribe("list")).remedy
    config["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{free_ports(1)[0]}"
    other.write_text(yaml.safe_dump(config))
    unreachable = error_of(finscribe("list"))
    assert unreachable.reason == ClientReason.ClusterUnreachable and unreachable.exit_code == EXIT_RETRY


@pytest.mark.usefixtures("operator")
def test_a_job_is_suspended_resumed_retried_trained_again_and_deleted(
    workspace: Workspace, finscribe: Finscribe, manifest: Path
):
    assert finscribe("submit", str(manifest)).exit_code == 0
    pod = workspace.await_pod()
    assert error_of(finscribe("retry", "invoices")).reason == ClientReason.WrongState

    assert "finscribe resume invoices" in finscribe("suspend", "invoices").output
    workspace.await_condition("Suspended", "True")
    assert "It is suspended" in finscribe("submit", str(manifest)).output
    finscribe("resume", "invoices")
    pod = workspace.await_pod(other_than=pod)

    workspace.kubelet.report_running(pod)
    failure = RunResult(succeeded=False, reason=FailureReason.DatasetNotFound, message="No rows.")
    workspace.kubelet.report_failed(pod, EXIT_USER_ERROR, failure.to_termination_message())
    waited = finscribe("submit", str(manifest), "--wait", "--timeout", "30")
    assert "invoices is Failed (DatasetNotFound). No rows." in waited.output and waited.exit_code == 1
    assert "finscribe retry invoices" in finscribe("status", "invoices").output

    assert "is tried again" in finscribe("retry", "invoices").output
    pod = workspace.await_pod(other_than=pod)
    workspace.kubelet.report_succeeded(pod, RESULT)
    assert "invoices is Complete" in finscribe("submit", str(manifest), "--wait").output

    first = workspace.status().run
    assert first is not None
    finscribe("retrain", "invoices", "--trigger", "2026-03")
    workspace.await_pod(other_than=pod)
    assert f"{first.name}: Succeeded" in eventually(
        lambda: shown if "Earlier run" in (shown := finscribe("status", "invoices").output) else ""
    )

    asked = finscribe("delete", "invoices", stdin="n\n")
    assert "Its results stay below s3://team-models/invoices." in asked.output
    assert "Nothing was deleted." in asked.output and asked.exit_code == 1
    assert "deleted" in finscribe("delete", "invoices", "--yes").output
    assert workspace.jobs() == []


@pytest.mark.usefixtures("operator")  # installs the chart's roles
def test_the_role_view_suffices_to_read_and_edit_to_change(
    workspace: Workspace, finscribe: Finscribe, manifest: Path, monkeypatch: pytest.MonkeyPatch
):
    finscribe("submit", str(manifest))
    user = workspace.server.kubeconfig_of_service_account(workspace.namespace, "default")
    account = f"--serviceaccount={workspace.namespace}:default"
    monkeypatch.setenv("KUBECONFIG", str(user))

    workspace.kubectl("create", "rolebinding", "reader", "--clusterrole=view", account)
    eventually(lambda: finscribe("list").exit_code == 0, what="the binding is in force")
    for command in (("status",), ("events",), ("metrics",), ("watch", "--timeout", "0")):
        error = finscribe(command[0], "invoices", *command[1:]).exception
        assert error is None or getattr(error, "reason", "") in (ClientReason.NotFound, ClientReason.TimedOut)
    for command in ("suspend", "retrain"):
        denied = error_of(finscribe(command, "invoices"))
        assert denied.reason == ClientReason.AccessDenied and "role `edit`" in denied.remedy

    workspace.kubectl("create", "rolebinding", "editor", "--clusterrole=edit", account)
    eventually(lambda: finscribe("suspend", "invoices").exit_code == 0, what="the binding is in force")
    assert finscribe("submit", str(manifest)).exit_code == 0
    assert finscribe("delete", "invoices", "--yes").exit_code == 0


def line(message: str, step: int) -> str:
    record = {
        "time": "2026-03-01T10:00:00Z",
        "level": "info",
        "logger": "x",
        "message": message,
        "step": step,
    }
    return json.dumps(record)


@pytest.mark.usefixtures("operator")
def test_logs_events_curves_and_the_end_of_a_job_are_shown(
    workspace: Workspace, finscribe: Finscribe, manifest: Path, tmp_path: Path
):
    finscribe("submit", str(manifest))
    first = workspace.await_pod()
    workspace.await_condition("Running", "False")
    assert "has not started" in error_of(finscribe("logs", "invoices")).message
    with serving_logs(workspace.core, tmp_path / "pki") as node:
        bind(workspace.core, workspace.namespace, first)
        workspace.kubelet.report_running(first)
        node.logs[first] = [line("{'loss': 2.0}", 10), "Killed"]
        assert finscribe("logs", "invoices").output.endswith("INFO    {'loss': 2.0} step=10\nKilled\n")
        assert finscribe("logs", "invoices", "--raw", "--tail", "1").output == "Killed\n"

        workspace.kubelet.report_failed(first, EXIT_RETRY, "connection reset")
        second = workspace.await_pod(other_than=first)
        bind(workspace.core, workspace.namespace, second)
        workspace.kubelet.report_running(second)
        node.logs[second] = [line("{'loss': 1.0}", 20), line("{'eval_loss': 1.5}", 20)]
        assert "Killed" in finscribe("logs", "invoices", "--previous").output
        assert "Killed" in finscribe("logs", "invoices", "--attempt", "1").output
        assert "2 still have a pod" in error_of(finscribe("logs", "invoices", "--attempt", "3")).message

        node.logs[second] += [f"line {number}" for number in range(6)]
        node.cut_after[second] = 4
        ending = threading.Timer(1.5, workspace.kubelet.report_succeeded, (second, RESULT))
        ending.start()
        followed = finscribe("logs", "invoices", "--follow").output.splitlines()
        ending.join()
        assert followed[-7:] == [followed[-7], *node.logs[second][2:]] and "eval_loss" in followed[-7]
        assert len(followed) == len(node.logs[second]), "no line is lost or shown twice by the cut"
        workspace.await_condition("Reconciling", "False")
        again = finscribe("submit", str(manifest), "--follow").output
        assert "line 5" in again and "invoices is Complete" in again
        curve = finscribe("metrics", "invoices", "--plot", "--png", str(tmp_path / "loss.png")).output
        assert "2 ┤•" in curve and "x" in curve.partition("┤•")[2]
        assert (tmp_path / "loss.png").read_bytes().startswith(b"\x89PNG")

    shown = finscribe("events", "invoices").output.splitlines()
    assert shown[0].split() == ["AGE", "TYPE", "REASON", "OBJECT", "MESSAGE"]
    reasons = [row.split()[2] for row in shown[1:]]
    assert reasons.index("RunStarted") < reasons.index("Complete")
    assert any(f"Job/{second.rpartition('-')[0]}" in row for row in shown)

    watched = finscribe("watch", "invoices", "--timeout", "30")
    assert watched.exit_code == 0 and "invoices: Complete Succeeded 100% loss 0.21" in watched.output

    manifest.write_text(yaml.safe_dump(build_job(training={"learningRate": 0.001})))
    finscribe("submit", str(manifest))
    workspace.await_pod(other_than=second)
    run = eventually(lambda: workspace.status().run if workspace.status().runs else None)
    assert run is not None
    earlier = workspace.status().runs[0].name
    compared = finscribe("compare-runs", f"invoices/{earlier}", run.name).output
    assert compared.splitlines()[0].split() == ["METRIC", earlier, run.name]
    assert ["eval_loss", "0.31", "-"] in [row.split() for row in compared.splitlines()]
    missing = error_of(finscribe("compare-runs", earlier, "receipts"))
    assert missing.reason == ClientReason.NotFound and "no run receipts" in missing.message


def test_a_command_works_as_a_kubectl_plugin_and_completes_names(
    workspace: Workspace, manifest: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("KUBECONFIG", str(workspace.server.kubeconfig))
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")

    kubectl = provide(["kubectl"])["kubectl"]
    plugin = subprocess.run(
        [kubectl, "finscribe", "submit", "-", "--namespace", workspace.namespace, "-o", "name"],
        input=manifest.read_text(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert plugin.stdout == "finetunejob.finscribe.io/invoices\n"

    words = f"finscribe status --namespace {workspace.namespace} inv"
    asked = {"_FINSCRIBE_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": "4"}
    completed = subprocess.run(
        ["finscribe"], env={**os.environ, **asked}, capture_output=True, text=True, check=True
    )
    assert completed.stdout == "plain,invoices\n"
