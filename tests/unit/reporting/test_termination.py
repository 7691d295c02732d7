"""The termination message: complete where it fits, truncated where it does not, without secrets."""

import logging

import pytest

from finscribe_core.errors import FailureReason
from finscribe_core.report import Metrics, RunResult
from finscribe_trainer.reporting import RunReporter, write_termination


@pytest.mark.parametrize(
    "message",
    ["short", "x" * 10_000, "ü" * 10_000, '"\\\n' * 5_000],
    ids=["short", "long", "umlauts", "escapes"],
)
def test_the_message_fits_and_keeps_reason_and_metrics(message, monkeypatch, tmp_path):
    monkeypatch.setenv("FINSCRIBE_TERMINATION_LOG", str(tmp_path / "log"))
    result = RunResult(
        succeeded=False,
        reason=FailureReason.DatasetInvalid,
        message=message,
        remedy=message,
        metrics=Metrics(train_loss="0.4"),
    )

    RunReporter("r", "j").write_termination(result)

    written = (tmp_path / "log").read_bytes()
    assert len(written) <= 4096
    read = RunResult.from_termination_message(written.decode())
    assert (read.reason, read.metrics.train_loss) == (FailureReason.DatasetInvalid, "0.4")
    assert read.message[:5] == message[:5]


def test_the_termination_message_contains_no_secret(monkeypatch, tmp_path):
    monkeypatch.setenv("FINSCRIBE_TERMINATION_LOG", str(tmp_path / "log"))
    # A Secret's value often ends with the line break of the `echo` that created it.
    monkeypatch.setenv("AWS_SESSION_TOKEN", "session-token-1\n")

    write_termination(RunResult(succeeded=False, message="Invalid header value b'session-token-1\\n'"))

    message = RunResult.from_termination_message((tmp_path / "log").read_text()).message
    assert message == "Invalid header value b'[redacted]\\n'"


def test_a_message_that_can_not_be_written_only_causes_a_warning(monkeypatch, tmp_path, caplog):
    monkeypatch.setenv("FINSCRIBE_TERMINATION_LOG", str(tmp_path))

    with caplog.at_level(logging.WARNING):
        write_termination(RunResult(succeeded=True))

    assert str(tmp_path) in caplog.text
