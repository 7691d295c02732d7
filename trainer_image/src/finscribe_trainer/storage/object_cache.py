"""Takes objects from a cache of files; S3 is asked for their versions first, and another one is no hit."""

import logging
import os
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path

from finscribe_core.errors import FailureReason, classify_disk_error
from finscribe_trainer.storage.connection import NUM_WORKERS, Connection
from finscribe_trainer.storage.errors import disk_full
from finscribe_trainer.storage.file_cache import FileCache, entry_key
from finscribe_trainer.storage.thread_pool import Task, run_parallel
from finscribe_trainer.storage.uri import ObjectUri
from finscribe_trainer.storage.version import FileVersion
from finscribe_trainer.storage.versions import find_versions

log = logging.getLogger(__name__)

Pair = tuple[ObjectUri, Path]
"""An object, and the file for it."""


class ObjectCache:
    """The objects of one endpoint in a cache. Only an object that may be read now is taken from it."""

    def __init__(self, connection: Connection, cache: FileCache) -> None:
        self._connection = connection
        self._cache = cache

    def fetch(
        self, wanted: list[Pair], missing: FailureReason, download: Callable[[list[Pair]], list[FileVersion]]
    ) -> list[FileVersion]:
        """Copy what is in the cache to its file, and download the rest: one run at a time.

        Returns:
            the version of each object that exists, in the order of `wanted`.

        Raises:
            RetryableError: StorageUnavailable, DiskFull (of the files, not of the cache) or Interrupted.
        """
        versions = find_versions(self._connection, (uri for uri, _ in wanted), missing)
        left = self._copy_all(wanted, versions)
        if not left:
            return [versions[uri] for uri, _ in wanted]
        names = sorted(str(uri) for uri, _ in wanted)
        with self._cache.turn(" ".join([self._connection.endpoint, *names]), self._connection.sleep):
            left = self._copy_all(left, versions)  # another run may have downloaded them meanwhile
            downloaded = {version.name: version for version in download(left)} if left else {}
        present = {str(uri): versions[uri] for uri, _ in set(wanted) - set(left)} | downloaded
        return [present[str(uri)] for uri, _ in wanted if str(uri) in present]

    def _copy_all(self, wanted: list[Pair], versions: Mapping[ObjectUri, FileVersion]) -> list[Pair]:
        """Copy what is in the cache; returns the rest."""
        done: set[Path] = set()
        known = [(uri, path, versions[uri]) for uri, path in wanted if uri in versions]
        tasks = (partial(self._copy, *each, done) for each in known)
        run_parallel(tasks, NUM_WORKERS, self._connection.cancel)
        if done:
            log.info("%d of %d files are in the cache %s", len(done), len(wanted), self._cache.root)
        return [(uri, path) for uri, path in wanted if path not in done]

    def add(self, uri: ObjectUri, file: Path, version: FileVersion) -> None:
        """Add a downloaded object."""
        if version.tag:  # an empty object has been requested in a way that tells none
            self._cache.add(self._key(uri, version), file)

    def _copy(self, uri: ObjectUri, path: Path, version: FileVersion, done: set[Path]) -> Iterable[Task]:
        try:
            if _is_current(path, version):
                done.add(path)
            elif self._cache.copy(self._key(uri, version), path):
                if version.modified:
                    os.utime(path, (version.modified, version.modified))
                done.add(path)
        except OSError as error:
            known = classify_disk_error(error)
            full = known is not None and known.reason is FailureReason.DiskFull
            raise (disk_full(str(path), error) if full else known or error) from error
        return []

    def _key(self, uri: ObjectUri, version: FileVersion) -> str:
        return entry_key("s3", self._connection.endpoint, uri.bucket, uri.key, version.tag, version.size)


def _is_current(path: Path, version: FileVersion) -> bool:
    """Whether an earlier attempt has left the file, by size and modification time."""
    try:
        found = path.stat()
    except OSError:
        return False
    return found.st_size == version.size and int(found.st_mtime) == version.modified
