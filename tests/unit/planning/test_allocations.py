"""Allocations counts what is alive at the peak, by kind; an estimate equals what a real step allocates."""

from functools import partial

import pytest
import torch

from finscribe_trainer.batches.model_inputs import ModelInputs
from finscribe_trainer.batches.packing import choose_packing
from finscribe_trainer.loss.answer_loss import answer_loss
from finscribe_trainer.model.loading import load_adapted_model
from finscribe_trainer.planning.allocations import Allocations
from finscribe_trainer.planning.batches import count, of_rows
from finscribe_trainer.planning.memory import Target, estimate, work_of

KIB = 1024


def test_what_was_there_or_is_freed_or_a_view_does_not_count():
    allocations = Allocations(lambda tensor: "wide" if tensor.shape[-1] == 256 else "narrow")
    before = torch.zeros(64, 256)
    with allocations:
        first = before.t()[:, 0].clone()  # 1 KiB
        second = first + 1
        del first
        third = torch.zeros(2, 128) + second.view(2, 128)  # two of 1 KiB at a time
        third.add_(1)
    assert allocations.peak == {"wide": KIB, "narrow": 2 * KIB}


@pytest.mark.train
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"gradient_checkpointing": True},
        {"packing": False},
        {"bf16": True},
    ],
    ids=["packed", "checkpointing", "padded", "bfloat16"],
)
def test_the_estimate_of_a_step_is_what_a_real_one_allocates(config, source, family, dataset, changes):
    config = config.model_copy(update={"training": config.training.model_copy(update=changes)})
    examples = dataset.examples[:4]
    model = load_adapted_model(config, source, family)
    if config.training.gradient_checkpointing:
        model.activation_checkpointing_enable(activation_checkpointing_kwargs={"use_reentrant": False})
    packing = choose_packing(config.training.packing, model, family)
    model.train()
    for weight in model.parameters():
        weight.grad = torch.zeros_like(weight) if weight.requires_grad else None
    batch = family.collate([family.encode(example) for example in examples])
    for image in (image for row in batch["images"] for image in row):
        image["features"] = family.image_features(model, image).detach()
    inputs = ModelInputs(family, None, packing)(batch)
    dtype = model.get_base_model().dtype
    autocast = partial(torch.autocast, "cpu", dtype=dtype, enabled=dtype is not torch.float32)

    real = Allocations(lambda tensor: "all")
    with real:
        loss, weight = answer_loss(model, inputs, config.loss, autocast)
        (loss / weight).backward()

    rows = count(examples, family)
    [whole] = of_rows(rows, len(rows))
    planned = estimate(config, family, work_of([whole], rows, config, rows, []), Target(True, dtype))
    step = next(phase for phase in planned.phases if phase.name == "a training step")
    assert step.activations + step.logits == pytest.approx(real.peak.total(), rel=0.15)
    assert planned.parameters == sum(each.numel() for each in model.get_base_model().parameters()) - (
        trained := sum(each.numel() for each in model.parameters() if each.requires_grad)
    )
    assert planned.optimizer == trained * 3 * 4
