"""Runs `finscribe merge`: fetches adapter and base model, merges them, and writes or uploads the result."""

import logging
import tempfile
from dataclasses import dataclass
from pathlib import Path

from finscribe_core.errors import FailureReason, UserError
from finscribe_core.trainer_config import StorageEndpoint
from finscribe_trainer.data.dataset import Example, load_dataset
from finscribe_trainer.data.files import DataFile
from finscribe_trainer.data_tools.sample.dataset import write_dataset
from finscribe_trainer.model.adapter import find_base_model, read_adapter_config
from finscribe_trainer.model.families.registry import load_family
from finscribe_trainer.model.merge import MergedFiles, choose_probes, export_merged
from finscribe_trainer.model.source import ADAPTER_CONFIG, ModelSource, fetch_model_files
from finscribe_trainer.pipeline.model_card.merged import write_merged_card
from finscribe_trainer.pipeline.model_card.usage import usage_for
from finscribe_trainer.runtime.outputs import claim_folder, replace_together
from finscribe_trainer.storage import Storage
from finscribe_trainer.storage.uri import is_s3_uri

log = logging.getLogger(__name__)

_MODEL_FILES = ("*.safetensors", "*.safetensors.index.json")
"""Files of an earlier model that --overwrite removes: their number depends on the size of the weights."""


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
    overwrite: bool = False
    """Whether a model in `output` may be replaced."""


def merge_to_output(request: MergeRequest, files: MergedFiles) -> None:
    """Merge, verify on synthetic invoices, and write or upload the model.

    Raises:
        UserError: InvalidConfig when the output is not empty, or the base model is not the adapter's;
            ModelNotFound, ModelUnsupported, MergeMismatch.
        RetryableError: the storage or the hub is unavailable, or the disk is full.
    """
    storage = Storage.from_config(StorageEndpoint())
    with tempfile.TemporaryDirectory(prefix="finscribe-merge-") as name:
        scratch = Path(name)
        if is_s3_uri(request.output):
            _refuse_taken_prefix(request, storage)
            storage.check_writable(request.output)
            (scratch / "merged").mkdir()
            _merge(request, files, storage, scratch, scratch / "merged")
            _refuse_taken_prefix(request, storage)  # another merge may have written there meanwhile
            storage.publish_run(scratch / "merged", request.output)
        else:
            output = Path(request.output)
            with claim_folder(output, overwrite=request.overwrite):
                earlier = [path.name for glob in _MODEL_FILES for path in output.glob(glob)]
                with replace_together(output, last="config.json", outdated=earlier) as folder:
                    _merge(request, files, storage, scratch, folder)
    log.info("merged model written to %s", request.output)


def _merge(request: MergeRequest, files: MergedFiles, storage: Storage, scratch: Path, folder: Path) -> None:
    """Write the merged model with its card to `folder`; downloads go to `scratch`."""
    adapter = _fetch_adapter(request.adapter, scratch / "adapter", storage)
    base = _base(request, adapter, scratch / "base", storage)
    family = load_family(base)
    probes = choose_probes(_synthetic_examples(scratch / "probes"), family)
    export_merged(base, family, adapter, folder, probes, files)
    write_merged_card(folder, adapter, usage_for(family, base, None))


def _refuse_taken_prefix(request: MergeRequest, storage: Storage) -> None:
    if not request.overwrite and storage.exists(f"{request.output.rstrip('/')}/"):
        raise UserError(
            FailureReason.InvalidConfig,
            f"{request.output} is not empty.",
            "Name another --output-dir, or pass --overwrite.",
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
    if given is not None and isinstance(trained_on, str) and _comparable(given) != _comparable(trained_on):
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


def _comparable(name: str) -> str:
    return str(Path(name).resolve()) if Path(name).is_dir() else _without_scheme(name)


def _is_hub_id(name: str) -> bool:
    """Whether a name is `owner/name` on the hub rather than a path.

    >>> _is_hub_id("hf://PaddlePaddle/PaddleOCR-VL"), _is_hub_id("./sample/model"), _is_hub_id("s3://a/b")
    (True, False, False)
    """
    bare = _without_scheme(name)
    return bare.count("/") == 1 and not bare.startswith((".", "~", "/")) and not Path(bare).is_dir()


def _synthetic_examples(folder: Path) -> list[Example]:
    """Synthetic invoices, with and without an image, to verify the merge on."""
    write_dataset(folder, num_rows=4, num_validation_rows=0, seed=0, text_row_every=4)
    return load_dataset(DataFile(folder / "train.jsonl", "train.jsonl"), max_image_pixels=10**6).examples
