"""The web view reads settings, curves, answers and pages of a job's runs from a real S3 server."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from starlette.testclient import TestClient

from finscribe_client.local_runs import LocalRuns
from finscribe_client.ui.app import Pages
from finscribe_client.ui.job_runs import JobRuns
from finscribe_core.api.v1alpha1 import FineTuneJobStatus, RunRecord, RunStatus, State, Summary
from finscribe_core.report import outputs_below
from finscribe_core.trainer_config import StorageEndpoint
from finscribe_trainer.evaluation.results import BASE_RESULTS, TUNED_RESULTS, write_results
from finscribe_trainer.storage import Storage
from tests.support.s3 import S3Server
from tests.unit.client.builders import build_condition
from tests.unit.client.ui.places import write_answers, write_job

METRICS = {"train_history": [{"step": 1, "loss": 2.0}], "eval_history": [{"step": 1, "eval_loss": 1.5}]}


@pytest.fixture
def bucket(s3_env: S3Server) -> str:
    return s3_env.create_bucket()


@pytest.fixture
def client(s3_env: S3Server, bucket: str, tmp_path: Path) -> TestClient:
    """A job with two runs in the bucket, and the pages that were evaluated."""
    storage = Storage.from_config(StorageEndpoint(endpoint=s3_env.endpoint))
    uri = f"s3://{bucket}/invoices"
    answers = write_answers(tmp_path / "data")
    s3 = s3_env.client()
    for page in (tmp_path / "data" / "images").iterdir():
        s3.upload_file(str(page), bucket, f"data/images/{page.name}")
    for name, rate in (("tax-1", 0.1), ("tax-2", 0.2)):
        folder = tmp_path / name
        for results, file in zip(answers, (BASE_RESULTS, TUNED_RESULTS), strict=True):
            data = replace(results.data, source=f"s3://{bucket}/data/test.jsonl")
            write_results(replace(results, data=data), folder / "evaluation" / file)
        (folder / "metrics.json").write_text(json.dumps(METRICS))
        (folder / "config.yaml").write_text(yaml.safe_dump({"training": {"learning_rate": rate, "seed": 1}}))
        storage.publish_run(folder, f"{uri}/runs/{name}")
    of = {
        name: outputs_below(f"{uri}/runs/{name}", merged=False, evaluated=True) for name in ("tax-1", "tax-2")
    }
    status = FineTuneJobStatus(
        observed_generation=1,
        summary=Summary(state=State.Complete),
        conditions=[build_condition("Reconciling", "False", "Done")],
        run=RunStatus(name="tax-2", outputs=of["tax-2"]),
        runs=[RunRecord(name="tax-1", outcome="Succeeded", outputs=of["tax-1"])],
    )
    endpoint = {"endpoint": s3_env.endpoint}
    write_job(tmp_path / "state", "tax", status, output={"uri": uri}, storage=endpoint)
    return TestClient(Pages([JobRuns(LocalRuns(tmp_path / "state"), "local")]).app())


def test_a_run_without_pods_is_shown_from_its_result(client: TestClient):
    page = client.get("/run?key=local/default/tax").text
    assert "can&#39;t be read" not in page
    assert page.count("<polyline") == 2
    changed = page[page.index("What differs") : page.index("All 2 settings")]
    assert "0.1" in changed
    assert "0.2" in changed
    assert "seed" not in changed
    assert "All 3 documents" in page


def test_the_pages_of_documents_are_fetched_from_below_their_rows_only(client: TestClient):
    image = client.get("/page.jpg?key=local/default/tax/tax-1&number=2&page=1")
    assert image.content.startswith(b"\xff\xd8")
    assert "/page.jpg" in client.get("/document?key=local/default/tax&number=2").text


def test_what_a_result_lacks_is_named_and_the_rest_is_shown(
    client: TestClient, s3_env: S3Server, bucket: str
):
    s3 = s3_env.client()
    for name in ("metrics.json", "config.yaml", f"evaluation/{BASE_RESULTS}"):
        s3.delete_object(Bucket=bucket, Key=f"invoices/runs/tax-1/{name}")
    page = client.get("/run?key=local/default/tax/tax-1")
    assert page.status_code == 200
    for part in ("The settings", "The evaluation"):
        assert f"{part} can&#39;t be read" in page.text
