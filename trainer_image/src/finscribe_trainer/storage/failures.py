"""What an exception of botocore, or of the disk, means to a run."""

import errno
from enum import Enum, auto
from http import HTTPStatus
from typing import Any

from finscribe_core.errors import FailureReason, FinscribeError, RetryableError, UserError


class Problem(Enum):
    """What kind of trouble a request ran into."""

    Transient = auto()
    """A later try may succeed: no connection, timeout, truncated body, 429, 5xx."""
    Denied = auto()
    Missing = auto()
    Changed = auto()
    """The object is not the one the download began with (412 of If-Match)."""
    WrongRegion = auto()
    DiskFull = auto()
    Unknown = auto()


class TruncatedBodyError(Exception):
    """A body ended before its announced length."""


class ObjectChangedError(Exception):
    """The object was replaced, or arrived damaged: what is on disk must be fetched anew."""


_TRANSIENT_CODES = {"RequestTimeout", "SlowDown", "InternalError", "ServiceUnavailable", "Throttling"}
_DENIED_CODES = {
    "AccessDenied",
    "ExpiredToken",
    "InvalidAccessKeyId",
    "InvalidToken",
    "SignatureDoesNotMatch",
    "TokenRefreshRequired",
}
_WRONG_REGION_CODES = {
    "PermanentRedirect",
    "AuthorizationHeaderMalformed",
    "IllegalLocationConstraintException",
}
_DISK_FULL = {errno.ENOSPC, errno.EDQUOT}


def classify(error: BaseException) -> Problem:
    """The kind of trouble an exception stands for."""
    from botocore import exceptions as boto  # noqa: PLC0415 - botocore is slow to import, and not always needed

    if isinstance(error, boto.ClientError):
        return _classify_response(error.response)
    if isinstance(
        error, boto.NoCredentialsError | boto.PartialCredentialsError | boto.CredentialRetrievalError
    ):
        return Problem.Denied
    if isinstance(error, boto.HTTPClientError | boto.IncompleteReadError | TruncatedBodyError):
        return Problem.Transient
    if isinstance(error, OSError):
        if error.errno in _DISK_FULL:
            return Problem.DiskFull
        if isinstance(error, ConnectionError | TimeoutError):
            return Problem.Transient
    return Problem.Unknown


def _classify_response(response: Any) -> Problem:
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    code = error_code(response)
    if code in _WRONG_REGION_CODES or status == HTTPStatus.MOVED_PERMANENTLY:
        return Problem.WrongRegion
    if code in _DENIED_CODES or status in (HTTPStatus.FORBIDDEN, HTTPStatus.UNAUTHORIZED):
        return Problem.Denied
    if status == HTTPStatus.NOT_FOUND:
        return Problem.Missing
    if status == HTTPStatus.PRECONDITION_FAILED:
        return Problem.Changed
    lasting = status == HTTPStatus.NOT_IMPLEMENTED
    if code in _TRANSIENT_CODES or status == HTTPStatus.TOO_MANY_REQUESTS or (status >= 500 and not lasting):
        return Problem.Transient
    return Problem.Unknown


def error_code(response: Any) -> str:
    """S3's own word for an error, such as NoSuchKey."""
    return str(response.get("Error", {}).get("Code", ""))


def translate(error: Exception, uri: str, endpoint: str, missing: FailureReason) -> FinscribeError:
    """The exception as what the run reports; `missing` is the reason of a 404."""
    if isinstance(error, FinscribeError):
        return error
    what = f"{uri} (endpoint {endpoint})"
    detail = f"{type(error).__name__}: {error}"
    match classify(error):
        case Problem.Denied:
            return UserError(
                FailureReason.StorageAccessDenied,
                f"Access to {what} was denied: {detail}.",
                "Check the credentials (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY or the service account) "
                "and that they may read, write and list here.",
            )
        case Problem.Missing:
            return UserError(missing, f"{what} does not exist: {detail}.", "Check the bucket and the path.")
        case Problem.WrongRegion:
            return UserError(
                FailureReason.InvalidConfig,
                f"The bucket of {what} is in another region: {detail}.",
                "Set storage.region to the bucket's region.",
            )
        case Problem.DiskFull:
            return disk_full(uri, error)
        case _:
            return RetryableError(
                FailureReason.StorageUnavailable,
                f"{what} could not be reached: {detail}.",
                "Check that the object storage is up and its endpoint right.",
            )


def disk_full(what: str, error: Exception) -> RetryableError:
    """No room left on the scratch volume."""
    return RetryableError(
        FailureReason.DiskFull,
        f"No room left on the disk for {what}: {error}.",
        "Free some space, or raise resources.scratch.",
    )
