"""Reads a saved adapter: finds its base model and loads it onto one."""

import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from peft import PeftModel, get_peft_model_state_dict, set_peft_model_state_dict
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor
from transformers import PreTrainedModel

from finscribe_core.errors import FailureReason, UserError
from finscribe_trainer.model.quantization import save_quantization
from finscribe_trainer.model.source import ADAPTER_CONFIG, ADAPTER_WEIGHTS, ModelSource, fetch_model_files
from finscribe_trainer.storage import Storage

log = logging.getLogger(__name__)

_OTHER = "other"
"""Name of an adapter beside the model's own, which PEFT calls `default`."""


def find_base_model(
    adapter: Path, base_model: str | None, folder: Path, storage: Storage, revision: str | None = None
) -> ModelSource:
    """The adapter's base model: the given one, else the one that its adapter_config.json names.

    Args:
        adapter: the adapter's folder.
        base_model: a hub id, a folder or an s3:// prefix.
        folder: where to download an s3:// prefix to.
        storage: where to download it from.
        revision: revision of a hub id; when None, the one in adapter_config.json if that names the base.

    Raises:
        UserError: ModelNotFound when the adapter is incomplete, or its base model is not found.
    """
    if not (adapter / ADAPTER_WEIGHTS).is_file():
        raise UserError(
            FailureReason.ModelNotFound,
            f"{adapter} contains no {ADAPTER_WEIGHTS}.",
            "Pass the folder of a complete adapter; pickled weights are not supported.",
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
        source = fetch_model_files(named, revision or config.get("revision"), folder, storage)
        # Adapters of other tools name a folder as it was given, relative to a working directory: `a/b` is
        # read as a hub id, where there is no such model, or that of somebody else.
        return replace(source, remedy=f"If {named} is a folder, pass its path with --base-model.")
    except UserError as error:
        raise UserError(
            error.reason,
            f"The base model that {adapter / ADAPTER_CONFIG} names: {error.message}",
            "Pass its current location with --base-model.",
        ) from None


def name_base_model(adapted: PeftModel, source: ModelSource) -> None:
    """Name the base model in the adapter's config, by which checkpoints and exports find it again."""
    for config in adapted.peft_config.values():
        config.base_model_name_or_path = source.lasting_name
        config.revision = source.revision


def read_adapter_config(adapter: Path) -> dict[str, Any]:
    """The content of adapter_config.json; empty when unreadable, which loading the adapter then reports."""
    try:
        config = json.loads((adapter / ADAPTER_CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return config if isinstance(config, dict) else {}


def load_trained_adapter(model: PreTrainedModel, adapter: Path, source: ModelSource) -> PeftModel:
    """The model with the trained adapter attached; every weight of the adapter must be loaded.

    Raises:
        UserError: ModelUnsupported when the adapter does not fit this base model: shapes differ, or weights
            are missing or unexpected.
    """
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Found missing adapter keys")  # rejected below
            adapted: PeftModel = PeftModel.from_pretrained(model, str(adapter))
            # from_pretrained skips weights that do not fit. Loading them once more reports which, by the
            # model's own names: adapters of earlier transformers versions may name layers differently.
            loaded = adapted.load_adapter(str(adapter), "default")
    except (RuntimeError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise _mismatch(adapter, source, str(error).strip().splitlines()[0]) from error
    if loaded.missing_keys or loaded.unexpected_keys:
        raise _mismatch(adapter, source, _describe_keys(loaded.missing_keys, loaded.unexpected_keys))
    return adapted


@contextmanager
def other_adapter(adapted: PeftModel, adapter: Path, source: ModelSource) -> Iterator[None]:
    """A trained adapter in place of the model's own, until the end of the context.

    Raises:
        UserError: ModelUnsupported when it does not fit this base model.
    """
    own = adapted.active_adapter
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Found missing adapter keys")  # rejected below
            loaded = adapted.load_adapter(str(adapter), _OTHER, torch_device=str(adapted.device))
    except (RuntimeError, ValueError, KeyError, TypeError, SafetensorError) as error:
        if _OTHER in adapted.peft_config:
            adapted.delete_adapter(_OTHER)
        raise _mismatch(adapter, source, str(error).strip().splitlines()[0]) from error
    try:
        if loaded.missing_keys or loaded.unexpected_keys:
            raise _mismatch(adapter, source, _describe_keys(loaded.missing_keys, loaded.unexpected_keys))
        adapted.set_adapter(_OTHER)
        yield
    finally:
        adapted.set_adapter(own)
        adapted.delete_adapter(_OTHER)


def adapter_weights(adapted: PeftModel) -> dict[str, Tensor]:
    """The adapter's weights by name.

    No run resizes embeddings. To find out, PEFT would ask the hub for the base model's config.
    """
    weights: dict[str, Tensor] = get_peft_model_state_dict(adapted, save_embedding_layers=False)
    return weights


def save_adapter(adapted: PeftModel, folder: Path) -> None:
    """Write the adapter's weights (safetensors) and config, and how its base model is quantized, to a folder;
    without a request to the hub.
    """
    adapted.save_pretrained(str(folder), safe_serialization=True, save_embedding_layers=False)
    save_quantization(adapted, folder)


def load_weights(adapted: PeftModel, adapter: Path) -> None:
    """Replace the weights of a new adapter by those of a saved one that fits: see `check_adapter_fits`."""
    set_peft_model_state_dict(adapted, load_file(adapter / ADAPTER_WEIGHTS))


def _describe_keys(missing: list[str], unexpected: list[str]) -> str:
    """Number and first name of the missing and of the unexpected weights."""
    kinds = ((missing, "are missing from its file"), (unexpected, "of its file are unknown to the model"))
    counted = [
        f"{len(keys)} weights {what}, first {keys[0].replace('.default', '')}" for keys, what in kinds if keys
    ]
    return f"{'; '.join(counted)}."


def _mismatch(adapter: Path, source: ModelSource, why: str) -> UserError:
    return UserError(
        FailureReason.ModelUnsupported,
        f"The adapter {adapter} does not fit {source.name}: {why}",
        "Pass the base model it was trained on with --base-model, and check that the adapter's files are "
        "complete.",
    )
