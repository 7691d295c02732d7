"""Operator and trainer log in one format, so that one log query finds both sides of a run."""

import asyncio
import json
import logging
import subprocess
import sys

import pytest
from pydantic import ValidationError

from finscribe_core.cli import exit_with
from finscribe_core.errors import FailureReason, UserError
from finscribe_core.logs import JsonFormatter, Redactor, TextFormatter, run_fields
from finscribe_core.parsing import validation_problems
from finscribe_core.trainer_config import StorageEndpoint
from finscribe_operator.config import OperatorConfig
from finscribe_operator.metrics import Metrics
from finscribe_operator.objects import key_of
from finscribe_operator.reconcile import Reconciler
from finscribe_operator.store import Store
from tests.unit.operator.builders import NOW, a_job, run_name
from tests.unit.operator.memory_cluster import MemoryCluster

TRAINER = """
import logging
from finscribe_trainer.reporting import setup_logging
setup_logging()
logging.getLogger("finscribe_trainer.pipeline").info("Training started")
"""


def start_run() -> MemoryCluster:
    """A cluster in which the operator has just started a run."""
    cluster, store = MemoryCluster(), Store()
    store.put(cluster.seed(a_job()))
    reconciler = Reconciler(cluster, store, OperatorConfig(), Metrics(store), lambda: NOW)
    asyncio.run(reconciler.reconcile(key_of(a_job())))
    return cluster


def test_operator_and_trainer_log_the_same_fields_and_the_same_job_and_run(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)
    cluster = start_run()
    (record,) = [record for record in caplog.records if record.getMessage() == "Run created"]
    operator = json.loads(JsonFormatter(Redactor({})).format(record))

    (job,) = cluster.of_kind("Job")
    variables = job["spec"]["template"]["spec"]["containers"][0]["env"]
    env = {variable["name"]: variable["value"] for variable in variables if "value" in variable}
    done = subprocess.run(
        [sys.executable, "-c", TRAINER], env=env, capture_output=True, text=True, check=True
    )
    trainer = json.loads(done.stderr)

    assert list(operator) == list(trainer) == ["time", "level", "logger", "message", "job", "run"]
    assert (operator["job"], operator["run"]) == ("team/invoices", run_name(a_job()))
    for field in ("level", "job", "run"):
        assert operator[field] == trainer[field]
    assert len(operator["time"]) == len(trainer["time"]) == len("2026-05-01T12:00:00.000Z")


def a_record(message: str, **extra: object) -> logging.LogRecord:
    record = logging.LogRecord("finscribe_operator.x", logging.WARNING, "x.py", 1, message, (), None)
    vars(record).update(extra)
    return record


def test_the_fields_of_a_record_override_those_of_the_formatter_but_not_the_standard_ones():
    formatter = JsonFormatter(Redactor({}), {"job": "team/a", "run": "a-1"})

    line = json.loads(formatter.format(a_record("Will retry", run="a-2", level="odd", delay=0.5)))

    assert (line["job"], line["run"], line["level"], line["delay"]) == ("team/a", "a-2", "warning", 0.5)


def test_a_text_line_has_the_extra_fields_and_no_secret():
    formatter = TextFormatter(Redactor({"HF_TOKEN": "hf_secret"}), show_extra=True)

    line = formatter.format(a_record("Will retry", job="team/a", error="hf_secret refused"))

    assert line.endswith("WARNING finscribe_operator.x: Will retry job=team/a error=[redacted] refused")


def test_a_process_outside_a_pod_has_no_job_and_no_run():
    assert run_fields({}) == {}


@pytest.mark.parametrize(
    ("key_id", "shown"),
    [
        ("finscribe", "s3://finscribe-demo/finscribe does not exist"),
        ("AKIAIOSFODNN7EXAMPLE", "s3://finscribe-demo/finscribe does not exist"),
        ("finscribe-demo/finscribe", "s3://[redacted] does not exist"),
    ],
    ids=["a team's name", "a key of AWS", "long enough to be a credential"],
)
def test_a_short_key_id_is_not_redacted_as_uris_may_contain_it(key_id: str, shown: str):
    redact = Redactor({"AWS_ACCESS_KEY_ID": key_id})

    assert redact("s3://finscribe-demo/finscribe does not exist") == shown
    assert key_id == "finscribe" or key_id not in redact(f"the key {key_id} is refused")


def test_a_credential_is_recognised_in_json_and_in_urls():
    redact = Redactor({"AWS_SESSION_TOKEN": 'a+b/c=="d'})

    for text in ('a+b/c=="d', 'a+b/c==\\"d', "a%2Bb/c%3D%3D%22d", "a%2Bb%2Fc%3D%3D%22d"):
        assert redact(f"X-Amz-Security-Token:{text} refused") == "X-Amz-Security-Token:[redacted] refused"


URLS = {
    "https://user:hunter2@minio:9000/b": "https://[redacted]@minio:9000/b",
    "https://user:hunt@er2@minio:9000/b": "https://[redacted]@minio:9000/b",
    "https://user:hunt/er2@minio:9000/b": "https://[redacted]@minio:9000/b",
    "https://hunter2@minio/b": "https://[redacted]@minio/b",
    "proxy HTTP://u:hunter2@proxy:3128 refused": "proxy HTTP://[redacted]@proxy:3128 refused",
    "git+https://oauth2:hunter2@git.example/m.git": "git+https://[redacted]@git.example/m.git",
    "https://minio/b?X-Amz-Signature=hunter2&x=1": "https://minio/b?X-Amz-Signature=[redacted]&x=1",
    "https://minio/b?x-amz-security-token=hunter2": "https://minio/b?x-amz-security-token=[redacted]",
    "https://gcs/b?X-Goog-Signature=hunter2": "https://gcs/b?X-Goog-Signature=[redacted]",
    "https://s3/b?AWSAccessKeyId=hunter2&Signature=hunter2": "https://s3/b?AWSAccessKeyId=[redacted]&"
    "Signature=[redacted]",
    "https://blob/b?sv=1&sig=hunter2": "https://blob/b?sv=1&sig=[redacted]",
    "https://hub/m?token=hunter2": "https://hub/m?token=[redacted]",
    "Authorization: Bearer hunter2": "Authorization: Bearer [redacted]",
    "s3://team/a@b/c": "s3://team/a@b/c",
    "http://minio:9000/team/a@b": "http://minio:9000/team/a@b",
    "mail to team@example.org": "mail to team@example.org",
}


@pytest.mark.parametrize("text", URLS)
def test_credentials_in_urls_and_headers_are_redacted_and_nothing_else(text: str):
    assert Redactor({})(text) == URLS[text]
    record = json.loads(JsonFormatter(Redactor({})).format(a_record(text)))
    assert record["message"] == URLS[text]


def test_a_value_in_a_validation_error_is_shown_without_its_password():
    with pytest.raises(ValidationError) as caught:
        StorageEndpoint.model_validate({"endpoint": "s3+http://user:hunter2@minio"})
    ((_, message),) = validation_problems(caught.value)
    assert "hunter2" not in message
    assert "[redacted]@minio" in message


def test_an_error_of_a_command_is_printed_without_a_password(capsys):
    with pytest.raises(SystemExit):
        exit_with(
            UserError(FailureReason.ModelNotFound, "https://u:hunter2@hub/m: no", "Not u:x@http://a:b@c")
        )
    printed = capsys.readouterr().err
    assert "hunter2" not in printed
    assert "a:b" not in printed
