"""Results are downloaded, verified, promoted and read, with a real S3 server."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from finscribe_client.bucket import Result
from finscribe_client.errors import ClientError, ClientReason
from finscribe_client.jobs import Job
from finscribe_client.log_lines import LossPoint
from finscribe_core.api.v1alpha1 import RunRecord, RunStatus, State, Summary
from finscribe_core.report import DocumentMetrics, EvaluationReport, GateVerdict, outputs_below
from finscribe_trainer.storage import Storage
from tests.support.s3 import S3Server
from tests.unit.client.builders import SPEC, build_job

METRICS = {
    "eval_loss": 0.31,
    "steps": 20,
    "train_history": [{"step": 10, "loss": 2.0}, {"step": 20, "loss": 1.0}],
    "eval_history": [{"step": 20, "eval_loss": 0.31}],
}
FILES = {
    "adapter/adapter_model.safetensors": "weights",
    "merged/model.safetensors": "x" * 10_000,
    "evaluation/report.html": "<html>",
    "metrics.json": json.dumps(METRICS),
    "config.yaml": "training:\n  learning_rate: 0.001\n  epochs: 2\n",
}


@pytest.fixture
def bucket(s3_env: S3Server) -> str:
    return s3_env.create_bucket()


@pytest.fixture
def job(s3_env: S3Server, bucket: str, storage: Storage, tmp_path_factory: pytest.TempPathFactory) -> Job:
    """A job with a complete run, and an earlier one that did not pass its gate."""
    uri, reports = f"s3://{bucket}/invoices", []
    for name, passed in (("invoices-2", True), ("invoices-1", False)):
        folder = tmp_path_factory.mktemp(name)
        for path, text in FILES.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)
        storage.publish_run(folder, f"{uri}/runs/{name}")
        gate = GateVerdict(passed=passed, message="0.8 is below 0.9")
        reports.append(EvaluationReport(documents=3, tuned=DocumentMetrics(), gate=gate))
    of = {
        name: outputs_below(f"{uri}/runs/{name}", merged=True, evaluated=True)
        for name in ("invoices-1", "invoices-2")
    }
    found = build_job(
        summary=Summary(state=State.Complete),
        run=RunStatus(name="invoices-2", outputs=of["invoices-2"]),
        evaluation=reports[0],
        runs=[
            RunRecord(name="invoices-1", outcome="Succeeded", outputs=of["invoices-1"], evaluation=reports[1])
        ],
    )
    spec = {**SPEC, "output": {"uri": uri}, "storage": {"endpoint": s3_env.endpoint}}
    return Job({**found.raw, "spec": spec})


@pytest.fixture
def storage(s3_env: S3Server) -> Storage:
    return Storage.from_config(build_job().spec.storage.model_copy(update={"endpoint": s3_env.endpoint}))


@pytest.fixture
def result(job: Job) -> Result:
    return Result.of(job, job.runs[0])


def content(folder: Path) -> dict[str, str]:
    return {str(p.relative_to(folder)): p.read_text() for p in folder.rglob("*") if p.is_file()}


def error_of(call: Callable[[], object]) -> ClientError:
    with pytest.raises(ClientError) as caught:
        call()
    return caught.value


def test_a_result_is_downloaded_whole_and_again_without_a_request_for_its_files(
    result: Result, tmp_path: Path
):
    first = result.download(tmp_path / "model")
    found = content(tmp_path / "model")

    assert {path: found[path] for path in FILES} == FILES and set(found) - set(FILES) == {"manifest.json"}
    assert first.num_bytes == sum(map(len, FILES.values())) and first.present == []
    again = result.download(tmp_path / "model")
    assert again.fetched == [] and sorted(again.present) == sorted(FILES)


def test_a_part_is_downloaded_and_completed_later(result: Result, tmp_path: Path):
    assert result.download(tmp_path, ["adapter"]).fetched == ["adapter/adapter_model.safetensors"]
    assert set(content(tmp_path / "adapter")) == {"adapter_model.safetensors"}
    assert "adapter/adapter_model.safetensors" in result.download(tmp_path).present
    assert "It has: adapter" in error_of(lambda: result.download(tmp_path, ["logs"])).remedy


def test_a_file_with_other_content_is_never_replaced(result: Result, tmp_path: Path):
    (tmp_path / "adapter").mkdir()
    (tmp_path / "adapter/adapter_model.safetensors").write_text("WEIGHTS")

    error = error_of(lambda: result.download(tmp_path))

    assert error.reason == ClientReason.WouldOverwrite and "adapter_model.safetensors" in error.message
    assert content(tmp_path) == {"adapter/adapter_model.safetensors": "WEIGHTS"}


def test_a_file_that_is_not_the_one_in_the_manifest_is_not_kept(
    result: Result, s3_env: S3Server, bucket: str, tmp_path: Path
):
    key = "invoices/runs/invoices-2/adapter/adapter_model.safetensors"
    s3_env.client().put_object(Bucket=bucket, Key=key, Body=b"WEIGHTS")

    error = error_of(lambda: result.download(tmp_path))

    assert error.reason == ClientReason.Damaged and "adapter_model.safetensors" in error.message
    assert "adapter/adapter_model.safetensors" not in content(tmp_path)
    assert "manifest.json" not in content(tmp_path)


def test_a_result_without_manifest_is_not_downloaded(
    result: Result, s3_env: S3Server, bucket: str, tmp_path: Path
):
    s3_env.client().delete_object(Bucket=bucket, Key="invoices/runs/invoices-2/manifest.json")
    assert error_of(lambda: result.download(tmp_path)).reason == ClientReason.NotFound
    assert content(tmp_path) == {}


def test_latest_json_names_a_promoted_run_below_its_gate_only_by_force(
    job: Job, s3_env: S3Server, bucket: str
):
    def latest() -> dict:
        return json.loads(s3_env.read(bucket, "invoices/latest.json"))

    good, bad = (Result.of(job, run) for run in job.runs)
    assert good.promote(dry_run=True) and "invoices/latest.json" not in s3_env.keys(bucket)
    assert good.promote() and not good.promote()
    assert latest() == {
        "run": "invoices-2",
        "uri": good.uri,
        "manifest": f"{good.uri}/manifest.json",
        "metrics": {"eval_loss": "0.31"},
    }
    assert "0.8 is below 0.9" in error_of(bad.promote).message
    assert latest()["run"] == "invoices-2"
    assert bad.promote(force=True) and latest()["run"] == "invoices-1"


def test_curves_and_settings_are_read_from_the_bucket(result: Result, tmp_path: Path):
    assert result.losses() == [LossPoint(10, 2.0, None), LossPoint(20, 1.0, 0.31)]
    assert result.settings(tmp_path) == {"training.learning_rate": 0.001, "training.epochs": 2}


def test_a_run_without_result_says_so():
    job = build_job(summary=Summary(state=State.Running), run=RunStatus(name="invoices-1"))
    assert error_of(lambda: Result.of(job, job.runs[0])).reason == ClientReason.WrongState
