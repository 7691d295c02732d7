"""Runs `finscribe merge`: fetches adapter and base model, merges them, and writes or uploads the result."""

import logging
import tempfile
from dataclasses import dataclass
from pathlib import Path

from finscribe_core.errors import FailureReason, UserError, disk_errors_as_finscribe_errors
from finscribe_core.trainer_config import StorageEndpoint
from finscribe_trainer.data.dataset import Example, load_dataset
from finscribe_trainer.data.files import DataFile
from finscribe_trainer.data_tools.sample.dataset import write_dataset
from finscribe_trainer.model.adapter import ADAPTER_CONFIG, find_base_model, read_adapter_config
from finscribe_trainer.model.families.registry import load_family
from finscribe_trainer.model.merge import UNVERIFIED_PREFIX, MergedFiles, choose_probes, export_merged
from finscribe_trainer.model.source import ModelSource, fetch_model_files
from finscribe_trainer.pipeline.model_card.merged import write_merged_card
from finscribe_trainer.pipeline.model_card.usage import usage_for
from finscribe_trainer.storage import Storage
from finscribe_trainer.storage.uri import is_s3_uri

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class MergeRequest:
    """The options of `finscribe merge` that name models and output."""

    adapter: str
    """An adapter's folder or s3:// prefix."""
    base_model: str | None
    """A hub id, a folder or an s3:// prefix; the one in adapter_config.json when None."""
    revision: str | None
    """Commit, tag or branch of a hub id; the one in adapter_config.json when None."""
    output: str
    """A folder or s3:// prefix that is empty or does not exist."""


def merge_to_output(request: MergeRequest, files: MergedFiles) -> None:
    """Merge, verify on synthetic invoices, and write or upload the model.

    Raises:
        UserError: InvalidConfig when the output is not empty, or the base model is not the adapter's;
            ModelNotFound, ModelUnsupported, MergeMismatch.
        RetryableError: the storage or the hub is unavailable, or the disk is full.
    """
    storage = Storage.from_config(StorageEndpoint())
    to_bucket = is_s3_uri(request.output)
    if to_bucket:
        _check_bucket(request.output, storage)
    else:
        _check_folder(Path(request.output))
    with tempfile.TemporaryDirectory(prefix="finscribe-merge-") as name:
        scratch = Path(name)
        adapter = _fetch_adapter(request.adapter, scratch / "adapter", storage)
        base = _base(request, adapter, scratch / "base", storage)
        family = load_family(base)
        probes = choose_probes(_synthetic_examples(scratch / "probes"), family)
        folder = scratch / "merged" if to_bucket else Path(request.output)
        export_merged(base, family, adapter, folder, probes, files)
        write_merged_card(folder, adapter, usage_for(family, base, None))
        if to_bucket:
            storage.publish_run(folder, request.output)
    log.info("merged model written to %s", request.output)


def _check_folder(folder: Path) -> None:
    """Create the output folder, so that an unusable path is reported before the merge.

    Files that a killed merge left in it are ignored: the merge removes them.

    Raises:
        UserError: InvalidConfig when it is not empty or can't be created.
    """
    with disk_errors_as_finscribe_errors():
        folder.mkdir(parents=True, exist_ok=True)
        taken = any(not path.name.startswith(UNVERIFIED_PREFIX) for path in folder.iterdir())
    if taken:
        raise _not_empty_error(str(folder))


def _check_bucket(uri: str, storage: Storage) -> None:
    if storage.exists(f"{uri.rstrip('/')}/"):
        raise _not_empty_error(uri)
    storage.check_writable(uri)


def _not_empty_error(output: str) -> UserError:
    return UserError(
        FailureReason.InvalidConfig, f"{output} is not empty.", "Pass another --output-dir, or remove it."
    )


def _fetch_adapter(name: str, folder: Path, storage: Storage) -> Path:
    place = Path(fetch_model_files(name, None, folder, storage).location)
    if not (place / ADAPTER_CONFIG).is_file():
        raise UserError(
            FailureReason.ModelNotFound,
            f"{name} contains no {ADAPTER_CONFIG}.",
            "Pass an adapter's folder, such as final_model or checkpoint-<step>.",
        )
    return place


def _base(request: MergeRequest, adapter: Path, folder: Path, storage: Storage) -> ModelSource:
    """The base model, with a warning or an error if it is not the one in adapter_config.json.

    Nothing else detects a wrong base model: models of one family have weights of the same shapes.
    """
    config = read_adapter_config(adapter)
    trained_on, revision = config.get("base_model_name_or_path"), config.get("revision")
    given = request.base_model
    if (
        given is not None
        and isinstance(trained_on, str)
        and _without_scheme(given) != _without_scheme(trained_on)
    ):
        if _is_hub_id(given) and _is_hub_id(trained_on):
            raise UserError(
                FailureReason.InvalidConfig,
                f"The adapter was trained on {trained_on}, not on {given}.",
                "Remove --base-model, or pass a folder that contains that model.",
            )
        log.warning("the adapter's base model is %s; assuming that %s is the same model", trained_on, given)
        revision = None
    if request.revision and revision and request.revision != revision:
        log.warning("the adapter was trained on revision %s, not %s", revision, request.revision)
    return find_base_model(adapter, given, folder, storage, request.revision or revision)


def _without_scheme(name: str) -> str:
    return name.removeprefix("hf://").rstrip("/")


def _is_hub_id(name: str) -> bool:
    """Whether a name is `owner/name` on the hub rather than a path.

    >>> _is_hub_id("hf://PaddlePaddle/PaddleOCR-VL"), _is_hub_id("./sample/model"), _is_hub_id("s3://a/b")
    (True, False, False)
    """
    bare = _without_scheme(name)
    return bare.count("/") == 1 and not bare.startswith((".", "~", "/")) and not Path(bare).is_dir()


def _synthetic_examples(folder: Path) -> list[Example]:
    """Synthetic invoices, with and without an image, to verify the merge on."""
    write_dataset(folder, num_rows=4, num_validation_rows=0, seed=0)
    return load_dataset(DataFile(folder / "train.jsonl", "train.jsonl"), max_image_pixels=10**6).examples
