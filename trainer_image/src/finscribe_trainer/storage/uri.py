"""Parses s3:// URIs, and converts keys to local paths."""

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

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


def local_path(folder: Path, relative_key: str) -> Path:
    """The path for a key below a folder; keys that lead out of the folder are rejected.

    Raises:
        UserError: the key is absolute, or has a `..`, an empty or a NUL part.
    """
    parts = PurePosixPath(relative_key).parts
    unsafe = not parts or relative_key.startswith("/") or ".." in parts
    if unsafe or "\\" in relative_key or "\0" in relative_key:
        raise UserError(
            FailureReason.DatasetInvalid,
            f"The object key {relative_key!r} can't be a file below {folder}.",
            "Rename the object: no leading '/', no '..', no '\\'.",
        )
    return folder.joinpath(*parts)
