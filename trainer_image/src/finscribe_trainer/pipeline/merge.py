"""`finscribe merge` from its options to a model that stands alone, on disk or in a bucket."""

import logging
import tempfile
from dataclasses import dataclass
from pathlib import Path

from finscribe_core.errors import FailureReason, UserError, disk_trouble_told
from finscribe_core.trainer_config import StorageEndpoint
from finscribe_trainer.data.dataset import Example, load_dataset
from finscribe_trainer.data.files import DataFile
from finscribe_trainer.data_tools.sample.dataset import write_dataset
from finscribe_trainer.model.adapter import ADAPTER_CONFIG, base_of, read_adapter_config
from finscribe_trainer.model.families.registry import load_family
from finscribe_trainer.model.merge import UNCHECKED, MergedFiles, choose_probes, export_merged
from finscribe_trainer.model.source import ModelSource, fetch_model_files
from finscribe_trainer.pipeline.model_card.merged import write_merged_card
from finscribe_trainer.pipeline.model_card.usage import usage_of
from finscribe_trainer.storage import Storage

log = logging.getLogger(__name__)

S3 = "s3://"


@dataclass(frozen=True)
class MergeRequest:
    """What is merged, as the user names it."""

    adapter: str
    """An adapter's folder, or an s3:// prefix."""
    base_model: str | None
    """A hub id, a folder or an s3:// prefix; the one that the adapter names when None."""
    revision: str | None
    """Commit, tag or branch of a hub id; the one that the adapter was trained on when None."""
    output: str
    """A folder that is empty or not there yet, or such an s3:// prefix."""


def merge_into(request: MergeRequest, files: MergedFiles) -> None:
    """Merge, check on a made-up invoice, and write (or upload) the model.

    Raises:
        UserError: InvalidConfig when the output is taken, or the base is not the adapter's; ModelNotFound,
            ModelUnsupported, MergeMismatch.
        RetryableError: the storage or the hub does not answer, or the disk is full.
    """
    storage = Storage.from_config(StorageEndpoint())
    to_bucket = request.output.startswith(S3)
    if to_bucket:
        _check_bucket(request.output, storage)
    else:
        _check_folder(Path(request.output))
    with tempfile.TemporaryDirectory(prefix="finscribe-merge-") as name:
        scratch = Path(name)
        adapter = _fetch_adapter(request.adapter, scratch / "adapter", storage)
        base = _base(request, adapter, scratch / "base", storage)
        family = load_family(base)
        probes = choose_probes(_made_up(scratch / "probes"), family)
        folder = scratch / "merged" if to_bucket else Path(request.output)
        export_merged(base, family, adapter, folder, probes, files)
        write_merged_card(folder, adapter, usage_of(family, base, None))
        if to_bucket:
            storage.publish_run(folder, request.output)
    log.info("merged model written to %s", request.output)


def _check_folder(folder: Path) -> None:
    """Make it, so that a path that can't be used is said at once.

    What a killed merge left there does not count: the merge removes it.

    Raises:
        UserError: InvalidConfig when it holds something else, or can't be made.
    """
    with disk_trouble_told():
        folder.mkdir(parents=True, exist_ok=True)
        taken = any(not path.name.startswith(UNCHECKED) for path in folder.iterdir())
    if taken:
        raise _taken(str(folder))


def _check_bucket(uri: str, storage: Storage) -> None:
    if storage.exists(f"{uri.rstrip('/')}/"):
        raise _taken(uri)
    storage.check_writable(uri)


def _taken(output: str) -> UserError:
    return UserError(
        FailureReason.InvalidConfig, f"{output} is not empty.", "Name another --output-dir, or remove it."
    )


def _fetch_adapter(name: str, folder: Path, storage: Storage) -> Path:
    place = Path(fetch_model_files(name, None, folder, storage).location)
    if not (place / ADAPTER_CONFIG).is_file():
        raise UserError(
            FailureReason.ModelNotFound,
            f"{name} holds no {ADAPTER_CONFIG}.",
            "Name an adapter's folder, such as final_model or checkpoint-<step>.",
        )
    return place


def _base(request: MergeRequest, adapter: Path, folder: Path, storage: Storage) -> ModelSource:
    """The base model, with a word about one that is not what the adapter names.

    Models of one family fit each other's adapters by their shapes, and nothing else would tell.
    """
    config = read_adapter_config(adapter)
    trained_on, revision = config.get("base_model_name_or_path"), config.get("revision")
    given = request.base_model
    if given is not None and isinstance(trained_on, str) and _bare(given) != _bare(trained_on):
        if _is_hub_id(given) and _is_hub_id(trained_on):
            raise UserError(
                FailureReason.InvalidConfig,
                f"The adapter was trained on {trained_on}, not on {given}.",
                "Leave --base-model out, or name a folder that holds that model.",
            )
        log.warning("the adapter names %s as its base; %s is taken to be the same model", trained_on, given)
        revision = None
    if request.revision and revision and request.revision != revision:
        log.warning("the adapter was trained on revision %s, not %s", revision, request.revision)
    return base_of(adapter, given, folder, storage, request.revision or revision)


def _bare(name: str) -> str:
    return name.removeprefix("hf://").rstrip("/")


def _is_hub_id(name: str) -> bool:
    """Whether a name is `owner/name` on the hub rather than a path.

    >>> _is_hub_id("hf://PaddlePaddle/PaddleOCR-VL"), _is_hub_id("./sample/model"), _is_hub_id("s3://a/b")
    (True, False, False)
    """
    bare = _bare(name)
    return bare.count("/") == 1 and not bare.startswith((".", "~", "/")) and not Path(bare).is_dir()


def _made_up(folder: Path) -> list[Example]:
    """Invoices as a page and as text: a merge needs no data of the user's."""
    write_dataset(folder, num_rows=4, num_validation_rows=0, seed=0)
    return load_dataset(DataFile(folder / "train.jsonl", "train.jsonl"), max_image_pixels=10**6).examples
