from dataclasses import replace

import pytest
import torch
from transformers import MambaConfig, MambaForCausalLM

from finscribe_core.errors import FailureReason, UserError
from finscribe_core.trainer_config import LoraSpec
from finscribe_trainer.batches.features.cache import FeatureCache
from finscribe_trainer.batches.features.row_images import open_row_images
from finscribe_trainer.batches.features.store import FEATURE_FILES, FeatureStore
from finscribe_trainer.batches.model_inputs import ModelInputs
from finscribe_trainer.batches.packing import ROW_BY_ROW, choose_packing, pack, prepare_packing
from finscribe_trainer.loss.answer_loss import answer_loss
from finscribe_trainer.model.batch import IGNORE_INDEX
from finscribe_trainer.model.families.registry import load_family
from finscribe_trainer.model.lora import attach_adapter
from finscribe_trainer.model.source import ModelSource
from finscribe_trainer.runtime.disk_quota import DiskQuota


def adapted_model(family, source, **options):
    torch.manual_seed(1)
    model = attach_adapter(family.load_model(source, **options), family, LoraSpec(dropout=0.0))
    with torch.no_grad():  # a new adapter's B matrix is zero, which would make half of the gradients zero
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.1)
    return model


def loss_and_gradients(model, inputs):
    model.zero_grad()
    loss, _ = answer_loss(model, inputs)
    loss.backward()
    return loss.detach(), {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


def assert_same(found, expected):
    torch.testing.assert_close(found[0], expected[0], rtol=1e-5, atol=0)
    assert found[1].keys() == expected[1].keys()
    for name, gradient in expected[1].items():
        torch.testing.assert_close(
            found[1][name], gradient, msg=name, rtol=1e-5, atol=1e-5 * gradient.abs().max()
        )


ROWS = {
    "images": (0, 1),
    "texts": (3, 3),
    "mixed": (3, 2, 3, 0),
    "several images": (0, "several", 3),
    "one": (0,),
}


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("rows", ROWS.values(), ids=ROWS)
def test_packed_rows_have_the_loss_and_gradients_of_padded_ones(
    rows, attention, family, source, dataset, several_images
):
    model = adapted_model(family, source, attn_implementation=attention)
    examples = [several_images if i == "several" else dataset.examples[i] for i in rows]
    batch = family.collate([family.encode(example) for example in examples])
    expected = loss_and_gradients(model, ModelInputs(family)(batch))
    prepare_packing(model, family)
    assert_same(loss_and_gradients(model, ModelInputs(family, packing=True)(batch)), expected)
    assert (model.config.text_config._attn_implementation == ROW_BY_ROW) == (attention == "sdpa")


def test_attention_gets_the_lengths_of_packed_rows(family, dataset):
    batch = family.collate([family.encode(dataset.examples[i]) for i in (0, 3)])
    lengths = tuple(batch["attention_mask"].sum(1).tolist())
    inputs = ModelInputs(family, packing=True)(batch)
    assert inputs["row_lengths"] == lengths
    assert inputs["max_length_q"] == inputs["max_length_k"] == max(lengths)
    assert inputs["cu_seq_lens_q"].tolist() == [0, lengths[0], sum(lengths)]


def test_packing_works_with_cached_features_and_gradient_checkpointing(family, source, dataset, tmp_path):
    model = adapted_model(family, source)
    model.train()
    model.get_base_model().activation_checkpointing_enable()
    store = FeatureStore(tmp_path, torch.float32, family)
    cache = FeatureCache(model, family, store, DiskQuota(tmp_path, 10**9, FEATURE_FILES))
    batches = [
        family.collate([family.encode(row, open_row_images(row, store=kept)) for row in dataset.examples[:4]])
        for kept in (None, store)
    ]
    expected = loss_and_gradients(model, ModelInputs(family)(batches[0]))
    prepare_packing(model, family)
    assert_same(loss_and_gradients(model, ModelInputs(family, cache, packing=True)(batches[1])), expected)
    assert cache.misses > 0


def test_packing_works_for_a_text_model(text_model, dataset):
    source = ModelSource(str(text_model))
    family = load_family(source)
    model = adapted_model(family, source)
    short = replace(dataset.examples[3].row, completion="{}")
    rows = [dataset.examples[3], replace(dataset.examples[3], row=short)]
    batch = family.collate([family.encode(row) for row in rows])
    expected = loss_and_gradients(model, ModelInputs(family)(batch))
    prepare_packing(model, family)
    assert_same(loss_and_gradients(model, ModelInputs(family, packing=True)(batch)), expected)


def test_the_first_token_of_a_packed_row_is_excluded_from_the_loss():
    tokens = torch.tensor([[7, 8, 9], [5, 6, 0]])
    mask = torch.tensor([[1, 1, 1], [1, 1, 0]])
    packed = pack({"input_ids": tokens, "labels": tokens, "attention_mask": mask})
    assert packed["input_ids"].tolist() == [[7, 8, 9, 5, 6]]
    assert packed["labels"].tolist() == [[IGNORE_INDEX, 8, 9, IGNORE_INDEX, 6]]
    assert packed["position_ids"].tolist() == [[0, 1, 2, 0, 1]]
    assert packed["cu_seq_lens_q"].tolist() == [0, 3, 5]


def test_packing_is_rejected_if_rows_affect_each_other(text_model, tmp_path):
    sizes = {"hidden_size": 32, "num_hidden_layers": 1, "state_size": 4}
    family = load_family(ModelSource(str(text_model)))
    torch.manual_seed(1)
    MambaForCausalLM(MambaConfig(vocab_size=len(family.tokenizer), **sizes)).save_pretrained(tmp_path)
    source = ModelSource(str(tmp_path))
    model = attach_adapter(family.load_model(source), family, LoraSpec(target_modules=["in_proj"]))
    with pytest.raises(UserError, match="logits differ when it is packed with others") as caught:
        choose_packing(True, model, family)
    assert caught.value.reason is FailureReason.ModelUnsupported
    assert choose_packing(None, model, family) is False
