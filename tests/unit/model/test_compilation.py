import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from finscribe_core.errors import FailureReason, UserError
from finscribe_core.trainer_config import LoraSpec
from finscribe_trainer.batches.model_inputs import ModelInputs
from finscribe_trainer.batches.packing import prepare_packing
from finscribe_trainer.loss.answer_loss import answer_loss
from finscribe_trainer.model.compilation import compile_layers
from finscribe_trainer.model.lora import attach_adapter


class CountingBackend:
    """A torch.compile backend that runs the graph unchanged and counts compilations."""

    graphs = 0

    def __call__(self, graph, _inputs):
        self.graphs += 1
        return graph.forward


def step(model, inputs):
    model.zero_grad()
    loss, _ = answer_loss(model, inputs)
    loss.backward()
    gradients = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    return loss.detach(), gradients


@pytest.mark.train
def test_compiled_layers_run_only_in_training_with_equal_loss_and_gradients(family, source, dataset):
    torch.manual_seed(1)
    model = attach_adapter(family.load_model(source), family, LoraSpec(dropout=0.0)).train()
    batches = [
        family.model_inputs(family.collate([family.encode(dataset.examples[i]) for i in rows]))
        for rows in ((0, 1), (2, 4, 5))
    ]
    expected = [step(model, batch) for batch in batches]
    names = list(model.state_dict())

    backend = CountingBackend()
    assert compile_layers(model.get_base_model(), backend) == 2
    found = [step(model, batch) for batch in batches]
    graphs = backend.graphs
    with torch.no_grad():
        answer_loss(model.eval(), batches[0])

    torch.testing.assert_close(found, expected)
    assert 0 < graphs <= 2, "one for the layer above frozen embeddings, one for the others; any size of batch"
    assert backend.graphs == graphs, "an evaluation compiles nothing"
    assert list(model.state_dict()) == names


@pytest.mark.train
def test_compiled_layers_work_with_packing_and_gradient_checkpointing(family, source, dataset):
    torch.manual_seed(1)
    model = attach_adapter(family.load_model(source), family, LoraSpec(dropout=0.0))
    prepare_packing(model, family)
    model.train()
    model.get_base_model().activation_checkpointing_enable()
    batches = [
        ModelInputs(family, packing=True)(family.collate([family.encode(dataset.examples[i]) for i in rows]))
        for rows in ((0, 1), (2, 4))
    ]
    expected = [step(model, batch) for batch in batches]

    backend = CountingBackend()
    compile_layers(model.get_base_model(), backend)
    torch.testing.assert_close([step(model, batch) for batch in batches], expected)
    assert 0 < backend.graphs <= 4


def test_a_model_without_a_list_of_decoder_layers_is_rejected():
    model = GPT2LMHeadModel(GPT2Config(n_layer=1, n_head=1, n_embd=8, vocab_size=16))
    with pytest.raises(
        UserError, match=r"training\.torch_compile is not supported for GPT2LMHeadModel"
    ) as caught:
        compile_layers(model)
    assert caught.value.reason is FailureReason.ModelUnsupported
