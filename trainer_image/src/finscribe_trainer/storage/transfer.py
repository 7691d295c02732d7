"""Many objects at once: fetching them, and publishing a folder with its manifest."""

import itertools
import logging
from collections.abc import Iterable
from functools import partial
from pathlib import Path

from finscribe_core.constants import MANIFEST_FILE
from finscribe_core.errors import FailureReason, RetryableError, UserError
from finscribe_trainer.storage.bucket import delete
from finscribe_trainer.storage.connection import NUM_WORKERS, Connection
from finscribe_trainer.storage.download import Download
from finscribe_trainer.storage.failures import ObjectChangedError
from finscribe_trainer.storage.manifest import Manifest, files_below
from finscribe_trainer.storage.progress import TransferProgress, show_progress
from finscribe_trainer.storage.upload import Upload, put_bytes
from finscribe_trainer.storage.uri import ObjectUri
from finscribe_trainer.storage.workers import Task, run_parallel

log = logging.getLogger(__name__)

_ROUNDS = 3
"""How often an object that changes, or arrives damaged, is begun anew."""


class Transfers:
    """Moves sets of files, eight requests at a time."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def fetch(
        self,
        pairs: Iterable[tuple[ObjectUri, Path]],
        missing: FailureReason,
        label: str,
        progress: TransferProgress | None = None,
        *,
        skip_missing: bool = False,
    ) -> None:
        """Fetch objects to files; those already there and unchanged are left alone.

        Raises:
            UserError: an object does not exist (with reason `missing`, unless such are skipped), or access
                is denied.
            RetryableError: StorageUnavailable, DiskFull or Interrupted; the next try goes on from there.
        """
        wanted = list(pairs)
        for round_number in itertools.count(1):
            with show_progress(label, progress) as shown:
                downloads = [Download(self._connection, uri, path, missing, shown) for uri, path in wanted]
                tasks = (partial(_start, d, missing if skip_missing else None) for d in downloads)
                try:
                    run_parallel(tasks, NUM_WORKERS, self._connection.cancel)
                    return
                except ObjectChangedError as error:
                    if round_number == _ROUNDS:
                        raise RetryableError(
                            FailureReason.StorageUnavailable, f"{error}, {_ROUNDS} times in a row."
                        ) from error
                    log.warning("%s; fetching it again", error)

    def publish(
        self, folder: Path, target: ObjectUri, label: str, progress: TransferProgress | None = None
    ) -> ObjectUri:
        """Upload every file of a folder, then the manifest; its URI is returned.

        An older manifest is removed first: none must vouch for files that are being replaced.
        """
        manifest_uri = target.below(MANIFEST_FILE)
        delete(self._connection, manifest_uri)
        with show_progress(label, progress) as shown:
            uploads = {
                path.relative_to(folder).as_posix(): Upload(
                    self._connection, path, target.below(path.relative_to(folder).as_posix()), shown
                )
                for path in files_below(folder)
            }
            try:
                run_parallel((u.start for u in uploads.values()), NUM_WORKERS, self._connection.cancel)
            except BaseException:
                for upload in uploads.values():
                    upload.abort()
                raise
        manifest = Manifest(files=[upload.entry(path) for path, upload in uploads.items()])
        text = manifest.model_dump_json(by_alias=True, indent=2)
        put_bytes(self._connection, manifest_uri, text.encode())
        return manifest_uri


def _start(download: Download, skipped: FailureReason | None) -> Iterable[Task]:
    """Start a download; one that fails for the `skipped` reason is left out."""
    try:
        return download.start()
    except UserError as error:
        if error.reason is not skipped:
            raise
        log.warning("%s", error.message)
        return []
