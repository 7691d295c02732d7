"""Commands without a cluster: jobs of this machine, missing packages, a cluster that is away for a while."""

import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from finscribe_client import follow
from finscribe_client.errors import ClientError, ClientReason
from finscribe_client.follow import follow_job
from finscribe_client.jobs import Job
from finscribe_core.api.v1alpha1 import RunStatus, State, Summary
from finscribe_core.cli import main_command
from finscribe_core.constants import API_VERSION, KIND, LABEL_JOB, LABEL_RUN
from finscribe_operator.local.container import log_file
from finscribe_operator.local.object_files import ObjectFiles
from tests.unit.client.builders import build_condition, build_job

COMPLETE = build_job(
    conditions=[build_condition("Reconciling", "False", "Finished")],
    summary=Summary(state=State.Complete, progress="100%"),
    run=RunStatus(name="invoices-1"),
)


@pytest.fixture
def state_dir(tmp_path: Path) -> Path:
    """What `finscribe run` leaves of a run with one attempt."""
    objects = ObjectFiles(tmp_path / "objects")
    metadata = {"name": "invoices", "namespace": "default"}
    objects.put({**COMPLETE.raw, "apiVersion": API_VERSION, "kind": KIND, "metadata": metadata})
    labels = {LABEL_JOB: "invoices", LABEL_RUN: "invoices-1", "job-name": "invoices-1"}
    pod = objects.put(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "invoices-1-a", "labels": labels, "ownerReferences": [{"uid": "x"}]},
            "status": {"phase": "Succeeded"},
        }
    )
    path = log_file(tmp_path, pod)
    path.parent.mkdir(parents=True)
    path.write_text("first\nlast\n")
    return tmp_path


def finscribe(*arguments: str) -> Result:
    return CliRunner().invoke(main_command, list(arguments), prog_name="finscribe")


LOCAL = {
    "list": (("list",), "invoices   Complete   100%"),
    "status": (("status", "invoices"), "default/invoices: Complete"),
    "watch": (("watch", "invoices"), "invoices: Complete"),
    "logs": (("logs", "invoices"), "first\nlast\n"),
    "the end of the log": (("logs", "invoices", "--tail", "1"), "last\n"),
    "the followed log": (("logs", "invoices", "--follow"), "first\nlast\n"),
    "events": (("events", "invoices"), "FineTuneJob/invoices   Reconciling is False."),
    "metrics": (("metrics", "invoices"), "outcome           Succeeded"),
}


@pytest.mark.parametrize(("arguments", "shown"), LOCAL.values(), ids=LOCAL)
def test_jobs_of_this_machine_are_shown_with_the_same_words(state_dir, arguments, shown):
    result = finscribe(*arguments, "--local", "--state-dir", str(state_dir))
    assert result.exit_code == 0, result.exception
    assert shown in result.output


def test_a_local_job_that_does_not_exist_is_named_with_its_folder(state_dir):
    error = finscribe("status", "receipts", "--local", "--state-dir", str(state_dir)).exception
    assert isinstance(error, ClientError) and f"no job receipts in {state_dir}" in error.message


def test_a_missing_package_is_named_with_what_installs_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "kubernetes", None)
    result = finscribe("list")
    assert "pip install '.[client]'" in result.output and result.exit_code == 1


def test_a_cluster_that_does_not_answer_for_a_while_does_not_end_the_wait(monkeypatch):
    monkeypatch.setattr(follow, "POLL_SECONDS", 0)
    unreachable = ClientError(ClientReason.ClusterUnreachable, "no answer")
    changed = Job({**COMPLETE.raw, "metadata": {**COMPLETE.raw["metadata"], "resourceVersion": "2"}})
    answers = iter([build_job(), unreachable, unreachable, changed])

    def get():
        answer = next(answers)
        if isinstance(answer, ClientError):
            raise answer
        return answer

    assert [job.state for job in follow_job(get)] == [State.Pending, State.Complete]
    monkeypatch.setattr(follow, "PATIENCE_SECONDS", -1)
    answers = iter([build_job(), unreachable])
    with pytest.raises(ClientError, match="no answer"):
        list(follow_job(get))


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_for_a_shell_calls_finscribe(shell):
    assert f"_FINSCRIBE_COMPLETE={shell}_complete" in finscribe("completion", shell).output


def test_json_of_jobs_is_a_list_that_kubectl_reads(state_dir):
    printed = finscribe("list", "--local", "--state-dir", str(state_dir), "-o", "json").output
    assert [item["kind"] for item in json.loads(printed)["items"]] == [KIND]
