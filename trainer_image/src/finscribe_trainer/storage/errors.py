"""Maps exceptions of botocore and of the disk to the errors that a run reports."""

from enum import Enum, auto
from http import HTTPStatus
from typing import Any

from finscribe_core.errors import FailureReason, RetryableError, UserError, is_disk_full


class ErrorKind(Enum):
    """Why a request failed."""

    Transient = auto()
    """May succeed when repeated: no connection, timeout, truncated body, 429, 5xx."""
    Denied = auto()
    Missing = auto()
    Changed = auto()
    """The object was replaced since the download began: If-Match failed (412), or it is shorter now (416)."""
    WrongRegion = auto()
    InvalidName = auto()
    """Not a valid name of a bucket or object."""
    DiskFull = auto()
    Refused = auto()
    """S3 returned any other error."""
    Unrelated = auto()
    """Neither storage nor disk: a bug, raised unchanged."""


class TruncatedBodyError(Exception):
    """A response body was shorter than its Content-Length."""


class ObjectChangedError(Exception):
    """The object was replaced during the download, or its MD5 is wrong: it must be downloaded again."""


_BY_CODE = {
    **dict.fromkeys(("RequestTimeout", "SlowDown", "InternalError", "Throttling"), ErrorKind.Transient),
    **dict.fromkeys(("ExpiredToken", "InvalidToken", "TokenRefreshRequired"), ErrorKind.Denied),
    **dict.fromkeys(("PermanentRedirect", "AuthorizationHeaderMalformed"), ErrorKind.WrongRegion),
    "InvalidBucketName": ErrorKind.InvalidName,
}
"""S3's error codes that are more specific than their HTTP status."""
_BY_STATUS: dict[int, ErrorKind] = {
    HTTPStatus.MOVED_PERMANENTLY: ErrorKind.WrongRegion,
    HTTPStatus.UNAUTHORIZED: ErrorKind.Denied,
    HTTPStatus.FORBIDDEN: ErrorKind.Denied,
    HTTPStatus.NOT_FOUND: ErrorKind.Missing,
    HTTPStatus.PRECONDITION_FAILED: ErrorKind.Changed,
    HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE: ErrorKind.Changed,
    HTTPStatus.TOO_MANY_REQUESTS: ErrorKind.Transient,
    HTTPStatus.INTERNAL_SERVER_ERROR: ErrorKind.Transient,
    HTTPStatus.BAD_GATEWAY: ErrorKind.Transient,
    HTTPStatus.SERVICE_UNAVAILABLE: ErrorKind.Transient,
    HTTPStatus.GATEWAY_TIMEOUT: ErrorKind.Transient,
}


def classify(error: BaseException) -> ErrorKind:
    """Classify an exception."""
    from botocore import exceptions as boto  # noqa: PLC0415 - botocore is slow to import, and not always needed

    if isinstance(error, boto.ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return _BY_CODE.get(error_code(error.response)) or _BY_STATUS.get(status, ErrorKind.Refused)
    if isinstance(error, OSError) and is_disk_full(error):
        return ErrorKind.DiskFull
    table: tuple[tuple[tuple[type[BaseException], ...], ErrorKind], ...] = (
        (
            (boto.NoCredentialsError, boto.PartialCredentialsError, boto.CredentialRetrievalError),
            ErrorKind.Denied,
        ),
        ((boto.ParamValidationError,), ErrorKind.InvalidName),
        ((boto.HTTPClientError, boto.ConnectionError, boto.IncompleteReadError), ErrorKind.Transient),
        ((TruncatedBodyError, ConnectionError, TimeoutError), ErrorKind.Transient),
        ((boto.BotoCoreError,), ErrorKind.Refused),
    )
    return next((problem for types, problem in table if isinstance(error, types)), ErrorKind.Unrelated)


def error_code(response: Any) -> str:
    """The error code of an S3 response, such as NoSuchKey."""
    return str(response.get("Error", {}).get("Code", ""))


def translate(error: Exception, uri: str, endpoint: str, missing: FailureReason) -> Exception:
    """The error that the run reports for an exception; unrelated exceptions are returned unchanged.

    Args:
        error: what boto3 or the disk raised.
        uri: the object, for the message.
        endpoint: the server, for the message.
        missing: the reason when the object does not exist.
    """
    what = f"{uri} (endpoint {endpoint})"
    detail = f"{type(error).__name__}: {error}"
    unreachable = RetryableError(
        FailureReason.StorageUnavailable,
        f"{what} could not be reached: {detail}.",
        "Check that the object storage is up and its endpoint right.",
    )
    meanings = {
        ErrorKind.Transient: unreachable,
        ErrorKind.Refused: unreachable,
        ErrorKind.Changed: unreachable,
        ErrorKind.Denied: UserError(
            FailureReason.StorageAccessDenied,
            f"Access to {what} was denied: {detail}.",
            "Check the credentials (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY or the service account) "
            "and that they may read, write and list here.",
        ),
        ErrorKind.Missing: UserError(
            missing, f"{what} does not exist: {detail}.", "Check the bucket and the path."
        ),
        ErrorKind.WrongRegion: UserError(
            FailureReason.InvalidConfig,
            f"The bucket of {what} is in another region: {detail}.",
            "Set storage.region to the bucket's region.",
        ),
        ErrorKind.InvalidName: UserError(
            FailureReason.InvalidConfig,
            f"{what} is not a valid name: {detail}.",
            "Check the bucket and the path.",
        ),
        ErrorKind.DiskFull: disk_full(uri, error),
    }
    return meanings.get(classify(error), error)


def disk_full(what: str, error: Exception) -> RetryableError:
    """The error for a full scratch volume."""
    return RetryableError(
        FailureReason.DiskFull,
        f"No room left on the disk for {what}: {error}.",
        "Free some space, or raise resources.scratch.",
    )
