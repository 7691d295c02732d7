"""An adapter's folder: what it holds, which base it belongs to, and whether it fits one."""

import json
import logging
import warnings
from pathlib import Path
from typing import Any

from peft import PeftModel
from safetensors import SafetensorError
from transformers import PreTrainedModel

from finscribe_core.errors import FailureReason, UserError
from finscribe_trainer.model.source import ModelSource, fetch_model_files
from finscribe_trainer.storage import Storage

log = logging.getLogger(__name__)

ADAPTER_CONFIG, ADAPTER_WEIGHTS = "adapter_config.json", "adapter_model.safetensors"


def base_of(
    adapter: Path, base_model: str | None, folder: Path, storage: Storage, revision: str | None = None
) -> ModelSource:
    """The adapter's base: the one given, else the one that its adapter_config.json names.

    Args:
        adapter: the adapter's folder.
        base_model: a hub id, a folder or an s3:// prefix.
        folder: where an s3:// prefix is fetched to.
        storage: where it is fetched from.
        revision: of a hub id; adapter_config.json's when it names the base.

    Raises:
        UserError: ModelNotFound when the adapter is not complete, or names no base that can be found.
    """
    if not (adapter / ADAPTER_WEIGHTS).is_file():
        raise UserError(
            FailureReason.ModelNotFound,
            f"{adapter} holds no {ADAPTER_WEIGHTS}.",
            "Name the folder of a complete adapter; pickled weights are not read.",
        )
    if base_model is not None:
        return fetch_model_files(base_model, revision, folder, storage)
    config = read_adapter_config(adapter)
    named = config.get("base_model_name_or_path")
    if not isinstance(named, str) or not named:
        raise UserError(
            FailureReason.ModelNotFound,
            f"{adapter / ADAPTER_CONFIG} names no base model.",
            "Pass --base-model.",
        )
    try:
        return fetch_model_files(named, revision or config.get("revision"), folder, storage)
    except UserError as error:
        raise UserError(
            error.reason,
            f"The base model that {adapter / ADAPTER_CONFIG} names: {error.message}",
            "Pass --base-model with the place it is at now.",
        ) from None


def read_adapter_config(adapter: Path) -> dict[str, Any]:
    """What adapter_config.json says; nothing when it can't be read, which loading the adapter then tells."""
    try:
        config = json.loads((adapter / ADAPTER_CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return config if isinstance(config, dict) else {}


def with_adapter(model: PreTrainedModel, adapter: Path, source: ModelSource) -> PeftModel:
    """The model with the whole adapter in it.

    Raises:
        UserError: ModelUnsupported when the adapter does not fit this base: another shape, or a weight that
            one of them has and the other has not.
    """
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Found missing adapter keys")  # they are refused below
            adapted: PeftModel = PeftModel.from_pretrained(model, str(adapter))
            # peft leaves out what does not fit. Loaded once more, the same weights tell what that was, in the
            # names that the model has: adapters of earlier transformers may name layers otherwise.
            loaded = adapted.load_adapter(str(adapter), "default")
    except (RuntimeError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise _misfit(adapter, source, str(error).strip().splitlines()[0]) from error
    if loaded.missing_keys or loaded.unexpected_keys:
        raise _misfit(adapter, source, _differences(loaded.missing_keys, loaded.unexpected_keys))
    return adapted


def _differences(missing: list[str], unexpected: list[str]) -> str:
    """How the weights of a file differ from those that the model needs, with the first of each kind."""
    said = ((missing, "are missing from its file"), (unexpected, "of its file have no place in the model"))
    counted = [
        f"{len(keys)} weights {what}, first {keys[0].replace('.default', '')}" for keys, what in said if keys
    ]
    return f"{'; '.join(counted)}."


def _misfit(adapter: Path, source: ModelSource, why: str) -> UserError:
    return UserError(
        FailureReason.ModelUnsupported,
        f"The adapter {adapter} does not fit {source.name}: {why}",
        "Name the base model it was trained on by --base-model, and mind that the adapter's files are whole.",
    )
