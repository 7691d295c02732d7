"""Says which content a file or an object has, without reading it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class FileVersion:
    """The content that a file or an object has: one that is replaced has another tag, or another size."""

    name: str
    """The s3:// URI or the path."""
    tag: str
    """The object's ETag, without quotes; the time at which a local file was changed."""
    size: int
    """Bytes."""
    modified: int = 0
    """When an object was last modified, in seconds since 1970; 0 if unknown."""


def object_version(uri: str, etag: str, size: int, modified: int) -> FileVersion:
    """The version of an object, by the headers of a response or by a listing."""
    return FileVersion(uri, etag.strip('"'), size, modified)
