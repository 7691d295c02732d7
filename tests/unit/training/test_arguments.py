import pytest
import torch

from finscribe_core.trainer_config import Optimizer, TrainingSpec
from finscribe_trainer.training.arguments import build_arguments


def arguments(tmp_path, dtype=torch.float32, **settings):
    spec = TrainingSpec(**settings)
    return build_arguments(spec, tmp_path, 10, dtype=dtype)


WARMUPS = [
    ({"warmup_ratio": 0.1}, 10, ""),
    ({"warmup_steps": 7}, 7, ""),
    ({"warmup_steps": 0}, 0, ""),
    ({"warmup_steps": 7, "warmup_ratio": 0.2}, 7, "warmup_ratio has no effect if warmup_steps is set"),
    ({"warmup_steps": 7, "lr_scheduler_type": "constant"}, 7, "warmup_steps has no effect"),
]


@pytest.mark.parametrize(("settings", "expected", "warning"), WARMUPS)
def test_warm_up_follows_its_settings_and_one_without_effect_causes_a_warning(
    settings, expected, warning, tmp_path, caplog
):
    assert arguments(tmp_path, **settings).get_warmup_steps(100) == expected
    assert (warning in caplog.text) if warning else not caplog.text


def test_the_number_of_cycles_is_used_only_by_cosine_with_restarts(tmp_path, caplog):
    restarts = {"lr_scheduler_type": "cosine_with_restarts", "lr_scheduler_num_cycles": 3}
    assert arguments(tmp_path, **restarts).lr_scheduler_kwargs == {"num_cycles": 3}
    assert not caplog.text
    assert not arguments(tmp_path, lr_scheduler_num_cycles=3).lr_scheduler_kwargs
    assert "lr_scheduler_num_cycles has no effect" in caplog.text


def test_defaults_that_are_written_in_the_config_as_in_a_job_cause_no_warning(tmp_path, caplog):
    arguments(tmp_path, **TrainingSpec().model_dump() | {"lr_scheduler_type": "constant"})
    assert not caplog.text


@pytest.mark.parametrize("optimizer", Optimizer)
def test_every_optimizer_is_accepted_by_hugging_face(optimizer, tmp_path):
    assert arguments(tmp_path, optim=optimizer).optim == str(optimizer)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_mixed_precision_follows_the_dtype_of_the_weights(dtype, tmp_path):
    made = arguments(tmp_path, dtype)
    assert (made.bf16, made.fp16) == (dtype is torch.bfloat16, dtype is torch.float16)
