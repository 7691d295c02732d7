"""Uploads, lists, verifies and deletes the checkpoints of a run in the bucket."""

import logging
import re
import shutil
from collections.abc import Callable, Collection
from pathlib import Path

from pydantic import ValidationError

from finscribe_core.constants import CHECKPOINTS_PREFIX, MANIFEST_FILE
from finscribe_core.errors import FailureReason, UserError
from finscribe_trainer.storage.bucket import delete_manifests_first, list_objects, read_bytes
from finscribe_trainer.storage.connection import Connection
from finscribe_trainer.storage.manifest import Manifest, damaged_files
from finscribe_trainer.storage.transfer import Transfers
from finscribe_trainer.storage.uri import ObjectUri, local_path

log = logging.getLogger(__name__)

_NAME = re.compile(r"checkpoint-(\d+)")
_MISSING = FailureReason.OutputNotFound


class Checkpoints:
    """The uploaded checkpoints of one run; a complete one has a manifest."""

    def __init__(self, connection: Connection, run: ObjectUri) -> None:
        self._connection = connection
        self._transfers = Transfers(connection)
        self._root = run.below(CHECKPOINTS_PREFIX)

    def save(self, folder: Path, keep: Collection[str]) -> None:
        """Upload a checkpoint, its manifest last, then delete those whose names are not in `keep`."""
        self._transfers.publish(folder, self._root.below(folder.name), f"Upload {folder.name}")
        self.prune({folder.name, *keep})

    def prune(self, keep: Collection[str]) -> None:
        """Delete the checkpoints whose names are not in `keep`."""
        outdated = [
            item
            for item in list_objects(self._connection, self._root, _MISSING)
            if item.relative.partition("/")[0] not in keep
        ]
        delete_manifests_first(self._connection, outdated)

    def complete_names(self) -> list[str]:
        """Names of all complete checkpoints, newest first."""
        found = {
            item.relative.removesuffix(f"/{MANIFEST_FILE}")
            for item in list_objects(self._connection, self._root, _MISSING)
            if item.relative.count("/") == 1 and item.relative.endswith(f"/{MANIFEST_FILE}")
        }
        steps = {int(match[1]): name for name in found if (match := _NAME.fullmatch(name))}
        return [steps[step] for step in sorted(steps, reverse=True)]

    def fetch_last(self, dest_dir: Path, can_be_used: Callable[[Path], bool]) -> Path | None:
        """Download the newest checkpoint that is complete, undamaged and accepted by `can_be_used`."""
        for name in self.complete_names():
            if folder := self._fetch(name, dest_dir):
                if can_be_used(folder):
                    return folder
                shutil.rmtree(folder, ignore_errors=True)
        return None

    def _fetch(self, name: str, dest_dir: Path) -> Path | None:
        """Download and verify a checkpoint; None (with a warning) when it is damaged or deleted."""
        folder = local_path(dest_dir, name)
        try:
            content = read_bytes(self._connection, self._root.below(name, MANIFEST_FILE), _MISSING)
            manifest = Manifest.model_validate_json(content)
            needed = damaged_files(folder, manifest)
            pairs = [(self._root.below(name, path), local_path(folder, path)) for path in needed]
            self._transfers.fetch(pairs, _MISSING, f"Download {name}")
            damage = ", ".join(damaged_files(folder, manifest))
        except ValidationError as error:
            damage = f"{MANIFEST_FILE} ({error.error_count()} errors)"
        except UserError as error:
            if error.reason is not _MISSING:
                raise
            damage = error.message
        if not damage:
            return folder
        log.warning("%s is damaged and skipped: %s", self._root.below(name), damage)
        shutil.rmtree(folder, ignore_errors=True)
        return None
