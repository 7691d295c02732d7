"""Which documents a model is tried on: a rows' file, shards, or what lies in a folder."""

from dataclasses import dataclass
from pathlib import Path

from finscribe_core.errors import FailureReason, UserError
from finscribe_core.trainer_config import StorageEndpoint, TrainerConfig
from finscribe_trainer.data.dataset import Dataset, Example, load_dataset
from finscribe_trainer.data.fetch import fetch_rows
from finscribe_trainer.evaluation.results import DataInfo
from finscribe_trainer.evaluation.sampling import sample_evenly
from finscribe_trainer.storage import Storage

PREFERRED = tuple(f"{split}{end}" for split in ("test", "val") for end in (".jsonl", ".jsonl.gz", ".parquet"))
"""Files of a folder, the first of which is taken; without any of them all its row files are."""
_MAX_IMAGE_PIXELS: int = TrainerConfig.model_fields["max_image_pixels"].default


@dataclass(frozen=True)
class TestSet:
    """Documents to read, and what they are."""

    __test__ = False  # pytest: this is no test

    examples: list[Example]
    info: DataInfo


def inputs_folder(output: Path) -> Path:
    """Where what lies in S3 is fetched to; it stays, since results.json names the pages in it."""
    return output.with_name(f"{output.name}.inputs")


def load_test_set(source: str, limit: int | None, output: Path) -> TestSet:
    """Read and check every row, and take those that are to be read.

    Args:
        source: a rows' file, a folder, or an s3:// URI of either.
        limit: documents to read; all when None. A sample of fewer is always the same.
        output: results.json, beside which goes what is fetched from S3.

    Raises:
        UserError: DatasetNotFound, DatasetInvalid.
    """
    storage = Storage.from_config(StorageEndpoint())
    rows = fetch_rows(find_rows(source), inputs_folder(output) / "rows", storage)
    dataset = load_dataset(rows, _MAX_IMAGE_PIXELS)
    return choose(dataset, source, limit)


def choose(dataset: Dataset, source: str, limit: int | None) -> TestSet:
    """The documents of a data set that are to be read: at most `limit`, always the same ones."""
    examples = sample_evenly(dataset.examples, limit or len(dataset.examples))
    info = DataInfo(source, dataset.fingerprint, len(dataset.examples), len(examples))
    return TestSet(examples, info)


def find_rows(source: str) -> str:
    """The rows that a folder stands for: test.jsonl, else val.jsonl, else all its row files.

    Raises:
        UserError: DatasetNotFound.
    """
    if source.startswith("s3://") or not Path(source).is_dir():
        return source
    folder = Path(source)
    found = next((folder / name for name in PREFERRED if (folder / name).is_file()), None)
    if found is None and any(path.name.startswith("train.") for path in folder.iterdir()):
        raise UserError(
            FailureReason.DatasetNotFound,
            f"{source} holds training rows, but neither test.jsonl nor val.jsonl.",
            "Name the rows' file itself.",
        )
    return str(found or folder)
