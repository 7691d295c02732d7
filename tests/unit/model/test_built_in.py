"""`finscribe/tiny-ocr-vl` is found in the package from any working directory; damaged files are reported."""

import shutil
from pathlib import Path

import pytest

from finscribe_core.constants import BUILT_IN_MODEL
from finscribe_core.errors import FailureReason, UserError
from finscribe_core.trainer_config import StorageEndpoint
from finscribe_trainer.model import built_in
from finscribe_trainer.model.source import fetch_model_files, find_local_or_hub_model
from finscribe_trainer.storage import Storage


@pytest.mark.parametrize("name", [BUILT_IN_MODEL, f"hf://{BUILT_IN_MODEL}"])
def test_the_name_is_that_of_the_package_and_lasts(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / BUILT_IN_MODEL).mkdir(parents=True)
    found = fetch_model_files(name, "main", tmp_path, Storage.from_config(StorageEndpoint()))
    assert Path(found.location) == built_in.FOLDER
    assert (found.name, found.lasting_name, found.revision) == (BUILT_IN_MODEL, BUILT_IN_MODEL, None)


def test_another_name_of_the_same_owner_is_one_of_the_hub():
    assert find_local_or_hub_model("finscribe/other", None).location == "finscribe/other"


def _append(file: Path) -> None:
    file.write_bytes(file.read_bytes() + b"\n")


@pytest.mark.parametrize("damage", [Path.unlink, _append])
@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_file_that_differs_from_its_checksum_is_named_with_the_remedy(damage, name, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(built_in.FOLDER, folder)
    damage(folder / name)
    with pytest.raises(UserError) as caught:
        built_in.find_built_in_model(folder)
    assert caught.value.reason is FailureReason.ModelNotFound
    assert str(folder / name) in caught.value.message
    assert "git restore" in caught.value.remedy


def test_a_package_without_the_checksums_is_reported(tmp_path):
    with pytest.raises(UserError, match="SHA256SUMS is missing"):
        built_in.find_built_in_model(tmp_path)
