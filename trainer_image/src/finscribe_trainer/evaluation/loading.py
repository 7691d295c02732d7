"""Loads a model for inference: an adapter with its base model, a merged model, or a base model."""

import hashlib
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import try_to_load_from_cache
from peft import PeftModel
from transformers import PreTrainedModel

from finscribe_core.errors import FailureReason, UserError
from finscribe_core.trainer_config import TrainingSpec
from finscribe_trainer.batches.features.cache import FeatureCache
from finscribe_trainer.evaluation.results import ModelInfo
from finscribe_trainer.model.adapter import find_base_model, load_trained_adapter
from finscribe_trainer.model.families.base import Family
from finscribe_trainer.model.families.registry import load_family
from finscribe_trainer.model.precision import choose_dtype, flush_denormals
from finscribe_trainer.model.quantization import round_as_in_training
from finscribe_trainer.model.source import (
    ADAPTER_CONFIG,
    ADAPTER_WEIGHTS,
    QUANTIZATION_CONFIG,
    ModelSource,
    fetch_model_files,
)
from finscribe_trainer.storage import Storage

log = logging.getLogger(__name__)

_MODEL_FILES = ("*.json", "*.safetensors", "*.jinja", "*.model", "*.txt")


@dataclass(frozen=True)
class LoadedModel:
    """A model ready for inference."""

    model: PreTrainedModel | PeftModel
    family: Family
    info: ModelInfo
    features: FeatureCache | None = None
    """The training's feature cache, if the vision tower is unchanged."""
    folder: Path | None = None
    """The files of the adapter or model that was named; None for one on the hub, or in training."""


def load_model(name: str, base_model: str | None, folder: Path, storage: Storage) -> LoadedModel:
    """Load a model onto the GPU if there is one; in bfloat16 if the GPU supports it, else in float32.

    Args:
        name: an adapter's or a model's folder, an s3:// prefix, or a hub id.
        base_model: the adapter's base model, instead of the one in its adapter_config.json.
        folder: where to download files of an s3:// prefix to.
        storage: where to download them from.

    Raises:
        UserError: ModelNotFound; ModelUnsupported when the adapter does not fit its base.
    """
    place = fetch_model_files(name, None, folder / "model", storage)
    adapter = Path(place.location) if (Path(place.location) / ADAPTER_CONFIG).is_file() else None
    if adapter is None and base_model is not None:
        raise UserError(
            FailureReason.InvalidConfig,
            f"{name} is not an adapter, so --base-model {base_model} has no effect.",
            "Remove --base-model, or pass an adapter's folder (with adapter_config.json).",
        )
    source = place if adapter is None else find_base_model(adapter, base_model, folder / "base", storage)
    family = load_family(source)
    info = describe_model(source, name, adapter)
    on_gpu = torch.cuda.is_available()
    if not on_gpu:
        flush_denormals()
    dtype = choose_dtype(TrainingSpec())
    log.info("loading %s (%s, %s)", name, "GPU" if on_gpu else "CPU", str(dtype).removeprefix("torch."))
    model: Any = family.load_model(source, dtype=dtype)
    if adapter is not None:
        round_as_in_training(model, family, adapter)
        model = load_trained_adapter(model, adapter, source)
    files = Path(place.location) if Path(place.location).is_dir() else None
    return LoadedModel(model.to("cuda" if on_gpu else "cpu").eval(), family, info, folder=files)


def describe_model(source: ModelSource, name: str, adapter: Path | None) -> ModelInfo:
    """Name, base model, revision and fingerprint of a model, for results.json.

    Args:
        source: the model, or the adapter's base model; loaded before, if it is on the hub.
        name: the name that the user passed.
        adapter: the adapter's folder, if there is one.
    """
    digest = hashlib.sha256()
    commit = source.revision if source.hub_id else None
    if source.hub_id:
        digest.update(f"{source.hub_id}@{commit}".encode())
    elif Path(source.location).is_dir():
        _add_files(digest, {path for glob in _MODEL_FILES for path in Path(source.location).glob(glob)})
    else:
        commit = _hub_commit(source)
        digest.update(f"{source.location}@{commit}".encode())
    if adapter is not None:
        _add_files(digest, [adapter / ADAPTER_CONFIG, adapter / ADAPTER_WEIGHTS])
        _add_files(digest, adapter.glob(QUANTIZATION_CONFIG))
    return ModelInfo(name, source.name if adapter is not None else None, commit, digest.hexdigest())


def _hub_commit(source: ModelSource) -> str | None:
    """The commit of a hub model that has been loaded: the hub's cache has a folder for each."""
    config = try_to_load_from_cache(source.location, "config.json", revision=source.revision)
    return Path(config).parent.name if isinstance(config, str) else None


def _add_files(digest: Any, paths: Iterable[Path]) -> None:
    for path in sorted(paths):
        with path.open("rb") as file:
            digest.update(f"{path.name} {hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
