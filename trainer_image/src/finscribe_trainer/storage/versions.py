"""Asks which version of each object is stored: by listings where many are in one place, else one by one."""

import logging
from collections import defaultdict
from collections.abc import Iterable
from functools import partial

from finscribe_core.errors import FailureReason, UserError
from finscribe_trainer.storage.bucket import list_objects, read_version
from finscribe_trainer.storage.connection import NUM_WORKERS, Connection
from finscribe_trainer.storage.thread_pool import Task, run_parallel
from finscribe_trainer.storage.uri import ObjectUri
from finscribe_trainer.storage.version import FileVersion

log = logging.getLogger(__name__)

_FEWEST_TO_LIST = 3
"""Objects below one prefix from which on it is listed."""
_LISTED_PER_OBJECT = 20
"""Most objects of a listing for each object that is looked for: one page takes as long as some requests."""


def find_versions(
    connection: Connection, uris: Iterable[ObjectUri], missing: FailureReason
) -> dict[ObjectUri, FileVersion]:
    """The version of each object; without those that do not exist or may not be looked up.

    Raises:
        RetryableError: see `Connection.call`.
    """
    groups: dict[ObjectUri, set[ObjectUri]] = defaultdict(set)
    for uri in uris:
        groups[ObjectUri(uri.bucket, uri.key.rpartition("/")[0])].add(uri)
    found: dict[ObjectUri, FileVersion] = {}
    single: set[ObjectUri] = set()
    for prefix, wanted in groups.items():
        if len(wanted) < _FEWEST_TO_LIST:
            single |= wanted
        else:
            single |= _list(connection, prefix, wanted, missing, found)
    tasks = (partial(_look_up, connection, uri, missing, found) for uri in sorted(single, key=str))
    run_parallel(tasks, NUM_WORKERS, connection.cancel)
    return found


def _list(
    connection: Connection,
    prefix: ObjectUri,
    wanted: set[ObjectUri],
    missing: FailureReason,
    found: dict[ObjectUri, FileVersion],
) -> set[ObjectUri]:
    """Add to `found` what a listing tells; returns the objects that it does not reach."""
    left, limit = set(wanted), max(1000, len(wanted) * _LISTED_PER_OBJECT)
    try:
        for number, item in enumerate(list_objects(connection, prefix, missing, deep=False), start=1):
            if item.uri in left:
                left.remove(item.uri)
                found[item.uri] = item.version
            if not left:
                return left
            if number >= limit:
                log.debug("%s has many other objects: looking up %d one by one", prefix, len(left))
                return left
    except UserError as error:  # it may be permitted to read objects, and not to list them
        log.debug("%s can't be listed: %s", prefix, error)
        return left
    return set()  # those left do not exist


def _look_up(
    connection: Connection, uri: ObjectUri, missing: FailureReason, found: dict[ObjectUri, FileVersion]
) -> Iterable[Task]:
    try:
        found[uri] = read_version(connection, uri, missing)
    except UserError as error:
        log.debug("%s", error)
    return []
