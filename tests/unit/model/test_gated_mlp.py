"""The memory-efficient gated MLP gives the results of the model's own, on the tiny model."""

from contextlib import nullcontext
from functools import partial
from types import MethodType

import pytest
import torch
from torch.nn import functional

from finscribe_core.trainer_config import LoraSpec
from finscribe_trainer.loss.answer_loss import answer_loss
from finscribe_trainer.model import gated_mlp
from finscribe_trainer.model.gated_mlp import use_memory_efficient_mlps
from finscribe_trainer.model.lora import attach_adapter

AUTOCAST = partial(torch.autocast, "cpu", dtype=torch.bfloat16)
ALL = ["q_proj", "v_proj", "gate_proj", "up_proj", "down_proj"]


@pytest.fixture
def load(family, source):
    """Loads the tiny model with an adapter that changes its outputs."""

    def load(target_modules: list[str]):
        model = family.load_model(source)
        torch.manual_seed(1)
        model = attach_adapter(model, family, LoraSpec(dropout=0.0, target_modules=target_modules))
        for name, weight in model.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(weight, std=0.02)
        return model.train()

    return load


@pytest.fixture
def batch(family, dataset):
    return family.model_inputs(family.collate([family.encode(dataset.examples[i]) for i in (0, 1)]))


def loss_and_gradients(model, batch, precision) -> list[torch.Tensor]:
    loss = answer_loss(model, batch, precision=precision)[0]
    loss.backward()
    gradients = [weight.grad for weight in model.parameters() if weight.requires_grad]
    assert all(gradient.any() for gradient in gradients)
    return [loss, *gradients]


@pytest.fixture(params=[2**18, 1000], ids=["one chunk", "several chunks"])
def chunk(request, monkeypatch):
    monkeypatch.setattr(gated_mlp, "_CHUNK", request.param)


@pytest.mark.train
@pytest.mark.usefixtures("chunk")
@pytest.mark.parametrize("checkpointing", [False, True], ids=["saved", "recomputed"])
@pytest.mark.parametrize("precision", [nullcontext, AUTOCAST], ids=["float32", "autocast"])
@pytest.mark.parametrize("target_modules", [["q_proj"], ALL], ids=["frozen MLP", "adapted MLP"])
def test_loss_and_gradients_are_bit_identical_to_the_models_own(
    load, batch, target_modules, precision, checkpointing
):
    plain, efficient = load(target_modules), load(target_modules)
    use_memory_efficient_mlps(efficient.get_base_model())
    if checkpointing:
        for model in (plain, efficient):
            model.activation_checkpointing_enable({"use_reentrant": False})
    expected = loss_and_gradients(plain, batch, precision)
    found = loss_and_gradients(efficient, batch, precision)
    assert all(torch.equal(*pair) for pair in zip(found, expected, strict=True))


def test_each_mlp_saves_one_wide_tensor_less_for_the_backward_pass(load, batch):
    model = load(["q_proj"])
    width = model.get_base_model().config.text_config.intermediate_size
    kept: list[torch.Tensor] = []

    def wide_tensors() -> int:
        kept.clear()
        with torch.autograd.graph.saved_tensors_hooks(
            lambda each: kept.append(each) or each, lambda each: each
        ):
            answer_loss(model, batch)
        wide = {each.data_ptr() for each in kept if each.shape[-1] == width and each.dim() == 3}
        return len(wide)

    before = wide_tensors()
    use_memory_efficient_mlps(model.get_base_model())
    layers = len(model.get_base_model().model.language_model.layers)
    assert (before, wide_tensors()) == (3 * layers, 2 * layers)


def another_function(mlp, x):
    return mlp.down_proj(functional.gelu(mlp.gate_proj(x)) * mlp.up_proj(x))


def another_factor(mlp, x):
    return mlp.down_proj(mlp.act_fn(2 * mlp.gate_proj(x)) * mlp.up_proj(x))


@pytest.mark.parametrize("compute", [another_function, another_factor])
def test_an_mlp_that_computes_something_else_is_not_replaced(load, compute):
    model = load(["q_proj"]).get_base_model()
    mlp, other = (layer.mlp for layer in model.model.language_model.layers)
    own = mlp.forward = MethodType(compute, mlp)
    use_memory_efficient_mlps(model)
    assert mlp.forward is own
    assert other.forward.__func__ is not type(other).forward
