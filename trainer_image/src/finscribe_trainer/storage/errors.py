"""Maps exceptions of botocore and of the disk to the errors that a run reports."""

import os
from enum import Enum, auto
from http import HTTPStatus
from typing import Any

from finscribe_core.errors import (
    FailureReason,
    FinscribeError,
    RetryableError,
    UserError,
    classify_disk_error,
    is_disk_full,
)
from finscribe_core.logs import Redactor
from finscribe_trainer.runtime.certificates import HOW_TO_TRUST, is_untrusted


class ErrorKind(Enum):
    """Why a request failed."""

    Transient = auto()
    """May succeed when repeated: no connection, timeout, truncated body, 429, 5xx."""
    Expired = auto()
    """The token has expired, or this machine's clock is wrong: another pod has fresh credentials."""
    Denied = auto()
    Missing = auto()
    Changed = auto()
    """The object was replaced since the download began: If-Match failed (412), or it is shorter now (416)."""
    Untrusted = auto()
    """The endpoint's certificate is not trusted."""
    WrongRegion = auto()
    InvalidName = auto()
    """Not a valid name of a bucket or object."""
    DiskFull = auto()
    Refused = auto()
    """Any other error that S3 returned, or a response that is none of S3's."""
    Unrelated = auto()
    """An error of FinScribe's own or of the disk, raised as it is."""


class TruncatedBodyError(Exception):
    """A response body was shorter than its Content-Length."""


class BadResponseError(Exception):
    """A response lacks a header that S3 always sends, or has one that can't be right."""


class ObjectChangedError(Exception):
    """The object was replaced during the download, or its MD5 is wrong: it must be downloaded again."""


_LONGEST_DETAIL = 500
"""Characters of an error's text in a message."""
_BY_CODE = {
    **dict.fromkeys(("RequestTimeout", "SlowDown", "InternalError", "Throttling"), ErrorKind.Transient),
    **dict.fromkeys(("ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"), ErrorKind.Expired),
    **dict.fromkeys(("RequestExpired", "RequestTimeTooSkewed"), ErrorKind.Expired),
    "InvalidToken": ErrorKind.Denied,
    **dict.fromkeys(("PermanentRedirect", "AuthorizationHeaderMalformed"), ErrorKind.WrongRegion),
    **dict.fromkeys(("InvalidBucketName", "KeyTooLongError", "InvalidURI"), ErrorKind.InvalidName),
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
    """Classify an exception.

    What is raised while a response is parsed can be of any type, and is the endpoint's fault.
    """
    from botocore import exceptions as boto  # noqa: PLC0415 - botocore is slow to import, and not always needed

    if isinstance(error, boto.ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return _BY_CODE.get(error_code(error.response)) or _BY_STATUS.get(status, ErrorKind.Refused)
    if isinstance(error, OSError) and is_disk_full(error):
        return ErrorKind.DiskFull
    if isinstance(error, boto.SSLError) and is_untrusted(error):
        return ErrorKind.Untrusted
    table: tuple[tuple[tuple[type[BaseException], ...], ErrorKind], ...] = (
        (
            (boto.NoCredentialsError, boto.PartialCredentialsError, boto.CredentialRetrievalError),
            ErrorKind.Denied,
        ),
        ((boto.ParamValidationError,), ErrorKind.InvalidName),
        ((boto.HTTPClientError, boto.ConnectionError, boto.IncompleteReadError), ErrorKind.Transient),
        ((TruncatedBodyError, ConnectionError, TimeoutError), ErrorKind.Transient),
        ((boto.BotoCoreError,), ErrorKind.Refused),
        ((FinscribeError, OSError, ObjectChangedError), ErrorKind.Unrelated),
    )
    return next((problem for types, problem in table if isinstance(error, types)), ErrorKind.Refused)


def error_code(response: Any) -> str:
    """The error code of an S3 response, such as NoSuchKey."""
    return str(response.get("Error", {}).get("Code", ""))


def translate(
    error: Exception, uri: str, endpoint: str, missing: FailureReason, *, was_granted: bool = False
) -> Exception:
    """The error that the run reports for an exception; unrelated exceptions are returned unchanged.

    Args:
        error: what boto3 or the disk raised.
        uri: the object, for the message.
        endpoint: the server, for the message.
        missing: the reason when the object does not exist.
        was_granted: whether such a request was granted before, so that a denial is no lack of permissions.
    """
    what = f"{uri} (endpoint {endpoint})"
    detail = f"{type(error).__name__}: {_shortened(str(error))}"
    expired = RetryableError(
        FailureReason.StorageCredentialsExpired,
        f"{what} is no longer accessible with the credentials of this run: {detail}.",
        "A retry uses the credentials that are valid then. Check that they are renewed, that the permissions "
        "have not changed, and the machine's clock.",
    )
    unreachable = RetryableError(
        FailureReason.StorageUnavailable,
        f"{what} could not be reached: {detail}.",
        "Check that the object storage is up and its endpoint right.",
    )
    untrusted = RetryableError if was_granted else UserError  # it was trusted before: it has expired, say
    meanings: dict[ErrorKind, Exception] = {
        ErrorKind.Transient: unreachable,
        ErrorKind.Refused: RetryableError(
            FailureReason.StorageUnavailable,
            f"{what}: the endpoint's answer is an error or can't be understood: {detail}.",
            "Check that the endpoint is that of an S3-compatible server, not of its console or of a proxy.",
        ),
        ErrorKind.Changed: unreachable,
        ErrorKind.Expired: expired,
        ErrorKind.Denied: expired
        if was_granted
        else UserError(
            FailureReason.StorageAccessDenied,
            f"Access to {what} was denied: {detail}.",
            "Check the credentials (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY or the service account) "
            "and that they may read, write and list here.",
        ),
        ErrorKind.Missing: UserError(
            missing, f"{what} does not exist: {detail}.", "Check the bucket and the path."
        ),
        ErrorKind.Untrusted: untrusted(
            FailureReason.StorageUnavailable if was_granted else FailureReason.InvalidConfig,
            f"The certificate of the endpoint of {what} is not trusted: {detail}.",
            HOW_TO_TRUST,
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
        ErrorKind.Unrelated: classify_disk_error(error) or error,
    }
    return meanings[classify(error)]


def _shortened(text: str) -> str:
    """The text in at most 500 characters: an error may quote a whole page of HTML.

    Credentials are removed here already: what is left of one that was cut would not be recognised later.
    """
    text = Redactor(os.environ)(text)
    return text if len(text) <= _LONGEST_DETAIL else f"{text[:_LONGEST_DETAIL]}..."


def disk_full(what: str, error: Exception) -> RetryableError:
    """The error for a full scratch volume."""
    return RetryableError(
        FailureReason.DiskFull,
        f"No room left on the disk for {what}: {error}.",
        "Free some space, or raise resources.scratch.",
    )
