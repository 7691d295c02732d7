"""How much of the disk features may take, and which ones give way."""

import logging
import shutil
import time
from pathlib import Path

from finscribe_trainer.batches.features.store import files_below, is_begun, is_features

log = logging.getLogger(__name__)

FREE_BYTES = 2**30
"""Left free on the disk for what is not a cache: checkpoints, above all."""
_ABANDONED_AFTER = 3600.0
"""Seconds after which a file begun and not finished is nobody's."""


class Room:
    """Room for features below a folder, which other runs may be filling at the same time.

    Features that nobody has used since this run began give way, least recently used first. Those in use
    never do: rows come by in turn, so the one used longest ago is the very one that is wanted next, and a
    cache that is a little too small would never find anything.

    Args:
        root: what all files below it take is counted.
        max_bytes: what they may take.
    """

    def __init__(self, root: Path, max_bytes: int) -> None:
        self._root = root
        self._max_bytes = max_bytes
        self._began = time.time()
        self._full = False
        self._count()

    def make(self, num_bytes: int) -> bool:
        """Whether so many bytes may be written now; what has to give way is removed.

        Raises:
            OSError: the folder can't be used any more.
        """
        if self._full:
            return False
        if self._added > self._max_bytes / 100:
            self._count()  # others may have written meanwhile
        while self.used + num_bytes > self._max_bytes or self._disk_is_full(num_bytes):
            if not self._unused:
                self.close(f"{self.used / 1e9:.1f} GB of {self._max_bytes / 1e9:.1f} GB are in use")
                return False
            self._remove(self._unused.pop())
        self.used += num_bytes
        self._added += num_bytes
        return True

    def close(self, why: str) -> None:
        """Write nothing any more; say so once."""
        if not self._full:
            log.warning("feature cache: full, other pages are computed each time: %s (%s)", why, self._root)
        self._full = True

    def _disk_is_full(self, num_bytes: int) -> bool:
        return shutil.disk_usage(self._root).free - num_bytes < FREE_BYTES

    def _count(self) -> None:
        self.used, self._added = 0, 0
        unused = []
        for path in files_below(self._root):
            try:
                status = path.stat()
                if is_begun(path) and status.st_mtime < self._began - _ABANDONED_AFTER:
                    path.unlink()
            except OSError:  # another run has just removed it, or it is another user's
                continue
            if is_features(path):
                self.used += status.st_size
                if status.st_mtime < self._began:
                    unused.append((status.st_mtime, path))
        self._unused = [path for _, path in sorted(unused, reverse=True)]
        """The least recently used last."""

    def _remove(self, path: Path) -> None:
        try:
            status = path.stat()
            if status.st_mtime >= self._began:  # used since it was counted
                return
            path.unlink()
        except OSError:  # gone, or another user's
            return
        self.used -= status.st_size
