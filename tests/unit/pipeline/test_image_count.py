"""Every run says how many samples have images, and a vision model is not trained without any."""

import logging

import pytest

from finscribe_core.errors import FailureReason, UserError
from finscribe_core.trainer_config import TrainerConfig
from finscribe_trainer.pipeline.inputs import load_splits
from finscribe_trainer.pipeline.recipe import train
from finscribe_trainer.reporting import RunReporter
from finscribe_trainer.runtime.stop_signal import StopSignal
from finscribe_trainer.storage import Storage
from finscribe_trainer.training.range_test.run import ExponentialSchedule
from finscribe_trainer.training.run import Run
from finscribe_trainer.tuning.lr_finder.range_test import run_range_test

REFUSED = "0 of 3 training samples have images, but .*/model reads images"


@pytest.fixture
def text_rows(config, write_rows) -> TrainerConfig:
    """Training rows without images; those of validation have some."""
    rows = [{"instruction": "Read.", "input": f"Total {n}.00", "output": f"{n}.00"} for n in range(3)]
    return config.model_copy(update={"dataset_path": str(write_rows(*rows).path)})


def start(config: TrainerConfig) -> Run:
    return Run(config, name="", resume=None, reporter=RunReporter(run="", job=""), stop=StopSignal())


def test_the_samples_with_images_are_counted_in_the_log(config, tmp_path, caplog):
    with caplog.at_level(logging.INFO):
        load_splits(config, tmp_path, Storage.from_config(config.storage))
    messages = [record.getMessage() for record in caplog.records]
    assert "7 of 8 training samples have images" in messages
    assert "3 of 4 validation samples have images" in messages


def test_a_vision_model_is_not_trained_on_rows_without_images(text_rows):
    with pytest.raises(UserError, match=REFUSED) as caught:
        train(start(text_rows))
    assert caught.value.reason is FailureReason.DatasetInvalid
    assert "set require_images to false" in caught.value.remedy


def test_the_learning_rate_finder_refuses_rows_without_images(text_rows):
    with pytest.raises(UserError, match=REFUSED):
        run_range_test(text_rows, ExponentialSchedule(1e-6, 1e-2, 10), StopSignal())


@pytest.mark.train
@pytest.mark.parametrize("how", ["require_images is false", "a text model"])
def test_rows_without_images_are_trained_on_if_the_config_or_the_model_says_so(how, text_rows, text_model):
    changes = {
        "require_images is false": {"require_images": False},
        "a text model": {"model_name_or_path": str(text_model), "validation_path": None},
    }
    result = train(start(text_rows.model_copy(update=changes[how])))
    assert result is not None
    assert "0 of" in result.message
