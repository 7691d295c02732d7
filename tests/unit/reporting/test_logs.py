"""The trainer's log lines: JSON or text, without secrets."""

import json
import subprocess
import sys

import pytest

SCRIPT = """
import logging, warnings
from finscribe_trainer.reporting import setup_logging
setup_logging()
log = logging.getLogger("finscribe_trainer.pipeline.recipe")
log.debug("too much detail")
log.info("step %d", 3, extra={"loss": 0.4})
log.info("url https://s3/x?X-Amz-Credential=abc%%2Fd&X-Amz-Signature=0123abcd&y=1")
warnings.warn("old option")
try:
    raise RuntimeError("key AKIAVERYSECRET/with\\\\odd\\"signs")
except RuntimeError:
    log.exception("failed for %s", "SESSION-token+123", extra={"token": "SESSION-token+123"})
"""
SECRETS = {
    "AWS_SECRET_ACCESS_KEY": 'AKIAVERYSECRET/with\\odd"signs',
    "AWS_SESSION_TOKEN": "SESSION-token+123",
}


LIBRARIES = """
import logging
from finscribe_trainer.reporting import setup_logging
setup_logging()
import huggingface_hub.utils.logging as hub
import transformers.utils.logging as transformers
hub.get_logger("huggingface_hub.utils._http").warning("Retrying in 1s")
transformers.get_logger("transformers.trainer").warning("something else")
logging.getLogger("finscribe_trainer").info("error (X): y", extra={"as_printed": True})
"""
IN_A_POD = {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}


def run_script(log_format: str | None, script: str = SCRIPT, **variables: str) -> list[str]:
    env = {**SECRETS, "FINSCRIBE_RUN": "invoices-1a2b", "AWS_ACCESS_KEY_ID": "step", **variables}
    if log_format:
        env["FINSCRIBE_LOG_FORMAT"] = log_format
    done = subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, text=True, check=True)
    return done.stderr.splitlines()


@pytest.fixture(scope="module")
def json_lines() -> list[str]:
    return run_script(None, **IN_A_POD)


@pytest.mark.parametrize(
    ("log_format", "variables", "is_json"),
    [(None, {}, False), (None, IN_A_POD, True), ("json", {}, True), ("text", IN_A_POD, False)],
    ids=["in a pipe", "in a pod", "asked for json", "asked for text"],
)
def test_lines_are_json_in_a_pod_or_when_asked_for(log_format, variables, is_json):
    assert run_script(log_format, **variables)[0].startswith("{") == is_json


def test_a_line_of_a_library_appears_once_and_in_the_format_of_the_log():
    hub, transformers, printed = run_script("text", LIBRARIES)
    assert hub.endswith("WARNING huggingface_hub.utils._http: Retrying in 1s")
    assert transformers.endswith("WARNING transformers.trainer: something else")
    assert printed == "error (X): y"


def test_every_line_in_json_has_the_run_and_extra_fields(json_lines):
    records = [json.loads(line) for line in json_lines]

    assert (
        records[0].items()
        >= {
            "level": "info",
            "logger": "finscribe_trainer.pipeline.recipe",
            "message": "step 3",
            "run": "invoices-1a2b",
            "loss": 0.4,
        }.items()
    )
    assert records[0]["time"].endswith("Z")


def test_warnings_of_python_are_logged(json_lines):
    assert any("old option" in json.loads(line)["message"] for line in json_lines)


def test_exceptions_come_with_their_traceback(json_lines):
    assert "Traceback" in json.loads(json_lines[-1])["exception"]


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_no_secret_is_ever_logged(log_format):
    text = "\n".join(run_script(log_format))

    assert "[redacted]" in text
    for secret in (*SECRETS.values(), "AKIAVERYSECRET", "0123abcd", "abc%2Fd"):
        assert secret not in text


def test_text_lines_have_time_level_logger_and_message():
    line = run_script("text")[0]

    assert line.endswith("INFO    finscribe_trainer.pipeline.recipe: step 3")


def test_a_short_value_is_not_redacted(json_lines):
    assert json.loads(json_lines[0])["message"] == "step 3"
