"""Lists, reads, writes and deletes small objects, each with a single request."""

import json
import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, TypedDict

from finscribe_core.constants import MANIFEST_FILE
from finscribe_core.errors import FailureReason, RetryableError, UserError
from finscribe_trainer.storage.connection import Connection
from finscribe_trainer.storage.manifest import MAX_MANIFEST_SIZE
from finscribe_trainer.storage.responses import modified
from finscribe_trainer.storage.uri import ObjectUri
from finscribe_trainer.storage.version import FileVersion, object_version

log = logging.getLogger(__name__)

MAX_PAGES = 1000
"""Pages of a listing, that is, a million objects where a page has 1,000, as on AWS."""


class _Page(TypedDict, total=False):
    ContinuationToken: str
    Delimiter: str


@dataclass(frozen=True)
class ListedObject:
    """One object of a listing."""

    uri: ObjectUri
    relative: str
    """The key below the listed prefix."""
    version: FileVersion


def list_objects(
    connection: Connection, prefix: ObjectUri, missing: FailureReason, *, deep: bool = True
) -> Iterator[ListedObject]:
    """Every object below a prefix, except the empty ones that S3 consoles create for folders.

    With `deep=False` only the objects directly below it; deeper ones are not requested at all.

    Raises:
        UserError: DatasetInvalid or `missing`: see `Connection.call`; there are more than MAX_PAGES pages.
    """
    page_of: _Page = {} if deep else {"Delimiter": "/"}
    for _ in range(MAX_PAGES):
        page = connection.call(
            prefix,
            missing,
            partial(
                connection.client.list_objects_v2, Bucket=prefix.bucket, Prefix=prefix.as_prefix, **page_of
            ),
        )
        for item in page.get("Contents", []):
            key = item.get("Key", "")
            if not key.startswith(prefix.as_prefix):
                raise _bad_listing(connection, prefix, f"it names {key!r}, which is not below the prefix")
            if not key.endswith("/"):
                relative = key.removeprefix(prefix.as_prefix)
                uri = ObjectUri(prefix.bucket, key)
                version = object_version(str(uri), item.get("ETag", ""), item.get("Size", 0), modified(item))
                yield ListedObject(uri, relative, version)
        token = page.get("NextContinuationToken")
        if not token:
            return
        if token == page_of.get("ContinuationToken"):
            raise _bad_listing(connection, prefix, "a page names itself as the next one")
        page_of["ContinuationToken"] = token
    raise UserError(
        missing,
        f"There are more objects below {prefix} than {MAX_PAGES:,} pages of a listing have.",
        "Use a prefix with less below it.",
    )


def _bad_listing(connection: Connection, prefix: ObjectUri, problem: str) -> RetryableError:
    return RetryableError(
        FailureReason.StorageUnavailable,
        f"{connection.endpoint} can't list {prefix}: {problem}.",
        "Check that the endpoint is that of an S3-compatible server.",
    )


def first_key(connection: Connection, bucket: str, prefix: str) -> str | None:
    """The first key that begins with `prefix`."""
    page = connection.call(
        ObjectUri(bucket, prefix),
        FailureReason.DatasetNotFound,
        partial(connection.client.list_objects_v2, Bucket=bucket, Prefix=prefix, MaxKeys=1),
    )
    return next((item["Key"] for item in page.get("Contents", []) if "Key" in item), None)


def read_version(connection: Connection, uri: ObjectUri, missing: FailureReason) -> FileVersion:
    """The version of an object."""
    found = connection.call(
        uri, missing, lambda: connection.client.head_object(Bucket=uri.bucket, Key=uri.key)
    )
    return object_version(str(uri), found.get("ETag", ""), found.get("ContentLength", 0), modified(found))


def read_bytes(connection: Connection, uri: ObjectUri, missing: FailureReason) -> bytes:
    """The content of a small object.

    Raises:
        UserError: with reason `missing`: it has more than MAX_MANIFEST_SIZE bytes.
    """

    def request() -> bytes:
        body = connection.client.get_object(Bucket=uri.bucket, Key=uri.key)["Body"]
        try:
            return body.read(MAX_MANIFEST_SIZE + 1)
        finally:
            body.close()

    data = connection.call(uri, missing, request)
    if len(data) > MAX_MANIFEST_SIZE:
        problem = f"{uri} has more than {MAX_MANIFEST_SIZE:,} bytes: it is no JSON of FinScribe."
        log.warning("%s", problem)
        raise UserError(missing, problem, "Upload it again, or delete it.")
    connection.observer.transferred("download", len(data))
    return data


def read_json(connection: Connection, uri: ObjectUri) -> dict[str, Any] | None:
    """A JSON object; None when it does not exist or (with a warning) is not a JSON object."""
    missing = FailureReason.DatasetNotFound
    try:
        content = json.loads(read_bytes(connection, uri, missing))
    except UserError as error:
        if error.reason is missing:
            log.debug("%s", error)
            return None
        raise
    except (ValueError, RecursionError) as error:
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


def delete_manifests_first(connection: Connection, objects: Iterable[ListedObject]) -> None:
    """Delete objects in an order in which nothing that is partly deleted counts as complete.

    The manifest of a run comes before those of the checkpoints below it.
    """

    def order(item: ListedObject) -> tuple[bool, int]:
        return not item.uri.key.endswith(f"/{MANIFEST_FILE}"), item.uri.key.count("/")

    for item in sorted(objects, key=order):
        delete(connection, item.uri)


def delete(connection: Connection, uri: ObjectUri) -> None:
    """Delete an object; it need not exist."""
    connection.call(
        uri,
        FailureReason.OutputNotFound,
        lambda: connection.client.delete_object(Bucket=uri.bucket, Key=uri.key),
    )
