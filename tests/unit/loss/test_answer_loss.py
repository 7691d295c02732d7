from functools import partial

import pytest
import torch
from torch.nn import functional

from finscribe_core.trainer_config import LoraSpec, TrainerConfig
from finscribe_trainer.loss import answer_loss as answer_loss_module
from finscribe_trainer.loss.answer_loss import answer_loss
from finscribe_trainer.model.families.registry import load_family
from finscribe_trainer.model.lora import attach_adapter
from finscribe_trainer.model.source import ModelSource
from finscribe_trainer.pipeline.recipe import train
from finscribe_trainer.reporting import RunReporter
from finscribe_trainer.runtime.stop_signal import StopSignal
from finscribe_trainer.training.run import Run


def plain_loss(model, batch):
    """The loss computed from the logits of all tokens."""
    inputs = {name: value for name, value in batch.items() if name != "labels"}
    logits = model(**inputs, use_cache=False).logits[:, :-1]
    return functional.cross_entropy(logits.flatten(0, 1), batch["labels"][:, 1:].flatten(), reduction="sum")


def gradients(model, loss):
    model.zero_grad()
    loss.backward()
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


@pytest.fixture
def adapted(family, source):
    torch.manual_seed(1)
    model = attach_adapter(family.load_model(source), family, LoraSpec(dropout=0.0))
    with torch.no_grad():  # B of a new adapter is zero, which would hide half of the gradients
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.1)
    return model


@pytest.mark.parametrize("rows", [(0, 1), (3,), (2, 3, 4)], ids=["images", "text", "mixed"])
def test_loss_and_gradients_equal_those_of_all_logits(adapted, family, dataset, rows):
    batch = family.model_inputs(family.collate([family.encode(dataset.examples[i]) for i in rows]))
    plain = plain_loss(adapted, batch)
    expected = gradients(adapted, plain)
    loss, count = answer_loss(adapted, batch)
    found = gradients(adapted, loss)
    assert int(count) == int((batch["labels"] != -100).sum())
    torch.testing.assert_close(loss, plain)
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, msg=name, rtol=1e-4, atol=1e-4)


def test_padding_does_not_change_the_loss(adapted, family, dataset):
    encoded = [family.encode(dataset.examples[i]) for i in (2, 3)]
    alone = sum(answer_loss(adapted, family.model_inputs(family.collate([row])))[0] for row in encoded)
    torch.testing.assert_close(answer_loss(adapted, family.model_inputs(family.collate(encoded)))[0], alone)


BFLOAT16 = partial(torch.autocast, "cpu", dtype=torch.bfloat16)


def test_the_loss_of_a_bfloat16_model_is_float32(family, source, dataset):
    model = attach_adapter(family.load_model(source, dtype=torch.bfloat16), family, LoraSpec(dropout=0.0))
    batch = family.model_inputs(family.collate([family.encode(dataset.examples[i]) for i in (0, 1)]))
    with BFLOAT16(), torch.no_grad():
        logits = model(**{k: v for k, v in batch.items() if k != "labels"}, use_cache=False).logits[:, :-1]
        loss, _ = answer_loss(model, batch)
    assert logits.dtype is torch.bfloat16
    exact = functional.cross_entropy(
        logits.double().flatten(0, 1), batch["labels"][:, 1:].flatten(), reduction="sum"
    )
    torch.testing.assert_close(loss.double(), exact, rtol=1e-6, atol=0)


@pytest.mark.train
def test_logits_stay_in_bfloat16_in_training_and_evaluation(config, monkeypatch):
    seen, summed_loss = set(), answer_loss_module.summed_loss

    def spy(logits, *args):
        seen.add(logits.dtype)
        return summed_loss(logits, *args)

    monkeypatch.setattr(answer_loss_module, "summed_loss", spy)
    data = config.model_dump(mode="json", exclude_unset=True)
    data["training"] |= {"bf16": True, "max_steps": 2, "eval_steps": 1}
    changed = TrainerConfig.model_validate(data)
    train(Run(changed, name="", resume=None, reporter=RunReporter(run="", job=""), stop=StopSignal()))
    assert seen == {torch.bfloat16}


def test_a_text_model_is_trained_on_the_same_loss(text_model, dataset):
    source = ModelSource(str(text_model))
    family = load_family(source)
    model = attach_adapter(family.load_model(source), family, LoraSpec(dropout=0.0))
    batch = family.model_inputs(family.collate([family.encode(dataset.examples[3])]))
    torch.testing.assert_close(answer_loss(model, batch)[0], plain_loss(model, batch))
