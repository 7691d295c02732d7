"""An adapter's config names its base model so that it is found from any working directory."""

import json
from contextlib import chdir

import pytest

from finscribe_core.errors import FailureReason, UserError
from finscribe_core.trainer_config import LoraSpec, StorageEndpoint
from finscribe_trainer.model.adapter import find_base_model, name_base_model
from finscribe_trainer.model.lora import attach_adapter
from finscribe_trainer.model.source import ModelSource, find_local_or_hub_model, model_errors
from finscribe_trainer.storage import Storage


@pytest.mark.parametrize(
    "name", ["sample/model", "model", "./model", "../elsewhere/model", "hf://a/b", "a/b"]
)
def test_a_relative_folder_is_named_by_its_absolute_path_and_a_hub_model_by_its_id(name, tmp_path):
    (tmp_path / "here").mkdir()
    with chdir(tmp_path / "here"):
        local = name not in ("hf://a/b", "a/b")
        if local:
            (tmp_path / "here" / name).mkdir(parents=True)
        found = find_local_or_hub_model(name, None).lasting_name
    assert found == (str((tmp_path / "here" / name).resolve()) if local else "a/b")


def test_a_model_that_was_downloaded_is_named_by_its_prefix(tmp_path):
    assert ModelSource(str(tmp_path), None, "s3://team/model").lasting_name == "s3://team/model"


def test_checkpoints_name_the_base_model_as_the_export_does(family, sample):
    with chdir(sample):
        source = find_local_or_hub_model("model", None)
        adapted = attach_adapter(family.load_model(source), family, LoraSpec())
        name_base_model(adapted, source)
    assert adapted.peft_config["default"].base_model_name_or_path == str(sample / "model")


@pytest.mark.parametrize("named", ["sample/model", "./model", "a/b/c", "model"])
def test_a_base_model_that_is_not_found_is_asked_for_with_base_model(named, tmp_path, monkeypatch):
    """`sample/model` may be a hub id or a folder: the error of the hub says so, too."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    (tmp_path / "adapter").mkdir()
    (tmp_path / "adapter" / "adapter_model.safetensors").touch()
    (tmp_path / "adapter" / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": named}))
    with pytest.raises(UserError) as caught:
        source = find_base_model(tmp_path / "adapter", None, tmp_path, Storage.from_config(StorageEndpoint()))
        with model_errors(source):
            raise OSError("no such repository")
    assert caught.value.reason is FailureReason.ModelNotFound
    assert "--base-model" in caught.value.remedy
