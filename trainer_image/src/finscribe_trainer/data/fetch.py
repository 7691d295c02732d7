"""Downloads rows and the images they name from S3; local files are used in place."""

from pathlib import Path

from finscribe_trainer.data.dataset import image_names
from finscribe_trainer.data.files import DataFile, check_suffix, is_shard, no_shard_error
from finscribe_trainer.data.images import check_name, object_names
from finscribe_trainer.storage import Storage
from finscribe_trainer.storage.uri import is_s3_uri


def fetch_rows(uri: str, folder: Path, storage: Storage) -> DataFile:
    """Download a file of rows or a prefix's shards, with all images they name; local files are used in place.

    Raises:
        UserError: DatasetNotFound; DatasetInvalid when the URI names no rows.
    """
    if not is_s3_uri(uri):
        return DataFile(Path(uri), uri)
    if uri.endswith("/"):
        prefix = uri.rstrip("/")
        file = _fetch_shards(prefix, folder, storage)
    else:
        check_suffix(uri)
        prefix, name = uri.rsplit("/", 1)
        file = DataFile(storage.fetch_file(uri, folder / name), uri)
    images = object_names(image_names(file, check_name))
    pairs = [(f"{prefix}/{image}", folder / image) for image in images]
    # Missing images are reported, with their rows, when the rows are validated.
    storage.fetch_objects(pairs, skip_missing=True)
    return file


def _fetch_shards(prefix: str, folder: Path, storage: Storage) -> DataFile:
    there = storage.names(prefix)
    names = [name for name in there if is_shard(name)]
    if not names:
        raise no_shard_error(f"{prefix}/", there)
    for path in folder.iterdir() if folder.is_dir() else ():
        if is_shard(path.name) and path.name not in names:
            path.unlink()  # downloaded by an earlier attempt, and deleted from the prefix since
    storage.fetch_objects([(f"{prefix}/{name}", folder / name) for name in names])
    return DataFile(folder, f"{prefix}/")
