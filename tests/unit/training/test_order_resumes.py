"""A resumed run gets the same rows, in the same order, with the same augmentation."""

import pytest
import torch
from safetensors.torch import load_file

from finscribe_core.trainer_config import AugmentationSpec, CurriculumSpec, TrainerConfig
from finscribe_trainer.pipeline.recipe import train
from finscribe_trainer.reporting import RunReporter
from finscribe_trainer.runtime.stop_signal import StopSignal
from finscribe_trainer.training.run import Run

pytestmark = pytest.mark.train


def train_in(config: TrainerConfig, folder: str, resume: str | None = None) -> dict[str, torch.Tensor]:
    changed = config.model_copy(update={"output_dir": folder})
    train(Run(changed, "", resume, RunReporter(run="", job=""), StopSignal()))
    return load_file(f"{folder}/final_model/adapter_model.safetensors")


@pytest.mark.parametrize("step", [3, 4], ids=["in mid-epoch", "between two epochs"])
def test_curriculum_augmentation_and_length_groups_continue_after_a_resume(config, tmp_path, step):
    spec = config.training.model_copy(update={"max_steps": 5, "save_total_limit": 9, "group_by_length": True})
    everything = config.model_copy(
        update={
            "training": spec,
            "curriculum": CurriculumSpec(enabled=True, initial_threshold=0.5),
            "augmentation": AugmentationSpec(enabled=True),
        }
    )
    whole = train_in(everything, str(tmp_path / "whole"))
    resumed = train_in(everything, str(tmp_path / "resumed"), str(tmp_path / "whole" / f"checkpoint-{step}"))
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
