"""The gradient accumulation by which the effective batch stays the same with any number of processes."""

import pytest

from finscribe_core.errors import UserError
from finscribe_core.trainer_config import TrainerConfig
from finscribe_trainer.training.accumulation import with_known_accumulation


def accumulation(processes: int, **training: int) -> int:
    config = TrainerConfig.model_validate({"dataset_path": "train.jsonl", "training": training})
    return with_known_accumulation(config, processes).training.gradient_accumulation_steps


@pytest.mark.parametrize(("processes", "steps"), [(1, 8), (2, 4), (4, 2), (8, 1)])
def test_the_effective_batch_is_divided_among_the_processes(processes: int, steps: int):
    found = accumulation(processes, per_device_train_batch_size=2, effective_batch_size=16)

    assert found == steps


def test_without_an_effective_batch_the_accumulation_is_that_of_the_config():
    assert accumulation(4, gradient_accumulation_steps=3) == 3


def test_an_accumulation_that_has_no_effect_is_reported(caplog: pytest.LogCaptureFixture):
    accumulation(1, effective_batch_size=16)
    assert not caplog.messages

    accumulation(1, effective_batch_size=16, gradient_accumulation_steps=4)
    assert caplog.messages == ["gradient_accumulation_steps has no effect if effective_batch_size is set"]


@pytest.mark.parametrize("processes", [3, 16])
def test_an_effective_batch_that_can_not_be_divided_is_refused_by_name(processes: int):
    with pytest.raises(
        UserError, match=r"training\.effective_batch_size 16 is no multiple of .* 2 x"
    ) as found:
        accumulation(processes, per_device_train_batch_size=2, effective_batch_size=16)

    assert "resources.gpus" in found.value.remedy
