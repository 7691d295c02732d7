"""A folder of downloaded files that runs share: each is verified whenever it is used, and none is needed.

A run copies what it uses, so that nothing that happens to the folder later, on any machine, can disturb it.
An entry is one file: the content, followed by the content's SHA-256. It appears by a rename, when it is
complete; readers need no lock. Its name is a hash of what it is a copy of (see `entry_key`), so that there is
no index.
"""

import hashlib
import json
import logging
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from finscribe_core.atomic_files import atomic_path
from finscribe_core.errors import disk_errors_as_finscribe_errors
from finscribe_core.file_lock import LockHeldError, lock_file
from finscribe_trainer.runtime.disk_quota import CacheFiles, DiskQuota
from finscribe_trainer.storage.uri import temporary_path

log = logging.getLogger(__name__)

FORMAT = "v1"
"""Folder of the entries; another one for every format of them."""
LONGEST_WAIT = 600.0
"""Seconds to wait in all for another run that downloads the same files."""
_SECONDS_BETWEEN_TRIES = 0.5
_BLOCK = 1024 * 1024
_DIGEST_SIZE = hashlib.sha256().digest_size
_ENTRY = re.compile(r"[0-9a-f]{64}")
_PARTIAL = re.compile(rf"\.{_ENTRY.pattern}\.[0-9a-f]{{32}}\.part")
_FILES = CacheFiles(
    "cache of downloads",
    lambda root: root.glob("??/*"),
    lambda path: _ENTRY.fullmatch(path.name) is not None,
    lambda path: _PARTIAL.fullmatch(path.name) is not None,
)


def entry_key(*origin: object) -> str:
    """The name of the entry for what `origin` identifies, such as an object's endpoint, key and ETag."""
    return hashlib.sha256(json.dumps(origin).encode()).hexdigest()


class FileCache:
    """The cached files below a folder, which several runs use at the same time, on several machines.

    Of a folder that can't be written, or is full, entries are only used. A damaged one counts as missing.

    Args:
        root: the folder.
        max_bytes: largest total size of the entries; the least recently used ones make room for others.

    Raises:
        UserError: InvalidConfig: there is no such folder, and it can't be created.
    """

    def __init__(self, root: Path, max_bytes: int) -> None:
        if not root.is_dir():
            with disk_errors_as_finscribe_errors():
                root.mkdir(parents=True)
        self.root = root
        self._folder = root / FORMAT
        self._max_bytes = max_bytes
        self._lock = threading.Lock()  # of what follows
        self._quota: DiskQuota | None = None
        self._writing = 0
        self._may_write = True
        self._seconds_left = LONGEST_WAIT

    def copy(self, key: str, target: Path) -> bool:
        """Copy an entry to a file, and verify it; False when there is none or it is damaged.

        Raises:
            OSError: the target can't be written.
        """
        entry = self._path(key)
        part = temporary_path(target, "cached")
        try:
            blocks = _read_verified(entry)
            first = next(blocks, b"")
            target.parent.mkdir(parents=True, exist_ok=True)
            with part.open("wb") as file:
                file.write(first)
                file.writelines(blocks)
            part.replace(target)
        except _UnusableEntryError as error:
            part.unlink(missing_ok=True)
            self._remove_damaged(entry, error)
            return False
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        with suppress(OSError):  # a folder that is only read
            os.utime(entry)
        return True

    def add(self, key: str, source: Path) -> None:
        """Add a file's content. Where that fails, the run goes on without, and adds nothing more."""
        try:
            with self._room_for(source.stat().st_size + _DIGEST_SIZE) as there_is_room:
                if there_is_room:
                    path = self._path(key)
                    path.parent.mkdir(exist_ok=True)
                    with atomic_path(path, unique=True) as part:
                        _write_with_digest(source, part)
        except OSError as error:
            self._stop_writing(error)

    @contextmanager
    def turn(self, name: str, sleep: Callable[[float], object]) -> Iterator[None]:
        """Wait until no other run downloads the files that `name` stands for, and keep others waiting.

        Nothing waits where the file system has no locks or can't be written, or after LONGEST_WAIT: the files
        are then downloaded by both runs.

        Args:
            name: the same for the same files.
            sleep: waits so many seconds; what it raises ends the wait.
        """
        path = self._folder / "locks" / entry_key(name)
        lock = self._acquire(path, sleep)
        try:
            yield
        finally:
            if lock is not None:
                with suppress(OSError):
                    path.unlink()
                lock.close()

    def _acquire(self, path: Path, sleep: Callable[[float], object]) -> TextIO | None:
        announced = False
        while True:
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                return lock_file(path)
            except LockHeldError:
                if self._seconds_left <= 0:
                    log.warning("%s: not waiting any longer for another run's downloads", self.root)
                    return None
            except OSError as error:
                log.debug("%s can't be locked: %s", path, error)
                return None
            if not announced:
                log.info("%s: waiting for another run, which downloads the same files", self.root)
                announced = True
            before = time.monotonic()
            sleep(_SECONDS_BETWEEN_TRIES)
            self._seconds_left -= time.monotonic() - before

    def _path(self, key: str) -> Path:
        return self._folder / key[:2] / key

    @contextmanager
    def _room_for(self, size: int) -> Iterator[bool]:
        """Whether an entry may be written, of which the quota then knows until it is."""
        with self._lock:
            there_is_room = self._may_write and self._open_quota().reserve(size, self._writing)
            self._writing += size
        try:
            yield there_is_room
        finally:
            with self._lock:
                self._writing -= size

    def _open_quota(self) -> DiskQuota:
        if self._quota is None:
            self._folder.mkdir(exist_ok=True)
            self._quota = DiskQuota(self._folder, self._max_bytes, _FILES)
        return self._quota

    def _stop_writing(self, error: OSError) -> None:
        with self._lock:
            if self._may_write:
                log.warning("%s: nothing more is added to the cache: %s", self.root, error)
            self._may_write = False

    def _remove_damaged(self, entry: Path, error: "_UnusableEntryError") -> None:
        if error.__cause__ is None:
            log.warning("%s is damaged, and is downloaded again", entry)
            with suppress(OSError):
                entry.unlink()
        elif not isinstance(error.__cause__, FileNotFoundError):
            log.warning("%s can't be read, and is downloaded again: %s", entry, error.__cause__)


class _UnusableEntryError(Exception):
    """There is no such entry, it can't be read (then `__cause__` says why), or it is damaged."""


def _read_verified(entry: Path) -> Iterator[bytes]:
    """The content of an entry, block by block.

    Raises:
        _UnusableEntryError: also at the end, when all has been read and the SHA-256 is another.
    """
    digest = hashlib.sha256()
    try:
        with entry.open("rb") as file:
            left = os.fstat(file.fileno()).st_size - _DIGEST_SIZE
            while left > 0 and (block := file.read(min(_BLOCK, left))):
                digest.update(block)
                left -= len(block)
                yield block
            expected = file.read()
    except OSError as error:
        raise _UnusableEntryError from error
    if left or expected != digest.digest():
        raise _UnusableEntryError


def _write_with_digest(source: Path, target: Path) -> None:
    digest = hashlib.sha256()
    with source.open("rb") as content, target.open("wb") as file:
        while block := content.read(_BLOCK):
            digest.update(block)
            file.write(block)
        file.write(digest.digest())
