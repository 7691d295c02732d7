"""Brings what a run reads onto this machine: rows, the images they name, the base model."""

import logging
from dataclasses import replace
from pathlib import Path

from finscribe_core.errors import FailureReason, UserError
from finscribe_core.trainer_config import TrainerConfig
from finscribe_trainer.batches.selection import Splits
from finscribe_trainer.data.dataset import Dataset, hold_out, image_names, load_dataset
from finscribe_trainer.data.files import DataFile, check_suffix, is_shard, no_shard
from finscribe_trainer.data.images import check_name, object_names
from finscribe_trainer.model.source import ModelSource, local_or_hub
from finscribe_trainer.storage import Storage

log = logging.getLogger(__name__)

S3 = "s3://"


def fetch_rows(uri: str, folder: Path, storage: Storage) -> DataFile:
    """The rows of a file, or of a prefix's shards, and every image they name; local ones stay where they are.

    Raises:
        UserError: DatasetNotFound; DatasetInvalid when the URI names no rows.
    """
    if not uri.startswith(S3):
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
    # Which row names an image that is not there is found out when the rows are checked.
    storage.fetch_objects(pairs, skip_missing=True)
    return file


def _fetch_shards(prefix: str, folder: Path, storage: Storage) -> DataFile:
    names = [name for name in storage.names(prefix) if is_shard(name)]
    if not names:
        raise no_shard(f"{prefix}/")
    for path in folder.iterdir() if folder.is_dir() else ():
        if is_shard(path.name) and path.name not in names:
            path.unlink()  # fetched by an earlier try, and gone from the prefix since
    storage.fetch_objects([(f"{prefix}/{name}", folder / name) for name in names])
    return DataFile(folder, f"{prefix}/")


def load_splits(config: TrainerConfig, folder: Path, storage: Storage) -> Splits:
    """Training, validation and test examples, every row checked."""
    train = _load(config, config.dataset_path, folder / "train", storage)
    share = config.effective_validation_split
    if share is not None:
        kept, held_out = hold_out(train.examples, share, config.training.seed)
        log.info("%d of %d rows are held out for validation", len(held_out), len(train.examples))
        splits = Splits(kept, held_out, train.fingerprint, None)
    else:
        assert config.validation_path is not None
        validation = _load(config, config.validation_path, folder / "validation", storage)
        splits = Splits(train.examples, validation.examples, train.fingerprint, validation.fingerprint)
    if config.test_path is None or not config.evaluation.enabled:
        return splits
    test = _load(config, config.test_path, folder / "test", storage)
    return replace(splits, test=test.examples, test_fingerprint=test.fingerprint)


def _load(config: TrainerConfig, uri: str, folder: Path, storage: Storage) -> Dataset:
    return load_dataset(fetch_rows(uri, folder, storage), config.max_image_pixels)


def fetch_model(config: TrainerConfig, folder: Path, storage: Storage) -> ModelSource:
    """The base model: a prefix of a bucket is fetched, a hub id left to `from_pretrained`.

    Raises:
        UserError: ModelNotFound.
    """
    name = config.model_name_or_path
    if not name.startswith(S3):
        return local_or_hub(name, config.model_revision)
    path = storage.fetch_prefix(name, folder, missing=FailureReason.ModelNotFound)
    if not (path / "config.json").is_file():
        raise UserError(
            FailureReason.ModelNotFound,
            f"{name} holds no config.json.",
            "Name the prefix that holds config.json and model.safetensors themselves.",
        )
    return ModelSource(str(path), None, name)
