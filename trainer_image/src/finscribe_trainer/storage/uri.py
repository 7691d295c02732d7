"""Parses s3:// URIs, and converts keys to local paths."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from finscribe_core.errors import FailureReason, UserError


def is_s3_uri(name: str) -> bool:
    """Whether a name is an s3:// URI instead of a local path or a hub id."""
    return name.startswith("s3://")


@dataclass(frozen=True)
class ObjectUri:
    """An object or a prefix in a bucket."""

    bucket: str
    key: str

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}"

    @classmethod
    def parse(cls, uri: str) -> "ObjectUri":
        """Split an s3:// URI into bucket and key.

        Raises:
            UserError: it is not an s3:// URI with a bucket.
        """
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        if not is_s3_uri(uri) or not bucket:
            raise UserError(
                FailureReason.InvalidConfig,
                f"{uri!r} is not an s3:// URI with a bucket.",
                "Write s3://bucket/path.",
            )
        return cls(bucket, key)

    def below(self, *parts: str) -> "ObjectUri":
        """The key below this prefix."""
        return ObjectUri(self.bucket, "/".join([self.key.rstrip("/"), *parts]).lstrip("/"))

    @property
    def as_prefix(self) -> str:
        """The key with a slash at its end, so that `a` does not match `ab/`; empty for the whole bucket."""
        return f"{self.key.rstrip('/')}/" if self.key.strip("/") else ""


_LONGEST_NAME = 255
"""Longest name of a file, in bytes, on the usual file systems."""
_LONGEST_KEY = 1024
"""Longest key of S3, in bytes."""
_NEVER_IN_FILES = re.compile(r"[\\\0\ud800-\udfff]")
"""Backslash, NUL, and halves of surrogate pairs, which are no characters."""
_TEMPORARY = "\\"
"""In the name of every temporary file, and in no name of a downloaded one: `local_path` rejects it."""


def local_path(folder: Path, relative_key: str) -> Path:
    """The path for a key below a folder: every key has a path of its own.

    Raises:
        UserError: the key is absolute, has an empty part, `.`, `..`, a backslash or a NUL, or is longer than
            the name of a file can be.
    """
    parts = relative_key.split("/")
    if any(part in ("", ".", "..") for part in parts) or _NEVER_IN_FILES.search(relative_key):
        raise UserError(
            FailureReason.DatasetInvalid,
            f"The object key {relative_key!r} can't be a file below {folder}.",
            "Rename the object: no '/' at its beginning, no '//', no '.' or '..' between slashes, no '\\'.",
        )
    if len(relative_key.encode()) > _LONGEST_KEY or any(len(part.encode()) > _LONGEST_NAME for part in parts):
        raise UserError(
            FailureReason.DatasetInvalid,
            f"The object key {relative_key!r} is longer than a key or a file's name can be.",
            f"Rename the object: at most {_LONGEST_NAME} bytes between two slashes, {_LONGEST_KEY} in all.",
        )
    return folder.joinpath(*parts)


def temporary_path(path: Path, suffix: str) -> Path:
    """A path beside `path` for its temporary file, that is the path of no key and not too long.

    Always the same, so that a later process finds what an earlier one left.
    """
    name = sha256(path.name.encode(errors="surrogatepass")).hexdigest()[:32]
    return path.with_name(f".{name}{_TEMPORARY}{suffix}")


def is_temporary(path: Path) -> bool:
    """Whether a file has a name that `temporary_path` makes."""
    return _TEMPORARY in path.name


def check_no_file_is_a_folder(paths: Iterable[Path]) -> None:
    """Check that no path is below another one: a file system can't have the keys `a` and `a/b` both.

    Raises:
        UserError: DatasetInvalid, with both paths.
    """
    files = set(paths)
    for path in files:
        if above := next((parent for parent in path.parents if parent in files), None):
            raise UserError(
                FailureReason.DatasetInvalid,
                f"There is an object for {above} and one for {path}, which can't both be files.",
                "Rename or delete one of the two objects.",
            )
