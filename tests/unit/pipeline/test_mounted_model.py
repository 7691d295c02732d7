"""A model whose image Kubernetes mounts."""

import pytest

from finscribe_core.errors import FailureReason, UserError
from finscribe_core.trainer_config import TrainerConfig
from finscribe_trainer.pipeline.inputs import fetch_model

NAME = "oci://registry.example/models/paddleocr-vl:1"


def mounted_at(path) -> TrainerConfig:
    values = {"dataset_path": "train.jsonl", "model_name_or_path": str(path), "model_name": NAME}
    return TrainerConfig.model_validate(values)


def test_results_name_the_image_and_not_where_it_is_mounted(tmp_path, storage_unused):
    (tmp_path / "config.json").write_text("{}")
    source = fetch_model(mounted_at(tmp_path), tmp_path, storage_unused)
    assert (source.location, source.name, source.lasting_name) == (str(tmp_path), NAME, NAME)


@pytest.mark.parametrize("folder", ["missing", "empty"])
def test_a_cluster_that_drops_image_volumes_is_named_as_the_cause(tmp_path, storage_unused, folder):
    """API servers before 1.35 drop the volume; before 1.31 they replace it by an empty one."""
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="the cluster has no image volumes") as caught:
        fetch_model(mounted_at(tmp_path / folder), tmp_path, storage_unused)
    assert caught.value.reason is FailureReason.ModelNotFound


@pytest.fixture
def storage_unused():
    """A storage of which no method may be called."""
    return


def test_a_folder_is_asked_for_where_no_cluster_mounts_the_image(tmp_path, storage_unused):
    config = TrainerConfig.model_validate({"dataset_path": "train.jsonl", "model_name_or_path": NAME})
    with pytest.raises(UserError, match="only a cluster mounts the image"):
        fetch_model(config, tmp_path, storage_unused)
