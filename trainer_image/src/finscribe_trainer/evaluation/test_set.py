"""Loads a test set from a rows file, a folder or an s3:// URI, and samples it."""

import logging
from dataclasses import dataclass
from pathlib import Path

from finscribe_core.errors import FailureReason, UserError
from finscribe_core.trainer_config import StorageEndpoint, TrainerConfig
from finscribe_trainer.data.dataset import Dataset, Example, load_dataset
from finscribe_trainer.data.fetch import fetch_rows
from finscribe_trainer.data.image_count import image_count, with_images
from finscribe_trainer.evaluation.results import DataInfo
from finscribe_trainer.evaluation.sampling import sample_evenly
from finscribe_trainer.storage import Storage
from finscribe_trainer.storage.uri import is_s3_uri

log = logging.getLogger(__name__)
PREFERRED_FILES = tuple(
    f"{split}{end}" for split in ("test", "val") for end in (".jsonl", ".jsonl.gz", ".parquet")
)
"""Files of a folder that are used, in order of preference; without any of them, all its row files are."""
_MAX_IMAGE_PIXELS: int = TrainerConfig.model_fields["max_image_pixels"].default


@dataclass(frozen=True)
class TestSet:
    """Documents to evaluate a model on."""

    __test__ = False  # keeps pytest from collecting this class

    examples: list[Example]
    info: DataInfo


def download_folder(output: Path) -> Path:
    """The folder for downloads from S3; it is kept, since reports show the pages in it."""
    return output.with_name(f"{output.name}.inputs")


def load_test_set(source: str, limit: int | None, output: Path, image_root: str | None = None) -> TestSet:
    """Load and check every row, and sample the documents to evaluate.

    Args:
        source: a rows file, a folder, or an s3:// URI of either.
        limit: number of documents; all when None. The sample is reproducible.
        output: results.json; downloads from S3 are stored beside it.
        image_root: another folder or s3:// prefix that images may be in.

    Raises:
        UserError: DatasetNotFound, DatasetInvalid.
    """
    storage = Storage.from_config(StorageEndpoint())
    rows = fetch_rows(find_rows_file(source), download_folder(output) / "rows", storage, image_root)
    dataset = load_dataset(rows, _MAX_IMAGE_PIXELS)
    log.info("%s", image_count(with_images(dataset.examples), len(dataset.examples), "test"))
    return sample_test_set(dataset, source, limit)


def sample_test_set(dataset: Dataset, source: str, limit: int | None) -> TestSet:
    """A reproducible sample of at most `limit` documents of a data set; all when None."""
    examples = sample_evenly(dataset.examples, limit or len(dataset.examples))
    info = DataInfo(source, dataset.fingerprint, len(dataset.examples), len(examples))
    return TestSet(examples, info)


def find_rows_file(source: str) -> str:
    """The rows file to use in a folder: test.jsonl, else val.jsonl, else the folder itself.

    Raises:
        UserError: DatasetNotFound when the folder contains a training file, but neither of those.
    """
    folder = Path(source).expanduser()
    if is_s3_uri(source) or not folder.is_dir():
        return source
    found = next((folder / name for name in PREFERRED_FILES if (folder / name).is_file()), None)
    if found is None and any(path.name.startswith("train.") for path in folder.iterdir()):
        raise UserError(
            FailureReason.DatasetNotFound,
            f"{source} contains training rows, but neither test.jsonl nor val.jsonl.",
            "Pass the rows file itself.",
        )
    return str(found or folder)
