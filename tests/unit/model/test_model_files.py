"""A model's folder that can't be loaded is reported with the file that is wrong, not its name."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from finscribe_core.errors import FailureReason, UserError
from finscribe_trainer.model.families.registry import load_family
from finscribe_trainer.model.model_files import find_problem
from finscribe_trainer.model.source import ModelSource


def keep_only_an_adapter(folder: Path) -> None:
    (folder / "config.json").rename(folder / "adapter_config.json")


def move_down(folder: Path) -> None:
    (folder / "model").mkdir()
    for path in folder.iterdir():
        if path.is_file():
            path.rename(folder / "model" / path.name)


def index_two_shards(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "model-00001-of-00002.safetensors")
    shards = {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": shards}))


def pickle_weights(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


PROBLEMS: dict[str, tuple[Callable[[Path], object], str]] = {
    "weights cut off": (
        lambda folder: os.truncate(folder / "model.safetensors", 2000),
        "has damaged weights: model.safetensors (2,000 bytes) is cut off",
    ),
    "no weights": (lambda folder: (folder / "model.safetensors").unlink(), "contains no model.safetensors"),
    "pickled weights": (pickle_weights, "has only pickled weights (pytorch_model.bin)"),
    "a missing shard": (index_two_shards, "contains no model-00002-of-00002.safetensors, which"),
    "no tokenizer": (lambda folder: (folder / "tokenizer.json").unlink(), "contains no tokenizer"),
    "a tokenizer cut off": (
        lambda folder: os.truncate(folder / "tokenizer.json", 3000),
        "has a damaged tokenizer.json",
    ),
    "no image processor": (
        lambda folder: (folder / "processor_config.json").unlink(),
        "contains no image processor (processor_config.json or preprocessor_config.json)",
    ),
    "no config": (lambda folder: (folder / "config.json").unlink(), "contains no config.json"),
    "a config cut off": (lambda folder: os.truncate(folder / "config.json", 60), "has a damaged config.json"),
    "an adapter": (keep_only_an_adapter, "is an adapter, not a complete model. Name its base model here."),
    "a folder above the model": (move_down, "contains no config.json. Did you mean "),
}


@pytest.mark.parametrize(("damage", "message"), PROBLEMS.values(), ids=PROBLEMS)
def test_a_damaged_model_is_reported_with_its_file(damage, message, sample, tmp_path):
    folder = Path(shutil.copytree(sample / "model", tmp_path / "model"))
    assert find_problem(folder) is None
    damage(folder)
    source = ModelSource(str(folder), given_name="s3://models/ours")
    with pytest.raises(UserError) as caught:
        load_family(source).load_model(source)
    assert caught.value.reason is FailureReason.ModelNotFound
    assert str(caught.value).startswith(f"s3://models/ours {message}")
    assert "model's name" not in str(caught.value)
