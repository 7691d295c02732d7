"""Downloads and loads a run's inputs: rows with their images, and the base model's files."""

import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from itertools import combinations
from pathlib import Path

from finscribe_core.api.base import count_bytes
from finscribe_core.errors import FailureReason, UserError
from finscribe_core.report import DatasetState
from finscribe_core.trainer_config import DOWNLOAD_CACHE_SIZE, TrainerConfig
from finscribe_trainer.data.dataset import Example, load_dataset
from finscribe_trainer.data.fetch import fetch_rows
from finscribe_trainer.data.hold_out import hold_out
from finscribe_trainer.data.image_count import image_count, with_images
from finscribe_trainer.data.same_document import find_overlap
from finscribe_trainer.data.splits import Splits
from finscribe_trainer.data.state import dataset_state, row_sources
from finscribe_trainer.model.hub import fetch_hub_model
from finscribe_trainer.model.source import ModelSource, fetch_model_files
from finscribe_trainer.storage import Storage, TransferObserver
from finscribe_trainer.storage.file_cache import FileCache
from finscribe_trainer.storage.uri import is_s3_uri

log = logging.getLogger(__name__)


def open_storage(
    config: TrainerConfig,
    cancel: threading.Event,
    observer: TransferObserver | None = None,
) -> Storage:
    """The storage of a run, with the cache of downloads that its config names.

    Raises:
        UserError: InvalidConfig: `cache_dir` can't be used.
    """
    cache = None
    if config.cache_dir is not None:
        cache = FileCache(Path(config.cache_dir), count_bytes(config.cache_max_size or DOWNLOAD_CACHE_SIZE))
    return Storage.from_config(config.storage, observer=observer, cancel=cancel, cache=cache)


def load_splits(
    config: TrainerConfig,
    folder: Path,
    storage: Storage,
    report: Callable[[DatasetState], None] = lambda state: None,
) -> Splits:
    """Load training, validation and test examples, check every row, and warn of documents in two of the sets.

    Args:
        config: the run's config.
        folder: where to download files from S3 to.
        storage: where to download them from.
        report: gets the state of the data set as soon as it is downloaded, and again with the number of rows.

    Raises:
        UserError: DatasetNotFound, DatasetInvalid.
    """
    files = {
        kind: fetch_rows(source, folder / kind, storage, config.image_root)
        for kind, source in row_sources(config).items()
    }
    state = dataset_state({kind: file.versions() for kind, file in files.items()})
    report(state)
    train = load_dataset(files["train"], config.max_image_pixels)
    report(state.model_copy(update={"samples": len(train.examples)}))
    share = config.effective_validation_split
    if share is not None:
        kept, held_out = hold_out(train.examples, share, config.training.seed)
        log.info("%d of %d rows are held out for validation", len(held_out), len(train.examples))
        splits = Splits(kept, held_out, train.fingerprint, None)
    else:
        validation = load_dataset(files["validation"], config.max_image_pixels)
        splits = Splits(train.examples, validation.examples, train.fingerprint, validation.fingerprint)
    if "test" in files:
        test = load_dataset(files["test"], config.max_image_pixels)
        splits = replace(splits, test=test.examples, test_fingerprint=test.fingerprint)
    parts = {"training": splits.train, "validation": splits.validation, "test": splits.test or []}
    for kind, examples in parts.items():
        if examples:
            log.info("%s", image_count(with_images(examples), len(examples), kind))
    for kind, other in combinations(parts, 2):
        if share is None or other == "test":  # rows that were held out show no document of those kept
            _warn_of_overlap(kind, parts[kind], other, parts[other])
    return splits


def _warn_of_overlap(name: str, known: list[Example], other_name: str, others: list[Example]) -> None:
    if not (pairs := find_overlap(known, others)):
        return
    count = "ALL" if len(pairs) == len(others) else f"{len(pairs)} of {len(others)}"
    row, same = pairs[0]
    log.warning(
        "%s %s rows show a document that is also in the %s rows, such as %s, which shows that of %s. Their "
        "loss and scores do not tell how well the model reads new documents. Remove them from one of the "
        "sets; `finscribe data validate` with --validation and --test lists them all.",
        *(count, other_name, name, row.where, same.where),
    )


def fetch_model(config: TrainerConfig, folder: Path, storage: Storage) -> ModelSource:
    """Download the base model from S3 or the hub; a local folder is used in place.

    Raises:
        UserError: ModelNotFound, ModelAccessDenied.
        RetryableError: StorageUnavailable.
    """
    if config.model_name is not None:
        return _mounted_model(config.model_name_or_path, config.model_name)
    source = fetch_model_files(config.model_name_or_path, config.model_revision, folder, storage)
    if not is_s3_uri(source.name) and not Path(source.location).is_dir():
        return fetch_hub_model(source, folder, storage)
    if is_s3_uri(source.name) and not (Path(source.location) / "config.json").is_file():
        raise UserError(
            FailureReason.ModelNotFound,
            f"{source.name} contains no config.json.",
            "Use the prefix that directly contains config.json and model.safetensors.",
        )
    return source


def _mounted_model(location: str, name: str) -> ModelSource:
    """The source of a model whose image is mounted.

    Raises:
        UserError: ModelNotFound when it is not, which is all that the pod of such a cluster shows.
    """
    folder = Path(location)
    if not folder.is_dir() or not any(folder.iterdir()):
        raise UserError(
            FailureReason.ModelNotFound,
            f"{name} is not mounted at {location}: the cluster has no image volumes.",
            "Kubernetes has them by default from version 1.35 on, from 1.31 on with the feature gate "
            "ImageVolume of API server and kubelets. Otherwise copy the model to a bucket, and name its "
            "prefix.",
        )
    return ModelSource(location, None, name)
