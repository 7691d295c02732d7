"""Limits the disk space of a cache that runs share, and evicts the files that were least recently used."""

import logging
import shutil
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

log = logging.getLogger(__name__)

FREE_BYTES = 2**30
"""Free space that is reserved for other files, above all checkpoints."""
_ABANDONED_AFTER = 3600.0
"""Age in seconds at which a partially written file is considered abandoned."""


@dataclass(frozen=True)
class CacheFiles:
    """Which files of a folder belong to a cache; a shared folder may contain others."""

    name: str
    """Name of the cache, for messages."""
    iterate: Callable[[Path], Iterable[Path]]
    """All files where the cache may put one, below its folder."""
    is_entry: Callable[[Path], bool]
    """Whether a file is complete."""
    is_partial: Callable[[Path], bool]
    """Whether a file is being written, or its writer was killed."""


class DiskQuota:
    """The disk space of cached files below a folder, which other runs may write to at the same time.

    Only files that no run has used since this one started are evicted, least recently used first. Evicting
    files in use would be useless: a run reads all of its files in the same order each time, so the least
    recently used one is needed next, and a cache that is slightly too small would never have a hit.

    Args:
        root: folder whose files are counted.
        max_bytes: largest total size of these files.
        files: which files belong to the cache.
    """

    def __init__(self, root: Path, max_bytes: int, files: CacheFiles) -> None:
        self._root = root
        self._max_bytes = max_bytes
        self._files = files
        self._start_time = time.time()
        self._full = False
        self._count()

    def reserve(self, num_bytes: int, writing: int = 0) -> bool:
        """Reserve space for a file, evicting others if needed; False when there is no space.

        Args:
            num_bytes: size of the file.
            writing: bytes of this run that were reserved before, and are not in complete files yet.

        Raises:
            OSError: the folder can't be accessed any more.
        """
        if self._full:
            return False
        if self._added > self._max_bytes / 100:
            self._count()  # other runs may have written in the meantime
            self.used_bytes += writing
        while self.used_bytes + num_bytes > self._max_bytes or self._disk_is_full(num_bytes):
            if not self._evictable:
                free = shutil.disk_usage(self._root).free
                self.stop_writing(
                    f"{self.used_bytes / 1e9:.1f} GB of {self._max_bytes / 1e9:.1f} GB are in use, and "
                    f"{free / 1e9:.1f} GB are free on the disk, of which {FREE_BYTES / 1e9:.1f} stay free"
                )
                return False
            self._evict(self._evictable.pop())
        self.used_bytes += num_bytes
        self._added += num_bytes
        return True

    def stop_writing(self, reason: str) -> None:
        """Stop caching further files, and log it once."""
        if not self._full:
            log.warning("%s: full, nothing more is cached: %s (%s)", self._files.name, reason, self._root)
        self._full = True

    def _disk_is_full(self, num_bytes: int) -> bool:
        return shutil.disk_usage(self._root).free - num_bytes < FREE_BYTES

    def _count(self) -> None:
        self.used_bytes, self._added = 0, 0
        evictable = []
        for path in self._files.iterate(self._root):
            try:
                status = path.stat()
                if self._files.is_partial(path) and status.st_mtime < self._start_time - _ABANDONED_AFTER:
                    path.unlink()
            except OSError:  # removed by another run, or owned by another user
                continue
            if self._files.is_entry(path):
                self.used_bytes += status.st_size
                if status.st_mtime < self._start_time:
                    evictable.append((status.st_mtime, path))
        self._evictable = [path for _, path in sorted(evictable, reverse=True)]
        """Evictable files, the least recently used last."""

    def _evict(self, path: Path) -> None:
        try:
            status = path.stat()
            if status.st_mtime >= self._start_time:  # used since the last count
                return
            path.unlink()
        except OSError:  # removed already, or owned by another user
            return
        self.used_bytes -= status.st_size
