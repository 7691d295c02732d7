import errno

import pytest
import torch

from finscribe_core.constants import ENV_JOB, ENV_TERMINATION_LOG
from finscribe_core.errors import FailureReason, RetryableError, UserError
from finscribe_core.report import RunResult
from finscribe_trainer.pipeline.outcome import run_and_report
from finscribe_trainer.reporting import RunReporter
from finscribe_trainer.runtime.stop_signal import StopRequested


def its_own_cause(error: Exception) -> Exception:
    error.__cause__ = error
    return error


CASES = {
    "a user's error": (UserError(FailureReason.DatasetInvalid, "row 3"), 78, "DatasetInvalid", False),
    "the world's error": (
        RetryableError(FailureReason.StorageUnavailable, "503"),
        75,
        "StorageUnavailable",
        True,
    ),
    "a stop": (StopRequested(), 75, "Interrupted", True),
    "a full disk": (OSError(errno.ENOSPC, "No space left on device"), 71, "DiskFull", True),
    "a full disk, reported by a library": (
        RuntimeError("I/O error: No space left on device (os error 28)"),
        71,
        "DiskFull",
        True,
    ),
    "a full disk, reported by torch.save": (
        RuntimeError("[enforce fail at inline_container.cc:671] . unexpected pos 56832 vs 56720"),
        71,
        "DiskFull",
        True,
    ),
    "a full GPU": (torch.OutOfMemoryError("CUDA out of memory"), 78, "InvalidConfig", False),
    "a bug": (KeyError("x"), 70, "InternalError", True),
    "an error that is its own cause": (its_own_cause(OSError(errno.EIO, "I/O")), 70, "InternalError", True),
}


@pytest.mark.parametrize(("error", "code", "reason", "retryable"), CASES.values(), ids=CASES)
def test_every_error_becomes_an_exit_code_and_a_termination_message(
    error, code, reason, retryable, tmp_path, monkeypatch
):
    monkeypatch.setenv(ENV_TERMINATION_LOG, str(tmp_path / "termination"))

    def fail() -> RunResult:
        raise error

    assert run_and_report(fail, RunReporter(run="r", job="j")) == code
    result = RunResult.from_termination_message((tmp_path / "termination").read_text())
    assert result is not None
    assert (result.reason, result.retryable, result.succeeded) == (reason, retryable, False)


def test_an_error_is_classified_by_its_cause(tmp_path, monkeypatch):
    monkeypatch.setenv(ENV_TERMINATION_LOG, str(tmp_path / "termination"))

    def fail() -> RunResult:
        try:
            raise OSError(errno.ENOSPC, "No space left on device")
        except OSError as error:
            raise RuntimeError("could not save") from error

    assert run_and_report(fail, RunReporter(run="r", job="j")) == 71


@pytest.mark.parametrize(
    ("job", "named"),
    [("", "training.max_sequence_length"), ("invoices", "training.maxSequenceLength")],
)
def test_an_error_names_settings_in_the_spelling_of_the_users_file(job, named, monkeypatch, caplog):
    monkeypatch.setenv(ENV_JOB, job)
    error = UserError(FailureReason.DatasetInvalid, "Too long.", "Raise training.max_sequence_length.")

    def fail() -> RunResult:
        raise error

    run_and_report(fail, RunReporter(run="r", job=job))
    assert caplog.messages == [f"error (DatasetInvalid): Too long.\n  -> Raise {named}."]
