"""Downloads rows and the images they name from S3; local files are used in place."""

import contextlib
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from finscribe_core.errors import FailureReason, UserError
from finscribe_trainer.data.dataset import image_names
from finscribe_trainer.data.files import DataFile, check_suffix, is_shard, no_shard_error
from finscribe_trainer.data.image_folders import Folder, ImageError
from finscribe_trainer.data.row_count import count_rows
from finscribe_trainer.storage import Storage
from finscribe_trainer.storage.uri import ObjectUri, is_s3_uri, local_path
from finscribe_trainer.storage.version import FileVersion


def fetch_rows(uri: str, folder: Path, storage: Storage, image_root: str | None = None) -> DataFile:
    """Download a file of rows or a prefix's shards, with all images they name; local files are used in place.

    Args:
        uri: the rows: a local path or an s3:// URI.
        folder: where to download them to.
        storage: where to download them from.
        image_root: another folder or s3:// prefix that images may be in.

    Raises:
        UserError: DatasetNotFound; DatasetInvalid when the URI names no rows, or image_root is no folder.
    """
    root = None if image_root is None else _image_root(image_root, folder)
    if not is_s3_uri(uri):
        file = DataFile(Path(uri).expanduser(), uri, root)
    elif uri.endswith("/"):
        file = replace(_fetch_shards(uri.rstrip("/"), folder, storage), image_root=root)
    else:
        check_suffix(uri)
        path = folder / uri.rpartition("/")[2]
        file = DataFile(path, uri, root, tuple(storage.fetch_objects([(uri, path)])))
    if file.images.in_bucket:
        fetch_images(file, image_names(file), storage)
    return file


def fetch_images(file: DataFile, names: Iterable[str], storage: Storage) -> None:
    """Download the images that rows name; missing ones are reported when the rows are validated."""
    storage.fetch_objects(_image_objects(file, names), skip_missing=True)


def list_rows(uri: str, storage: Storage) -> list[FileVersion]:
    """The versions of the files that `fetch_rows` would download or use in place, without downloading them.

    Raises:
        UserError: as `fetch_rows`.
    """
    if not is_s3_uri(uri):
        return DataFile(Path(uri).expanduser(), uri).versions()
    if uri.endswith("/"):
        return list(_list_shards(uri.rstrip("/"), storage).values())
    check_suffix(uri)
    return [storage.version(uri)]


def count_file(file: FileVersion, storage: Storage) -> int:
    """The rows of one of the files of `list_rows`, which is read, but not written to the disk.

    Raises:
        UserError: DatasetInvalid: it is damaged.
        RetryableError: StorageUnavailable, also when it is replaced meanwhile.
    """
    local = None if is_s3_uri(file.name) else Path(file.name).expanduser()
    with local.open("rb") if local else storage.open(file) as content:
        return count_rows(file.name, content, file.size)


def _image_root(name: str, downloads: Path) -> Folder:
    if is_s3_uri(name):
        return Folder(name.rstrip("/"), downloads.with_name(f"{downloads.name}.images"))
    path = Path(name).expanduser()
    if not path.is_dir():
        raise UserError(
            FailureReason.DatasetNotFound,
            f"image_root: {name} is no folder.",
            "Name the folder or the s3:// prefix that the images are in.",
        )
    return Folder(name, path)


def _image_objects(file: DataFile, names: Iterable[str]) -> list[tuple[str, Path]]:
    """(URI, local path) of each object that the rows name; invalid names are reported by `load_dataset`."""
    objects: dict[str, Path] = {}
    for name in names:
        with contextlib.suppress(ImageError, UserError):
            for uri, path in file.images.objects(name):
                local_path(Path(), ObjectUri.parse(uri).key)  # raises where no file can have the name
                objects[uri] = path
    return list(objects.items())


def _fetch_shards(prefix: str, folder: Path, storage: Storage) -> DataFile:
    names = _list_shards(prefix, storage)
    for path in folder.iterdir() if folder.is_dir() else ():
        if is_shard(path.name) and path.name not in names:
            path.unlink()  # downloaded by an earlier attempt, and deleted from the prefix since
    downloaded = storage.fetch_objects([(f"{prefix}/{name}", folder / name) for name in names])
    return DataFile(folder, f"{prefix}/", downloaded=tuple(downloaded))


def _list_shards(prefix: str, storage: Storage) -> dict[str, FileVersion]:
    """The shards of a prefix by name, in the order in which they are read."""
    there = storage.versions_below(prefix)
    shards = {name: there[name] for name in sorted(there) if is_shard(name)}
    if not shards:
        raise no_shard_error(f"{prefix}/", there)
    return shards
