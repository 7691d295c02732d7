"""Finds the images of rows: below the rows' folder or the configured image_root, and nowhere else."""

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from finscribe_trainer.data.table_images import ImageFile, TableImage, find_table_image
from finscribe_trainer.storage.uri import is_s3_uri

_LONGEST = 200
"""Longest name in a message, in characters."""


class ImageError(ValueError):
    """An image can't be used; the message says why."""


@dataclass(frozen=True)
class Folder:
    """A folder that images may be in."""

    source: str
    """The folder as the user names it: a local path, or an s3:// prefix without a slash at its end."""
    path: Path
    """The local folder; that of the downloads for an s3:// prefix."""


@dataclass(frozen=True)
class ImageFolders:
    """The rows' folder, and image_root if it is configured."""

    rows: Folder
    root: Folder | None = None

    @property
    def all(self) -> tuple[Folder, ...]:
        """The folders, in the order in which a relative name is looked up."""
        return (self.rows,) if self.root is None else (self.rows, self.root)

    @property
    def in_bucket(self) -> bool:
        """Whether images may have to be downloaded."""
        return any(is_s3_uri(folder.source) for folder in self.all)

    def find(self, name: str) -> ImageFile:
        """The file of an image named in a row, with symbolic links resolved, or its place in a table.

        Raises:
            ImageError: the name points outside the folders, also through a symbolic link, or there is no
                such file.
        """
        check_name(name)
        if image := find_table_image(self.rows.path, name):
            return image
        try:
            inside = [path for path in self._resolved(name) if self._holds(path)]
            found = next((path for path in inside if path.is_file()), None)
        except (OSError, ValueError, RuntimeError) as error:  # too long, a surrogate, a loop of links
            raise ImageError(f"image {_truncate(name)!r} can't be opened: {_reason(error)}") from None
        if not inside:
            where = " and ".join(folder.source for folder in self.all)
            raise ImageError(
                f"image {_truncate(name)!r} is outside {where}; move it there, or set image_root to a folder "
                "that contains it"
            )
        if found is None:
            raise ImageError(f"image {_truncate(name)!r} does not exist")
        return found

    def objects(self, name: str) -> list[tuple[str, Path]]:
        """(URI, local path) of each object that a name may mean; empty without an s3:// folder, and for an
        image in a table.

        Raises:
            ImageError: see `check_name`.
        """
        check_name(name)
        if is_s3_uri(name):
            uris = [name]
        elif name.startswith("/") or find_table_image(self.rows.path, name):
            uris = []
        else:
            uris = [f"{folder.source}/{name}" for folder in self.all if is_s3_uri(folder.source)]
        return [place for uri in uris for place in self._below(_normalize(uri))]

    def published_name(self, name: str, path: ImageFile) -> str:
        """How results name an image: by its URI, or relative to its folder, without this machine's paths.

        Args:
            name: the name in the row.
            path: what `find` returned for it.
        """
        if isinstance(path, TableImage) or not name.startswith("/"):
            return name if is_s3_uri(name) else str(PurePosixPath(name))
        folder = next(folder for folder in self.all if path.is_relative_to(folder.path.resolve()))
        return path.relative_to(folder.path.resolve()).as_posix()

    def _resolved(self, name: str) -> Iterator[Path]:
        """The files that a name may mean, wherever they are."""
        yield from (path.resolve() for _, path in self.objects(name))
        if not is_s3_uri(name):
            # An absolute name replaces the folder.
            local = (folder.path for folder in self.all if not is_s3_uri(folder.source))
            yield from ((folder / name).resolve() for folder in local)

    def _holds(self, path: Path) -> bool:
        return any(path.is_relative_to(folder.path.resolve()) for folder in self.all)

    def _below(self, uri: str) -> Iterator[tuple[str, Path]]:
        """The local path of a URI in the first folder that contains it."""
        for folder in self.all:
            prefix = f"{folder.source}/"
            if is_s3_uri(prefix) and uri.startswith(prefix):
                yield uri, folder.path / uri.removeprefix(prefix)
                return


def check_name(name: str) -> None:
    """Reject a name that is not a path with forward slashes.

    Raises:
        ImageError: it is a URL other than s3://, or contains a backslash or a NUL character.
    """
    if ("://" in name and not is_s3_uri(name)) or "\\" in name or "\0" in name:
        raise ImageError(
            f"image {_truncate(name)!r} must be a path with forward slashes, or an s3:// URI below the rows' "
            "folder or image_root"
        )


def resolve_image(root: Path, name: str) -> ImageFile:
    """The file of an image that a row names relative to the folder of its file.

    Raises:
        ImageError: the name is absolute, contains "..", or see `ImageFolders.find`.
    """
    path = PurePosixPath(name)
    if "://" in name or path.is_absolute() or ".." in path.parts:
        raise ImageError(f"image {_truncate(name)!r} must be a path relative to the rows' file, without '..'")
    return ImageFolders(Folder(str(root), root)).find(name)


def _normalize(uri: str) -> str:
    """The URI without '.', '..' and repeated slashes: "a//b", "./a/b" and "a/b" are different keys in S3."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return f"s3://{bucket}{posixpath.normpath(f'/{key}').replace('//', '/')}"


def _truncate(name: str) -> str:
    return name if len(name) <= _LONGEST else f"{name[:_LONGEST]}..."


def _reason(error: Exception) -> str:
    return error.strerror or str(error) if isinstance(error, OSError) else "it is not a valid file name"
