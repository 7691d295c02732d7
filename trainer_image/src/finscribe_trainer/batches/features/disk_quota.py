"""Limits the disk space of cached features and evicts the least recently used ones."""

import logging
import shutil
import time
from pathlib import Path

from finscribe_trainer.batches.features.store import is_feature_file, is_partial, iterate_files

log = logging.getLogger(__name__)

FREE_BYTES = 2**30
"""Free space that is reserved for other files, above all checkpoints."""
_ABANDONED_AFTER = 3600.0
"""Age in seconds at which a partially written file is considered abandoned."""


class DiskQuota:
    """The disk space of features below a folder, which other runs may write to at the same time.

    Only features that no run has used since this one started are evicted, least recently used first. Evicting
    features in use would be useless: rows are read cyclically, so the least recently used one is needed next,
    and a cache that is slightly too small would never have a hit.

    Args:
        root: folder whose feature files are counted.
        max_bytes: largest total size of these files.
    """

    def __init__(self, root: Path, max_bytes: int) -> None:
        self._root = root
        self._max_bytes = max_bytes
        self._start_time = time.time()
        self._full = False
        self._count()

    def reserve(self, num_bytes: int) -> bool:
        """Reserve space for a file, evicting features if needed; False when there is no space.

        Raises:
            OSError: the folder can't be accessed any more.
        """
        if self._full:
            return False
        if self._added > self._max_bytes / 100:
            self._count()  # other runs may have written in the meantime
        while self.used_bytes + num_bytes > self._max_bytes or self._disk_is_full(num_bytes):
            if not self._evictable:
                self.stop_writing(
                    f"{self.used_bytes / 1e9:.1f} GB of {self._max_bytes / 1e9:.1f} GB are in use"
                )
                return False
            self._evict(self._evictable.pop())
        self.used_bytes += num_bytes
        self._added += num_bytes
        return True

    def stop_writing(self, reason: str) -> None:
        """Stop caching further features, and log it once."""
        if not self._full:
            log.warning("feature cache: full, further pages are not cached: %s (%s)", reason, self._root)
        self._full = True

    def _disk_is_full(self, num_bytes: int) -> bool:
        return shutil.disk_usage(self._root).free - num_bytes < FREE_BYTES

    def _count(self) -> None:
        self.used_bytes, self._added = 0, 0
        evictable = []
        for path in iterate_files(self._root):
            try:
                status = path.stat()
                if is_partial(path) and status.st_mtime < self._start_time - _ABANDONED_AFTER:
                    path.unlink()
            except OSError:  # removed by another run, or owned by another user
                continue
            if is_feature_file(path):
                self.used_bytes += status.st_size
                if status.st_mtime < self._start_time:
                    evictable.append((status.st_mtime, path))
        self._evictable = [path for _, path in sorted(evictable, reverse=True)]
        """Evictable features, the least recently used last."""

    def _evict(self, path: Path) -> None:
        try:
            status = path.stat()
            if status.st_mtime >= self._start_time:  # used since the last count
                return
            path.unlink()
        except OSError:  # removed already, or owned by another user
            return
        self.used_bytes -= status.st_size
