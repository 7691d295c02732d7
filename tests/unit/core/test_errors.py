"""Which exceptions are a full disk or an unusable path."""

import errno
from pathlib import Path

import pytest
import torch

from finscribe_core.errors import (
    FailureReason,
    RetryableError,
    UserError,
    classify_disk_error,
    disk_errors_as_finscribe_errors,
    is_disk_full,
)

FULL = {
    "no space": OSError(errno.ENOSPC, "No space left on device"),
    "an exhausted quota": OSError(errno.EDQUOT, "Disk quota exceeded"),
    "a Rust library": RuntimeError("I/O error: No space left on device (os error 28)"),
    "torch.save, at its begin": RuntimeError(
        "PytorchStreamWriter failed writing file data/0: file write failed"
    ),
    "torch.save, at its end": RuntimeError(
        "[enforce fail at inline_container.cc:595] . unexpected pos 64 vs 0"
    ),
    "torch.save, a stream": RuntimeError("basic_ios::clear: iostream error"),
}


@pytest.mark.parametrize("error", FULL.values(), ids=FULL)
def test_a_full_disk_is_recognised(error: Exception):
    assert is_disk_full(error)
    known = classify_disk_error(error)
    assert isinstance(known, RetryableError) and known.reason == FailureReason.DiskFull


def test_torch_saving_to_a_full_device_is_recognised():
    with pytest.raises((OSError, RuntimeError)) as caught:
        torch.save({"w": torch.zeros(100_000)}, "/dev/full")

    assert is_disk_full(caught.value)


def test_any_other_error_is_not_a_full_disk():
    for error in (OSError(errno.EIO, "Input/output error"), ValueError("step 28"), KeyboardInterrupt()):
        assert not is_disk_full(error)
        assert classify_disk_error(error) is None


def test_within_the_context_a_path_that_cannot_be_used_is_a_user_error(tmp_path: Path):
    (tmp_path / "file").touch()

    message = "file/folder can't be used: Not a directory"
    with pytest.raises(UserError, match=message), disk_errors_as_finscribe_errors():
        (tmp_path / "file" / "folder").mkdir()


def test_within_the_context_an_error_that_is_already_classified_stays():
    stays = UserError(FailureReason.DatasetInvalid, "row 3 contains 'no space left on device'")

    with pytest.raises(UserError) as caught, disk_errors_as_finscribe_errors():
        raise stays

    assert caught.value is stays
