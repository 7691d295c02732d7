"""Lists, reads, writes and deletes small objects, each with a single request."""

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, TypedDict

from finscribe_core.errors import FailureReason, UserError
from finscribe_trainer.storage.connection import Connection
from finscribe_trainer.storage.uri import ObjectUri

log = logging.getLogger(__name__)


class _Page(TypedDict, total=False):
    ContinuationToken: str
    Delimiter: str


@dataclass(frozen=True)
class ListedObject:
    """One object of a listing."""

    uri: ObjectUri
    relative: str
    """The key below the listed prefix."""


def list_objects(
    connection: Connection, prefix: ObjectUri, missing: FailureReason, *, deep: bool = True
) -> Iterator[ListedObject]:
    """Every object below a prefix, except the empty ones that S3 consoles create for folders.

    With `deep=False` only the objects directly below it; deeper ones are not requested at all.
    """
    page_of: _Page = {} if deep else {"Delimiter": "/"}
    while True:
        page = connection.call(
            prefix,
            missing,
            partial(
                connection.client.list_objects_v2, Bucket=prefix.bucket, Prefix=prefix.as_prefix, **page_of
            ),
        )
        for item in page.get("Contents", []):
            key = item["Key"]
            if not key.endswith("/"):
                relative = key.removeprefix(prefix.as_prefix)
                yield ListedObject(ObjectUri(prefix.bucket, key), relative)
        token = page.get("NextContinuationToken")
        if not token:
            return
        page_of["ContinuationToken"] = token


def first_key(connection: Connection, bucket: str, prefix: str) -> str | None:
    """The first key that begins with `prefix`."""
    page = connection.call(
        ObjectUri(bucket, prefix),
        FailureReason.DatasetNotFound,
        partial(connection.client.list_objects_v2, Bucket=bucket, Prefix=prefix, MaxKeys=1),
    )
    contents = page.get("Contents", [])
    return contents[0]["Key"] if contents else None


def read_bytes(connection: Connection, uri: ObjectUri, missing: FailureReason) -> bytes:
    """The content of a small object."""

    def request() -> bytes:
        return connection.client.get_object(Bucket=uri.bucket, Key=uri.key)["Body"].read()

    data = connection.call(uri, missing, request)
    connection.observer.transferred("download", len(data))
    return data


def read_json(connection: Connection, uri: ObjectUri) -> dict[str, Any] | None:
    """A JSON object; None when it does not exist or (with a warning) is not a JSON object."""
    missing = FailureReason.DatasetNotFound
    try:
        content = json.loads(read_bytes(connection, uri, missing))
    except UserError as error:
        if error.reason is missing:
            return None
        raise
    except ValueError as error:
        log.warning("%s is not JSON and is ignored: %s", uri, error)
        return None
    if not isinstance(content, dict):
        log.warning("%s is not a JSON object and is ignored", uri)
        return None
    return content


def put_bytes(connection: Connection, uri: ObjectUri, data: bytes) -> None:
    """Write a small object."""
    connection.call(
        uri,
        FailureReason.OutputNotFound,
        lambda: connection.client.put_object(Bucket=uri.bucket, Key=uri.key, Body=data),
    )
    connection.observer.transferred("upload", len(data))


def delete(connection: Connection, uri: ObjectUri) -> None:
    """Delete an object; it need not exist."""
    connection.call(
        uri,
        FailureReason.OutputNotFound,
        lambda: connection.client.delete_object(Bucket=uri.bucket, Key=uri.key),
    )
