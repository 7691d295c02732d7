"""The two kinds of error: the user's, which no retry can mend, and the world's, which one may."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum

from finscribe_core.constants import EXIT_RETRY, EXIT_USER_ERROR


class FailureReason(StrEnum):
    """Why a run failed: the `reason` of the Failed condition and of the trainer's RunResult."""

    # The user's: the job must be changed.
    InvalidConfig = "InvalidConfig"
    """A setting is unknown, has the wrong type, or contradicts another."""
    DatasetNotFound = "DatasetNotFound"
    """The dataset's file, prefix or bucket does not exist."""
    DatasetInvalid = "DatasetInvalid"
    """A row or an image of the dataset can't be used."""
    ModelNotFound = "ModelNotFound"
    """The base model does not exist or is not a model."""
    ModelUnsupported = "ModelUnsupported"
    """The base model can't be trained on this data."""
    LoraTargetsNotFound = "LoraTargetsNotFound"
    """`lora.targetModules` matches no module of the model."""
    StorageAccessDenied = "StorageAccessDenied"
    """The object storage refused the credentials."""
    OutputNotFound = "OutputNotFound"
    """The bucket of `output.uri` does not exist."""
    MergeMismatch = "MergeMismatch"
    """The merged model does not compute the same logits as base plus adapter."""
    NonFiniteLoss = "NonFiniteLoss"
    """The loss became NaN or infinite."""
    # The world's: a retry resumes from the last checkpoint.
    StorageUnavailable = "StorageUnavailable"
    """The object storage did not answer, also not after retries."""
    DiskFull = "DiskFull"
    """The scratch volume has no room left."""
    Interrupted = "Interrupted"
    """The process was asked to stop (SIGTERM, Ctrl+C) and saved a checkpoint."""
    # Seen by the operator alone.
    OOMKilled = "OOMKilled"
    """The container ran out of memory."""
    Evicted = "Evicted"
    """The node evicted the pod."""
    DeadlineExceeded = "DeadlineExceeded"
    """`activeDeadlineSeconds` ran out."""
    BackoffLimitExceeded = "BackoffLimitExceeded"
    """The run failed more than `backoffLimit` times."""
    InternalError = "InternalError"
    """A defect of FinScribe; please report it."""


class FinscribeError(Exception):
    """An error with a reason for machines, a message for people and, where known, a remedy."""

    exit_code: int

    def __init__(self, reason: FailureReason, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".rstrip()


class UserError(FinscribeError):
    """The job can't succeed as written."""

    exit_code = EXIT_USER_ERROR


class RetryableError(FinscribeError):
    """The job may succeed when tried again."""

    exit_code = EXIT_RETRY


_NO_ROOM = {errno.ENOSPC, errno.EDQUOT}
_NOT_WRITABLE = {
    *(errno.EACCES, errno.EPERM, errno.EROFS, errno.ENAMETOOLONG),
    *(errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ELOOP),
}


def of_the_disk(error: OSError) -> FinscribeError | None:
    """A path that can't be used, or a full disk, in words; None for anything else, which may be a defect."""
    if error.errno in _NO_ROOM:
        return RetryableError(
            FailureReason.DiskFull, f"No space is left on the disk ({error}).", "Free some."
        )
    if error.errno in _NOT_WRITABLE and error.filename is not None:
        return UserError(
            FailureReason.InvalidConfig,
            f"{error.filename} can't be used: {error.strerror}.",
            "Name another path, or change what is there.",
        )
    return None


@contextmanager
def disk_trouble_told() -> Iterator[None]:
    """Within, what `of_the_disk` knows is raised in its words.

    Raises:
        UserError: InvalidConfig, a path can't be used.
        RetryableError: DiskFull.
    """
    try:
        yield
    except OSError as error:
        if known := of_the_disk(error):
            raise known from error
        raise


def with_causes(error: BaseException) -> Iterator[BaseException]:
    """The error, what caused it, what caused that, and so on; each once, though it be its own cause."""
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        cause = cause.__cause__ or cause.__context__
