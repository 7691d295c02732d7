"""Reads the headers of responses about objects; servers other than AWS may leave any of them out."""

import re
from typing import Any

from finscribe_trainer.storage.errors import BadResponseError

_CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d{1,18})")
_MD5_ETAG = re.compile(r'"?([0-9a-f]{32}(?:-[1-9]\d{0,4})?)"?')


def etag(response: Any) -> str:
    """The object's ETag.

    Raises:
        BadResponseError: there is none.
    """
    found = str(response.get("ETag", ""))
    if not found:
        raise BadResponseError("the response has no ETag, without which a download can't be resumed")
    return found


def md5_of_etag(response: Any) -> str | None:
    """The object's MD5 if its ETag is one (not with KMS or customer keys).

    After an upload in parts it is the MD5 of the parts' MD5s, followed by `-` and the number of parts.
    """
    encrypted = response.get("ServerSideEncryption", "AES256") != "AES256"
    match = _MD5_ETAG.fullmatch(response["ETag"])
    return None if encrypted or response.get("SSECustomerAlgorithm") or match is None else match[1]


def modified(response: Any) -> int:
    """When the object was last modified, in seconds since 1970; 0 if the response does not say."""
    found = response.get("LastModified")
    return int(found.timestamp()) if found else 0


def size_of_object(response: Any) -> int:
    """Size of the whole object, by the response to a request of its first bytes.

    Raises:
        BadResponseError: the response does not say, or has other bytes than the first ones.
    """
    if _is_partial(response):
        return _range(response, 0)
    return size_of_body(response)


def size_of_body(response: Any) -> int:
    """The Content-Length.

    Raises:
        BadResponseError: there is none.
    """
    found = response.get("ContentLength")
    if not isinstance(found, int) or found < 0:
        raise BadResponseError("the response has no Content-Length")
    return found


def check_starts_at(response: Any, first: int) -> None:
    """Check that a response has the bytes from `first` on; others would damage the file unnoticed.

    Raises:
        BadResponseError: it has others, or does not say.
    """
    if _is_partial(response):
        _range(response, first)
    elif first:
        raise BadResponseError(f"the whole object was sent instead of its bytes from {first} on")


def _is_partial(response: Any) -> bool:
    return bool(response["ResponseMetadata"]["HTTPStatusCode"] == 206)


def _range(response: Any, first: int) -> int:
    """The size of the object by a Content-Range that begins at `first`."""
    text = response.get("ContentRange", "")
    match = _CONTENT_RANGE.fullmatch(text)
    if match is None or int(match[1]) != first:
        raise BadResponseError(f"the bytes from {first} on were requested, but the Content-Range is {text!r}")
    return int(match[2])
