"""Errors within a training: out of memory, a NaN or infinite loss or gradient, a deleted image."""

import json
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch.utils.data import DataLoader

from finscribe_core.errors import FailureReason, RetryableError, UserError
from finscribe_core.overrides import apply_overrides
from finscribe_core.trainer_config import TrainerConfig
from finscribe_trainer.batches.dataset import EncodedExamples
from finscribe_trainer.batches.oom_retry import BatchSizeBackoff
from finscribe_trainer.pipeline import stages as learn
from finscribe_trainer.pipeline.recipe import train
from finscribe_trainer.reporting import RunReporter
from finscribe_trainer.runtime.stop_signal import StopSignal, shut_down_workers
from finscribe_trainer.training.run import Run


@pytest.fixture
def train_with(config, tmp_path, monkeypatch) -> Callable[..., Path]:
    """Trains with changed settings and a model that a function has modified; returns the output folder."""
    load = learn.load_adapted_model

    def train_with(prepare: Callable[[Any], Any], name: str = "out", **settings: Any) -> Path:
        def load_and_prepare(*args: Any) -> Any:
            model = load(*args)
            prepare(model)
            return model

        monkeypatch.setattr(learn, "load_adapted_model", load_and_prepare)
        raw = config.model_dump(mode="json", exclude_unset=True) | {"output_dir": str(tmp_path / name)}
        changed = TrainerConfig.model_validate(apply_overrides(TrainerConfig, raw, settings, "test"))
        train(Run(changed, name="", resume=None, reporter=RunReporter(run="", job=""), stop=StopSignal()))
        return tmp_path / name

    return train_with


def hold_at_most(rows: int, *, in_backward: bool) -> Callable[[Any], None]:
    """Raise PyTorch's out-of-memory error in forward or backward for a batch of more rows."""

    def run_out(module: Any, args: Any, outputs: Any) -> Any:
        hidden = outputs[0] if isinstance(outputs, tuple) else outputs
        if len(hidden) <= rows:
            return
        if not in_backward:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        if hidden.requires_grad:
            hidden.register_hook(_run_out_in_backward)

    def prepare(model: Any) -> None:
        layers = model.get_base_model().model.language_model.layers
        layers[0].register_forward_hook(run_out)

    return prepare


def _run_out_in_backward(_gradient: torch.Tensor) -> None:
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")


FOUR_AT_ONCE = {
    "training.per_device_train_batch_size": 4,
    "training.packing": False,
    "lora.dropout": 0.0,
}


@pytest.mark.train
@pytest.mark.parametrize("in_backward", [False, True], ids=["forward", "backward"])
def test_a_batch_that_exceeds_the_memory_is_halved_with_the_same_result(in_backward, train_with, caplog):
    with caplog.at_level(logging.WARNING):
        halved = train_with(hold_at_most(1, in_backward=in_backward), "halved", **FOUR_AT_ONCE)
    whole = train_with(lambda model: None, "whole", **FOUR_AT_ONCE)

    warnings = [record.getMessage() for record in caplog.records if "out of GPU memory" in record.message]
    in_training = [text for text in warnings if "in training" in text]
    assert ["micro-batches of 2" in in_training[0], "micro-batches of 1" in in_training[1]] == [True, True]
    assert steps_of(halved) == pytest.approx(steps_of(whole), rel=1e-6)
    weights, expected = (
        load_file(folder / "final_model" / "adapter_model.safetensors") for folder in (halved, whole)
    )
    for name, weight in expected.items():  # Adam amplifies rounding where a gradient is almost 0
        torch.testing.assert_close(weights[name], weight, rtol=0, atol=1e-4)


def steps_of(folder: Path) -> list[float]:
    """Loss and gradient norm of each step."""
    state = json.loads((folder / "checkpoint-3" / "trainer_state.json").read_text())
    return [entry[key] for entry in state["log_history"] if "loss" in entry for key in ("loss", "grad_norm")]


def test_a_failed_allocation_of_cublas_is_out_of_memory():
    taken = []

    def on_rows(rows: slice) -> None:
        if rows.stop - rows.start > 2:
            raise RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`")
        taken.append(rows)

    BatchSizeBackoff("training", "training.perDeviceTrainBatchSize").work(4, on_rows)
    assert taken == [slice(0, 2), slice(2, 4)]


@pytest.mark.train
def test_a_single_row_that_exceeds_the_memory_is_rejected_with_a_remedy(train_with):
    with pytest.raises(UserError, match="is insufficient for a single row") as caught:
        train_with(hold_at_most(0, in_backward=False))
    assert "QLoRA" in caught.value.remedy


@pytest.fixture
def marked_row(sample, family) -> tuple[int, int]:
    """The number of a training row, from 1, and a token that no other row contains."""
    files = [(sample / name).read_text().splitlines() for name in ("train.jsonl", "val.jsonl")]
    tokens = [set(family.tokenizer(row)["input_ids"]) for rows in files for row in rows]
    own = [tokens[i].difference(*tokens[:i], *tokens[i + 1 :]) for i in range(len(files[0]))]
    return next((number, min(found)) for number, found in enumerate(own, start=1) if found)


def break_rows(model: Any, token: int, *, gradient: bool) -> None:
    """Give rows that contain the token a loss (or only a gradient) that is NaN or infinite."""
    inner = model.get_base_model().model.language_model
    affected = []

    def note_rows(module: Any, args: Any, output: torch.Tensor) -> None:
        affected[:] = [(args[0] == token).any(1)]

    def set_non_finite(module: Any, args: Any, outputs: Any) -> None:
        hidden = outputs[0] if isinstance(outputs, tuple) else outputs
        rows = affected[0]
        if not gradient:
            hidden.data[rows] = torch.nan
        elif hidden.requires_grad:
            hidden.register_hook(lambda given: given.masked_fill(rows[:, None, None], torch.inf))

    inner.embed_tokens.register_forward_hook(note_rows)
    inner.layers[0].register_forward_hook(set_non_finite)


@pytest.mark.train
@pytest.mark.parametrize("gradient", [False, True], ids=["loss", "gradient"])
def test_the_row_with_a_non_finite_loss_or_gradient_is_named(gradient, train_with, marked_row):
    number, token = marked_row
    what = "gradient" if gradient else "training loss"
    message = rf"{what} became NaN .* caused by \S*train\.jsonl:{number}\. "
    with pytest.raises(UserError, match=message) as caught:
        train_with(lambda model: break_rows(model, token, gradient=gradient))
    assert caught.value.reason is FailureReason.NonFiniteLoss


@pytest.mark.parametrize("workers", [0, 1])
def test_an_image_deleted_during_training_is_named_with_its_row(workers, family, dataset, tmp_path):
    image = tmp_path / "page.png"
    image.write_bytes(dataset.examples[0].images[0].read_bytes())
    example = replace(dataset.examples[0], images=(image,))
    loader = DataLoader(
        EncodedExamples([example], family),
        batch_size=1,
        num_workers=workers,
        collate_fn=family.collate,
        persistent_workers=workers > 0,
    )
    assert list(loader)
    image.unlink()
    with pytest.raises(RetryableError) as caught:
        list(loader)
    shut_down_workers(loader)
    assert (
        caught.value.message == f"{example.where}: {image} can't be read any more: No such file or directory"
    )
