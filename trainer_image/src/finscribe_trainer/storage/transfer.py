"""Downloads sets of objects and uploads folders, several files in parallel."""

import logging
from collections.abc import Iterable
from functools import partial
from pathlib import Path

from finscribe_core.constants import MANIFEST_FILE
from finscribe_core.errors import FailureReason, RetryableError, UserError
from finscribe_trainer.storage.bucket import delete, put_bytes
from finscribe_trainer.storage.connection import NUM_WORKERS, Connection
from finscribe_trainer.storage.download import Download
from finscribe_trainer.storage.errors import ObjectChangedError
from finscribe_trainer.storage.file_cache import FileCache
from finscribe_trainer.storage.manifest import Manifest, files_below
from finscribe_trainer.storage.object_cache import ObjectCache, Pair
from finscribe_trainer.storage.progress import TransferProgress, show_progress
from finscribe_trainer.storage.thread_pool import Task, run_parallel
from finscribe_trainer.storage.uri import ObjectUri, check_no_file_is_a_folder
from finscribe_trainer.storage.version import FileVersion

log = logging.getLogger(__name__)

_MAX_RESTARTS = 2
"""How often a download starts over because an object was replaced or arrived damaged."""


class Transfers:
    """Moves sets of files with `NUM_WORKERS` concurrent requests."""

    def __init__(self, connection: Connection, cache: FileCache | None = None) -> None:
        self._connection = connection
        self._cache = None if cache is None else ObjectCache(connection, cache)

    def fetch(
        self,
        pairs: Iterable[tuple[ObjectUri, Path]],
        missing: FailureReason,
        label: str,
        progress: TransferProgress | None = None,
        *,
        skip_missing: bool = False,
    ) -> list[FileVersion]:
        """Download objects to files, or copy them from the cache; files that are unchanged are skipped.

        Returns:
            the version of each object that exists, in the order of `pairs`.

        Raises:
            UserError: an object does not exist (with reason `missing`, unless `skip_missing`), access is
                denied, or a file can't have its path.
            RetryableError: StorageUnavailable, DiskFull or Interrupted; the next call resumes the download.
        """
        wanted = list(pairs)
        check_no_file_is_a_folder(path for _, path in wanted)
        download = partial(
            self._download, missing=missing, label=label, progress=progress, skip_missing=skip_missing
        )
        if self._cache is None:
            return download(wanted)
        return self._cache.fetch(wanted, missing, download)

    def _download(
        self,
        wanted: list[Pair],
        *,
        missing: FailureReason,
        label: str,
        progress: TransferProgress | None,
        skip_missing: bool,
    ) -> list[FileVersion]:
        add = self._cache.add if self._cache else lambda *_: None
        restarts = 0
        while True:
            with show_progress(label, progress) as shown:
                downloads = [
                    Download(self._connection, uri, path, missing, shown, add) for uri, path in wanted
                ]
                tasks = (partial(_start, d, missing if skip_missing else None) for d in downloads)
                try:
                    run_parallel(tasks, NUM_WORKERS, self._connection.cancel)
                    return [download.version for download in downloads if download.version is not None]
                except ObjectChangedError as error:
                    if restarts == _MAX_RESTARTS:
                        raise RetryableError(
                            FailureReason.StorageUnavailable, f"{error}, {restarts + 1} times in a row."
                        ) from error
                    log.warning("%s; downloading it again", error)
                    restarts += 1

    def publish(
        self, folder: Path, target: ObjectUri, label: str, progress: TransferProgress | None = None
    ) -> ObjectUri:
        """Upload every file of a folder, then the manifest; returns the manifest's URI.

        An existing manifest is deleted first: it does not describe the new files.
        """
        # Importing botocore takes half a second, which commands that upload nothing need not spend.
        from finscribe_trainer.storage.upload import FolderUpload  # noqa: PLC0415

        manifest_uri = target.below(MANIFEST_FILE)
        delete(self._connection, manifest_uri)
        paths = [path.relative_to(folder).as_posix() for path in files_below(folder)]
        with show_progress(label, progress) as shown:
            shown.expect(sum((folder / path).stat().st_size for path in paths))
            upload = FolderUpload(self._connection, folder, shown)
            try:
                tasks = (partial(upload.upload_file, path, target.below(path)) for path in paths)
                run_parallel(tasks, NUM_WORKERS, self._connection.cancel)
            finally:
                upload.close()
        manifest = Manifest(files=[upload.entries[path] for path in paths])
        put_bytes(self._connection, manifest_uri, manifest.model_dump_json(by_alias=True, indent=2).encode())
        return manifest_uri


def _start(download: Download, skipped: FailureReason | None) -> Iterable[Task]:
    """Start a download; one that fails with the reason `skipped` is skipped with a warning."""
    try:
        return download.start()
    except UserError as error:
        if error.reason is not skipped:
            raise
        log.warning("%s", error.message)
        return []
