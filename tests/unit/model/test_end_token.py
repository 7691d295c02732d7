"""Answers end with the token that training appends, in what is exported and in evaluations."""

import shutil
from pathlib import Path

import pytest
from peft import LoraConfig, get_peft_model
from transformers import AutoTokenizer, GenerationConfig

from finscribe_trainer.evaluation.generation import AnswerGenerator
from finscribe_trainer.model.families.registry import load_family
from finscribe_trainer.model.source import ModelSource
from finscribe_trainer.pipeline.export import export_adapter

CASES = {
    "one other token": (5, [5]),
    "two other tokens": ([5, 6], [5, 6]),
    "the tokenizer's and another": ([2, 6], [2, 6]),
    "the tokenizer's": (2, [2]),
    "none": (None, [2]),
}
"""End token of the base model's generation config, and the tokens that end an answer of the base model."""


@pytest.fixture
def load(text_model, tmp_path):
    def load_with(end: object):
        folder = Path(shutil.copytree(text_model, tmp_path / "base"))
        assert AutoTokenizer.from_pretrained(folder).eos_token_id == 2
        source = ModelSource(str(folder))
        family = load_family(source)
        model = family.load_model(source)
        model.generation_config = GenerationConfig(eos_token_id=end, temperature=0.2)
        return family, model

    return load_with


@pytest.mark.parametrize(("end", "base_ends"), CASES.values(), ids=CASES)
def test_an_evaluation_stops_where_the_served_model_stops(end, base_ends, load):
    family, model = load(end)
    assert AnswerGenerator(model, family, 8, 1).end_tokens == set(base_ends)
    tuned = get_peft_model(model, LoraConfig(target_modules=["q_proj"]))
    assert AnswerGenerator(tuned, family, 8, 1).end_tokens == {2}
    with tuned.disable_adapter():
        assert AnswerGenerator(tuned, family, 8, 1).end_tokens == set(base_ends)


@pytest.mark.parametrize("end", [case[0] for case in CASES.values()], ids=CASES)
def test_an_adapter_is_exported_with_a_generation_config_that_ends_at_the_trained_token(end, load, tmp_path):
    family, model = load(end)
    tuned = get_peft_model(model, LoraConfig(target_modules=["q_proj"]))
    export_adapter(tuned, family, tmp_path / "adapter")
    assert GenerationConfig.from_pretrained(tmp_path / "adapter").eos_token_id == 2
