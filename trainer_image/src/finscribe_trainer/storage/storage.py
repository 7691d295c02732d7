"""Downloads inputs from S3 and uploads results and checkpoints: the only interface of this folder."""

import json
import threading
import uuid
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Any, BinaryIO

from finscribe_core.constants import LATEST_FILE
from finscribe_core.errors import FailureReason, UserError
from finscribe_core.trainer_config import StorageEndpoint
from finscribe_trainer.storage.bucket import (
    delete,
    first_key,
    list_objects,
    put_bytes,
    read_json,
    read_version,
)
from finscribe_trainer.storage.checkpoints import Checkpoints
from finscribe_trainer.storage.connection import Connection, RetryPolicy, TransferObserver
from finscribe_trainer.storage.file_cache import FileCache
from finscribe_trainer.storage.manifest import damaged_files, read_manifest
from finscribe_trainer.storage.object_reader import open_object
from finscribe_trainer.storage.progress import TransferProgress
from finscribe_trainer.storage.published_runs import PublishedRuns
from finscribe_trainer.storage.transfer import Transfers
from finscribe_trainer.storage.uri import ObjectUri, local_path
from finscribe_trainer.storage.version import FileVersion


class Storage:
    """Moves files from and to S3.

    Every method raises UserError when access is denied or an object or bucket does not exist, and
    RetryableError when the storage can't be reached (StorageUnavailable), the disk is full (DiskFull) or the
    cancel event is set (Interrupted).
    """

    def __init__(self, connection: Connection, cache: FileCache | None = None) -> None:
        self.cache = cache
        self._connection = connection
        self._transfers = Transfers(connection, cache)

    @classmethod
    def from_config(
        cls,
        config: StorageEndpoint,
        *,
        observer: TransferObserver | None = None,
        cancel: threading.Event | None = None,
        policy: RetryPolicy | None = None,
        cache: FileCache | None = None,
    ) -> "Storage":
        """The storage of a config; boto3 takes the credentials from the environment.

        Args:
            config: endpoint and region; both take precedence over the environment's.
            observer: counts bytes and retries; a `RunReporter` is one.
            cancel: once set, transfers end with RetryableError(Interrupted) within seconds.
            policy: attempts, delays and timeouts of requests.
            cache: files that other runs have downloaded; a run's own checkpoints are not in it.
        """
        return cls(Connection.open(config, observer=observer, cancel=cancel, policy=policy), cache)

    def fetch_file(
        self,
        uri: str,
        dest: Path,
        progress: TransferProgress | None = None,
        missing: FailureReason = FailureReason.DatasetNotFound,
    ) -> Path:
        """Download one object to `dest`; an unfinished earlier download is resumed."""
        self._transfers.fetch([(ObjectUri.parse(uri), dest)], missing, f"Download {uri}", progress)
        return dest

    def fetch_objects(
        self,
        pairs: Iterable[tuple[str, Path]],
        progress: TransferProgress | None = None,
        missing: FailureReason = FailureReason.DatasetNotFound,
        *,
        skip_missing: bool = False,
    ) -> list[FileVersion]:
        """Download objects, each to its own file; with `skip_missing` those that do not exist are skipped.

        Returns:
            the versions of the objects that are now in the files.
        """
        wanted = [(ObjectUri.parse(uri), path) for uri, path in pairs]
        label = f"Download {wanted[0][0] if len(wanted) == 1 else f'{len(wanted)} objects'}"
        return self._transfers.fetch(wanted, missing, label, progress, skip_missing=skip_missing)

    def fetch_prefix(
        self,
        uri: str,
        dest_dir: Path,
        progress: TransferProgress | None = None,
        missing: FailureReason = FailureReason.ModelNotFound,
    ) -> Path:
        """Download everything below a prefix into a folder, and verify it against its manifest, if any.

        Raises:
            UserError: with reason `missing` when nothing is stored there or a file differs from the manifest.
        """
        prefix = ObjectUri.parse(uri)
        found = [
            (item.uri, local_path(dest_dir, item.relative))
            for item in list_objects(self._connection, prefix, missing)
        ]
        if not found:
            raise UserError(missing, f"Nothing is stored below {uri}.", "Check the bucket and the prefix.")
        self._transfers.fetch(found, missing, f"Download {uri}", progress)
        manifest = read_manifest(dest_dir)
        if manifest and (damaged := damaged_files(dest_dir, manifest)):
            raise UserError(
                missing, f"Damaged below {uri}: {', '.join(damaged)}.", "Upload these files again."
            )
        return dest_dir

    def names(
        self, uri: str, missing: FailureReason = FailureReason.DatasetNotFound, *, deep: bool = False
    ) -> list[str]:
        """Names of the objects directly below a prefix (with `deep`, all below it), sorted; or none."""
        return sorted(self.versions_below(uri, missing, deep=deep))

    def versions_below(
        self, uri: str, missing: FailureReason = FailureReason.DatasetNotFound, *, deep: bool = False
    ) -> dict[str, FileVersion]:
        """Versions of the objects directly below a prefix (with `deep`, all below it), by name; or none."""
        listed = list_objects(self._connection, ObjectUri.parse(uri), missing, deep=deep)
        return {item.relative: item.version for item in listed}

    def version(self, uri: str) -> FileVersion:
        """The version of an object of rows.

        Raises:
            UserError: DatasetNotFound.
        """
        return read_version(self._connection, ObjectUri.parse(uri), FailureReason.DatasetNotFound)

    def open(self, version: FileVersion) -> BinaryIO:
        """Open an object to read it piece by piece, without a file; a piece of 8 MiB is in memory.

        Reading raises RetryableError if the object no longer has this version.
        """
        return open_object(self._connection, version)

    def exists(self, uri: str) -> bool:
        """Whether there is an object with this key, or any below it."""
        target = ObjectUri.parse(uri)
        # The object's own key sorts first. Two requests, since `a-b` sorts between `a` and `a/b`.
        first = first_key(self._connection, target.bucket, target.key)
        return first == target.key or first_key(self._connection, target.bucket, target.as_prefix) is not None

    def read_json(self, uri: str) -> dict[str, Any] | None:
        """A JSON object; None when it does not exist or (with a warning) is not a JSON object."""
        return read_json(self._connection, ObjectUri.parse(uri))

    def publish_run(self, local_dir: Path, run_uri: str, progress: TransferProgress | None = None) -> str:
        """Upload every file of a folder below `run_uri`, the manifest last; returns the manifest's URI."""
        target = ObjectUri.parse(run_uri)
        return str(self._transfers.publish(local_dir, target, f"Upload to {run_uri}", progress))

    def write_latest(self, output_uri: str, payload: dict[str, Any]) -> None:
        """Write `latest.json`, which names the newest result."""
        self.write_json(str(ObjectUri.parse(output_uri).below(LATEST_FILE)), payload)

    def write_json(self, uri: str, payload: dict[str, Any]) -> None:
        """Write a JSON object."""
        put_bytes(self._connection, ObjectUri.parse(uri), json.dumps(payload, indent=2).encode())

    def save_checkpoint(
        self, local_checkpoint_dir: Path, run_uri: str, keep: Collection[str] | None = None
    ) -> None:
        """Upload a `checkpoint-<step>` folder, its manifest last, and delete uploaded checkpoints not kept.

        Args:
            local_checkpoint_dir: the checkpoint.
            run_uri: prefix of the run.
            keep: names of the other checkpoints to keep; by default those next to it on disk.
        """
        if keep is None:
            keep = [path.name for path in local_checkpoint_dir.parent.glob("checkpoint-*")]
        Checkpoints(self._connection, ObjectUri.parse(run_uri)).save(local_checkpoint_dir, keep)

    def prune_checkpoints(self, run_uri: str, choose: Callable[[list[str]], list[str]]) -> None:
        """Delete the uploaded checkpoints of a run, except those that `choose` picks from the names of the
        complete ones, newest first.
        """
        checkpoints = Checkpoints(self._connection, ObjectUri.parse(run_uri))
        checkpoints.prune(choose(checkpoints.complete_names()))

    def published_runs(self, output_uri: str) -> PublishedRuns:
        """The runs below an output prefix."""
        return PublishedRuns(self._connection, ObjectUri.parse(output_uri))

    def fetch_last_checkpoint(
        self, run_uri: str, dest_dir: Path, can_be_used: Callable[[Path], bool] = lambda _: True
    ) -> Path | None:
        """Download the run's newest complete checkpoint to `dest_dir/checkpoint-<step>`; None without any.

        Every file is verified against the manifest's SHA-256; a damaged checkpoint is skipped with a
        warning, and so is one that `can_be_used` rejects; the one before it is tried.
        """
        return Checkpoints(self._connection, ObjectUri.parse(run_uri)).fetch_last(dest_dir, can_be_used)

    def sleep(self, seconds: float) -> None:
        """Wait.

        Raises:
            RetryableError: Interrupted.
        """
        self._connection.sleep(seconds)

    def check_writable(self, output_uri: str) -> None:
        """Check before the training that results can be written: writes and deletes an empty object.

        Raises:
            UserError: StorageAccessDenied or OutputNotFound.
            RetryableError: StorageUnavailable.
        """
        probe = ObjectUri.parse(output_uri).below(f".finscribe-write-check-{uuid.uuid4().hex}")
        put_bytes(self._connection, probe, b"")
        delete(self._connection, probe)
