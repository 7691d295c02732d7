"""Small questions to a bucket: what is there, read it, remove it."""

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
class Listed:
    """One object of a listing."""

    uri: ObjectUri
    relative: str
    """The key below the listed prefix."""
    size: int


def list_objects(
    connection: Connection, prefix: ObjectUri, missing: FailureReason, *, deep: bool = True
) -> Iterator[Listed]:
    """Every object below a prefix, but for the empty ones that consoles make for folders.

    Without `deep` only those directly below it: others are not even listed, be they millions.
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
                yield Listed(ObjectUri(prefix.bucket, key), relative, item["Size"])
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
    """A small object's content."""

    def request() -> bytes:
        return connection.client.get_object(Bucket=uri.bucket, Key=uri.key)["Body"].read()

    data = connection.call(uri, missing, request)
    connection.observer.transferred("download", len(data))
    return data


def read_json(connection: Connection, uri: ObjectUri) -> dict[str, Any] | None:
    """A JSON object; None when there is none, or (with a warning) when it is something else."""
    missing = FailureReason.DatasetNotFound
    try:
        content = json.loads(read_bytes(connection, uri, missing))
    except UserError as error:
        if error.reason is missing:
            return None
        raise
    except ValueError as error:
        log.warning("%s is not JSON, and therefore ignored: %s", uri, error)
        return None
    if not isinstance(content, dict):
        log.warning("%s is no JSON object, and therefore ignored", uri)
        return None
    return content


def delete(connection: Connection, uri: ObjectUri) -> None:
    """Remove an object; that there is none is fine."""
    connection.call(
        uri,
        FailureReason.OutputNotFound,
        lambda: connection.client.delete_object(Bucket=uri.bucket, Key=uri.key),
    )
