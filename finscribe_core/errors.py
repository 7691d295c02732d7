"""Defines user errors (never retried) and transient errors (retried), and maps disk errors to them."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum

from finscribe_core.constants import EXIT_RETRY, EXIT_USER_ERROR


class FailureReason(StrEnum):
    """Why a run failed: the `reason` of the Failed condition and of the trainer's RunResult."""

    # User errors: the job must be changed.
    InvalidConfig = "InvalidConfig"
    """A setting is unknown, has the wrong type, or contradicts another."""
    DatasetNotFound = "DatasetNotFound"
    """The dataset's file, prefix or bucket does not exist."""
    DatasetInvalid = "DatasetInvalid"
    """A row or an image of the dataset can't be used."""
    ModelNotFound = "ModelNotFound"
    """The base model, or the adapter to start from, does not exist or is not a model."""
    ModelAccessDenied = "ModelAccessDenied"
    """The hub refused to hand out the base model: it is gated or private, or there is none of that name."""
    ModelUnsupported = "ModelUnsupported"
    """The base model can't be trained on this data."""
    LoraTargetsNotFound = "LoraTargetsNotFound"
    """`lora.targetModules` matches no module of the model."""
    StorageAccessDenied = "StorageAccessDenied"
    """The object storage rejected the credentials."""
    OutputNotFound = "OutputNotFound"
    """The bucket of `output.uri` does not exist."""
    ResultNotFound = "ResultNotFound"
    """The bucket holds no complete result of the run."""
    MergeMismatch = "MergeMismatch"
    """The merged model does not compute the same logits as base plus adapter."""
    PreflightFailed = "PreflightFailed"
    """A check before the first step found that the model would not learn to read the pages."""
    NonFiniteLoss = "NonFiniteLoss"
    """The loss became NaN or infinite."""
    # Transient errors: a retry resumes from the last checkpoint.
    StorageUnavailable = "StorageUnavailable"
    """The object storage did not answer, even after retries, or with what no S3 server would send."""
    StorageCredentialsExpired = "StorageCredentialsExpired"
    """The object storage rejected credentials that it had accepted before, or that have expired."""
    DiskFull = "DiskFull"
    """The scratch volume is full."""
    Interrupted = "Interrupted"
    """The process was stopped (SIGTERM, Ctrl+C) and saved a checkpoint."""
    OOMKilled = "OOMKilled"
    """The container, or a data worker, ran out of memory."""
    # Set by the operator, never by the trainer.
    Evicted = "Evicted"
    """The pod was evicted: its node lacked a resource, was drained, or got a taint."""
    Preempted = "Preempted"
    """A pod of higher priority took the place of the pod."""
    PeerLost = "PeerLost"
    """Another pod of a run with several nodes has ended, or can't be reached."""
    NodeLost = "NodeLost"
    """The pod's node was shut down or deleted."""
    NodeRejected = "NodeRejected"
    """The node rejected the pod before it started it."""
    DeadlineExceeded = "DeadlineExceeded"
    """The run took longer than `activeDeadlineSeconds`."""
    StartDeadlineExceeded = "StartDeadlineExceeded"
    """The container did not start within `startDeadlineSeconds` after its pod was assigned to a node."""
    BackoffLimitExceeded = "BackoffLimitExceeded"
    """The run failed more than `backoffLimit` times."""
    InternalError = "InternalError"
    """A defect of FinScribe; please report it."""


class FinscribeError(Exception):
    """An error with a machine-readable reason, a message and, where known, a remedy."""

    exit_code: int

    def __init__(self, reason: FailureReason, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".rstrip()

    def as_printed(self) -> str:
        """As every command prints it: the reason and the message, and the remedy in a line of its own."""
        remedy = f"\n  -> {self.remedy}" if self.remedy else ""
        return f"error ({self.reason}): {self.message}{remedy}"


class UserError(FinscribeError):
    """The job can't succeed as written; never retried."""

    exit_code = EXIT_USER_ERROR


class RetryableError(FinscribeError):
    """A transient error; the job is retried."""

    exit_code = EXIT_RETRY


_DISK_FULL = {errno.ENOSPC, errno.EDQUOT}
_DISK_FULL_TEXTS = (
    "no space left on device",
    "os error 28",
    "pytorchstreamwriter failed writing",
    "basic_ios::clear: iostream error",
    "] . unexpected pos ",
)
"""Messages of libraries that don't pass the operating system's error on; the last three are torch.save's."""
_PATH_UNUSABLE = {
    *(errno.EACCES, errno.EPERM, errno.EROFS, errno.ENAMETOOLONG),
    *(errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ELOOP),
}


def is_disk_full(error: BaseException) -> bool:
    """Whether the error says that the disk is full, by its errno or by a library's message."""
    if isinstance(error, OSError) and error.errno in _DISK_FULL:
        return True
    return isinstance(error, Exception) and any(text in str(error).lower() for text in _DISK_FULL_TEXTS)


def classify_disk_error(error: BaseException) -> FinscribeError | None:
    """The error as DiskFull or, for a path that can't be used, InvalidConfig; None for any other error."""
    if is_disk_full(error):
        return RetryableError(
            FailureReason.DiskFull, f"No space is left on the disk ({error}).", "Free some."
        )
    if isinstance(error, OSError) and error.errno in _PATH_UNUSABLE and error.filename is not None:
        return UserError(
            FailureReason.InvalidConfig,
            f"{error.filename} can't be used: {error.strerror}.",
            "Choose another path, or correct its type or permissions.",
        )
    return None


@contextmanager
def disk_errors_as_finscribe_errors() -> Iterator[None]:
    """Raise disk errors inside this context as `classify_disk_error` maps them.

    Raises:
        UserError: InvalidConfig, a path can't be used.
        RetryableError: DiskFull.
    """
    try:
        yield
    except FinscribeError:
        raise
    except Exception as error:
        if known := classify_disk_error(error):
            raise known from error
        raise


def exception_chain(error: BaseException) -> Iterator[BaseException]:
    """The error and the chain of its causes (`__cause__`, else `__context__`), each once even in a cycle."""
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        cause = cause.__cause__ or cause.__context__
