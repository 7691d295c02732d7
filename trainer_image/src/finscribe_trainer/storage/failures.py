"""What an exception of botocore, or of the disk, means to a run."""

import errno
from enum import Enum, auto
from http import HTTPStatus
from typing import Any

from finscribe_core.errors import FailureReason, RetryableError, UserError


class Problem(Enum):
    """What kind of trouble a request ran into."""

    Transient = auto()
    """A later try may succeed: no connection, timeout, truncated body, 429, 5xx."""
    Denied = auto()
    Missing = auto()
    Changed = auto()
    """The object is not the one the download began with (412 of If-Match, or it became shorter: 416)."""
    WrongRegion = auto()
    InvalidName = auto()
    """No bucket or object can have this name."""
    DiskFull = auto()
    Refused = auto()
    """S3 answered with an error of another kind."""
    NotOurs = auto()
    """Neither the storage's nor the disk's: a defect, to be seen as what it is."""


class TruncatedBodyError(Exception):
    """A body ended before its announced length."""


class ObjectChangedError(Exception):
    """The object was replaced, or arrived damaged: what is on disk must be fetched anew."""


_BY_CODE = {
    **dict.fromkeys(("RequestTimeout", "SlowDown", "InternalError", "Throttling"), Problem.Transient),
    **dict.fromkeys(("ExpiredToken", "InvalidToken", "TokenRefreshRequired"), Problem.Denied),
    **dict.fromkeys(("PermanentRedirect", "AuthorizationHeaderMalformed"), Problem.WrongRegion),
    "InvalidBucketName": Problem.InvalidName,
}
"""S3's error codes that say more than their HTTP status."""
_BY_STATUS: dict[int, Problem] = {
    HTTPStatus.MOVED_PERMANENTLY: Problem.WrongRegion,
    HTTPStatus.UNAUTHORIZED: Problem.Denied,
    HTTPStatus.FORBIDDEN: Problem.Denied,
    HTTPStatus.NOT_FOUND: Problem.Missing,
    HTTPStatus.PRECONDITION_FAILED: Problem.Changed,
    HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE: Problem.Changed,
    HTTPStatus.TOO_MANY_REQUESTS: Problem.Transient,
    HTTPStatus.INTERNAL_SERVER_ERROR: Problem.Transient,
    HTTPStatus.BAD_GATEWAY: Problem.Transient,
    HTTPStatus.SERVICE_UNAVAILABLE: Problem.Transient,
    HTTPStatus.GATEWAY_TIMEOUT: Problem.Transient,
}
_DISK_FULL = {errno.ENOSPC, errno.EDQUOT}


def classify(error: BaseException) -> Problem:
    """The kind of trouble an exception stands for."""
    from botocore import exceptions as boto  # noqa: PLC0415 - botocore is slow to import, and not always needed

    if isinstance(error, boto.ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return _BY_CODE.get(error_code(error.response)) or _BY_STATUS.get(status, Problem.Refused)
    if isinstance(error, OSError) and error.errno in _DISK_FULL:
        return Problem.DiskFull
    table: tuple[tuple[tuple[type[BaseException], ...], Problem], ...] = (
        (
            (boto.NoCredentialsError, boto.PartialCredentialsError, boto.CredentialRetrievalError),
            Problem.Denied,
        ),
        ((boto.ParamValidationError,), Problem.InvalidName),
        ((boto.HTTPClientError, boto.ConnectionError, boto.IncompleteReadError), Problem.Transient),
        ((TruncatedBodyError, ConnectionError, TimeoutError), Problem.Transient),
        ((boto.BotoCoreError,), Problem.Refused),
    )
    return next((problem for types, problem in table if isinstance(error, types)), Problem.NotOurs)


def error_code(response: Any) -> str:
    """S3's own word for an error, such as NoSuchKey."""
    return str(response.get("Error", {}).get("Code", ""))


def translate(error: Exception, uri: str, endpoint: str, missing: FailureReason) -> Exception:
    """The exception as what the run reports; `missing` is the reason of a 404. Defects stay what they are."""
    what = f"{uri} (endpoint {endpoint})"
    detail = f"{type(error).__name__}: {error}"
    unreachable = RetryableError(
        FailureReason.StorageUnavailable,
        f"{what} could not be reached: {detail}.",
        "Check that the object storage is up and its endpoint right.",
    )
    meanings = {
        Problem.Transient: unreachable,
        Problem.Refused: unreachable,
        Problem.Changed: unreachable,
        Problem.Denied: UserError(
            FailureReason.StorageAccessDenied,
            f"Access to {what} was denied: {detail}.",
            "Check the credentials (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY or the service account) "
            "and that they may read, write and list here.",
        ),
        Problem.Missing: UserError(
            missing, f"{what} does not exist: {detail}.", "Check the bucket and the path."
        ),
        Problem.WrongRegion: UserError(
            FailureReason.InvalidConfig,
            f"The bucket of {what} is in another region: {detail}.",
            "Set storage.region to the bucket's region.",
        ),
        Problem.InvalidName: UserError(
            FailureReason.InvalidConfig,
            f"{what} is no valid name: {detail}.",
            "Check the bucket and the path.",
        ),
        Problem.DiskFull: disk_full(uri, error),
    }
    return meanings.get(classify(error), error)


def disk_full(what: str, error: Exception) -> RetryableError:
    """No room left on the scratch volume."""
    return RetryableError(
        FailureReason.DiskFull,
        f"No room left on the disk for {what}: {error}.",
        "Free some space, or raise resources.scratch.",
    )
