"""A run resumes from the newest checkpoint in its bucket that can be used, and says which are skipped."""

import json
import pickle
from pathlib import Path

import pytest
import torch
from peft import get_peft_model_state_dict
from safetensors.torch import load_file, save_file

from finscribe_core.errors import FailureReason, UserError
from finscribe_core.trainer_config import StorageEndpoint
from finscribe_trainer.model.loading import load_adapted_model
from finscribe_trainer.storage import Storage
from finscribe_trainer.training.checkpoint_fit import check_fit
from finscribe_trainer.training.checkpoints import find_checkpoint


def write_checkpoint(folder: Path, step: int, model) -> Path:
    """The files of a checkpoint that fits the model."""
    checkpoint = folder / f"checkpoint-{step}"
    checkpoint.mkdir(parents=True)
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    save_file(get_peft_model_state_dict(model), checkpoint / "adapter_model.safetensors")
    optimizer = torch.optim.AdamW(weights)
    torch.save(optimizer.state_dict(), checkpoint / "optimizer.pt")
    torch.save({"last_epoch": step}, checkpoint / "scheduler.pt")
    torch.save({"cpu": torch.get_rng_state()}, checkpoint / "rng_state.pth")
    (checkpoint / "trainer_state.json").write_text(json.dumps({"global_step": step}))
    return checkpoint


class Pickled:
    """An object that torch.load refuses with `weights_only`."""


def truncated(folder: Path) -> None:
    path = folder / "adapter_model.safetensors"
    path.write_bytes(path.read_bytes()[:-1])


def zeroed(folder: Path) -> None:
    path = folder / "optimizer.pt"
    content = bytearray(path.read_bytes())
    content[40:300] = bytes(260)
    path.write_bytes(content)


def pickled_optimizer(folder: Path) -> None:
    torch.save(Pickled(), folder / "optimizer.pt")


def pickled_weights(folder: Path) -> None:
    (folder / "adapter_model.safetensors").unlink()
    (folder / "adapter_model.bin").write_bytes(pickle.dumps({}))


def of_another_rank(folder: Path) -> None:
    path = folder / "adapter_model.safetensors"
    weights = load_file(path)
    save_file({name: torch.cat([w, w], 0 if "lora_A" in name else 1) for name, w in weights.items()}, path)


def of_other_modules(folder: Path) -> None:
    path = folder / "adapter_model.safetensors"
    save_file({name.replace("q_proj", "up_proj"): w for name, w in load_file(path).items()}, path)


def with_an_optimizer_of_another_shape(folder: Path) -> None:
    torch.save(torch.optim.AdamW([torch.nn.Parameter(torch.ones(2))]).state_dict(), folder / "optimizer.pt")


def with_other_settings(folder: Path) -> None:
    state = {
        "global_step": 2,
        "stateful_callbacks": {"Continuation": {"attributes": {"facts": {"lora.r": 7}}}},
    }
    (folder / "trainer_state.json").write_text(json.dumps(state))


UNUSABLE = [
    truncated,
    zeroed,
    pickled_optimizer,
    pickled_weights,
    of_another_rank,
    of_other_modules,
    with_an_optimizer_of_another_shape,
    with_other_settings,
]


@pytest.fixture
def upload(s3_env, config, source, family, tmp_path):
    """Uploads checkpoints of two steps, with manifests of their files, and finds the one to resume from."""
    storage, model = Storage.from_config(StorageEndpoint()), load_adapted_model(config, source, family)
    run_uri = f"s3://{s3_env.create_bucket()}/team/runs/r1"

    def upload_and_find(**spoiled):
        for step in (1, 2):
            folder = write_checkpoint(tmp_path / "trained", step, model)
            if spoil := spoiled.get(f"step_{step}"):
                spoil(folder)
            storage.save_checkpoint(folder, run_uri)
        return find_checkpoint(
            run_uri, tmp_path / "out", storage, lambda checkpoint: check_fit(checkpoint, config, source)
        )

    return upload_and_find


def test_the_newest_checkpoint_is_used_if_it_fits(upload):
    assert upload().step == 2


@pytest.mark.parametrize("spoil", UNUSABLE, ids=lambda spoil: spoil.__name__)
def test_of_checkpoints_that_cant_be_used_the_one_before_is_taken_and_it_is_said(
    spoil, upload, caplog, tmp_path
):
    assert upload(step_2=spoil).step == 1
    assert "checkpoint-2 is skipped, the one before it is tried" in caplog.text
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["checkpoint-1"]


def test_if_no_checkpoint_can_be_used_the_run_ends_with_the_reason_of_the_newest(upload):
    with pytest.raises(
        UserError, match=r"No checkpoint below .* can be used. The newest: .*pickled"
    ) as caught:
        upload(step_1=of_another_rank, step_2=pickled_optimizer)
    assert caught.value.reason is FailureReason.InvalidConfig
    assert "/checkpoints/ to train from the beginning" in caught.value.remedy
