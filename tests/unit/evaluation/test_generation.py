from dataclasses import replace

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import GenerationConfig

from finscribe_trainer.data.rows import Row, Turn
from finscribe_trainer.evaluation.generation import MIN_ANSWER_TOKENS, AnswerGenerator, max_answer_tokens
from finscribe_trainer.model.families.registry import load_family
from finscribe_trainer.model.source import ModelSource

pytestmark = pytest.mark.train

LIMIT = 24


@pytest.fixture
def model(sample, family):
    return family.load_model(ModelSource(str(sample / "model"))).eval()


def texts_of(generator, examples):
    return [answer.text for answer in sorted(generator.generate(examples), key=lambda answer: answer.index)]


@torch.no_grad()
def generate_without_cache(model, family, example, end_tokens):
    """Greedy decoding of one row token by token, without padding and without a KV cache."""
    row = family.encode_prompt(example)
    prompt = len(row["input_ids"])
    for _ in range(LIMIT):
        token = model(**family.model_inputs(family.collate([row])), use_cache=False).logits[0, -1].argmax()
        if int(token) in end_tokens:
            break
        row["input_ids"] = torch.cat([row["input_ids"], token[None]])
        if "mm_token_type_ids" in row:
            row["mm_token_type_ids"] = torch.cat([row["mm_token_type_ids"], torch.zeros_like(token)[None]])
    return family.tokenizer.decode(row["input_ids"][prompt:])


def with_ends_at_different_lengths(model, family, examples):
    """A generator with additional end tokens taken from these answers: random weights never end one."""
    answers = [
        family.tokenizer(text)["input_ids"]
        for text in texts_of(AnswerGenerator(model, family, LIMIT, 1), examples)
    ]
    ends = {ids[len(ids) // (2 + i)] for i, ids in enumerate(answers[:2])}
    model.generation_config.eos_token_id = sorted({family.tokenizer.eos_token_id, *ends})
    return AnswerGenerator(model, family, LIMIT, batch_size=3)


def test_batched_answers_equal_those_without_padding_and_cache(model, family, examples):
    assert {len(example.images) for example in examples} == {0, 1}
    generator = with_ends_at_different_lengths(model, family, examples)
    answers = sorted(generator.generate(examples), key=lambda answer: answer.index)
    expected = [generate_without_cache(model, family, example, generator.end_tokens) for example in examples]
    assert [answer.text for answer in answers] == expected
    assert len({answer.tokens for answer in answers}) > 1
    assert [answer.cut_off for answer in answers] == [answer.tokens == LIMIT for answer in answers]


def test_batched_answers_of_a_text_model_without_padding_token_are_the_same(text_model, examples):
    source = ModelSource(str(text_model))
    family = load_family(source)
    model = family.load_model(source).eval()
    plain = next(example for example in examples if not example.images)
    prompts = [replace(plain, row=Row((Turn("user", "total " * n, 0),), "{}", ())) for n in (1, 7, 3)]
    generator = with_ends_at_different_lengths(model, family, prompts)
    expected = [generate_without_cache(model, family, prompt, generator.end_tokens) for prompt in prompts]
    assert texts_of(generator, prompts) == expected


def test_the_checkpoints_generation_config_changes_no_answer(model, family, examples):
    plain = texts_of(AnswerGenerator(model, family, LIMIT, 8), examples)
    model.generation_config = GenerationConfig(
        do_sample=True, temperature=5.0, repetition_penalty=9.0, min_new_tokens=3, num_beams=2, max_length=7
    )
    assert texts_of(AnswerGenerator(model, family, LIMIT, 8), examples) == plain


def test_a_model_in_training_generates_and_its_state_is_restored(model, family, examples):
    plain = texts_of(AnswerGenerator(model, family, LIMIT, 8), examples)
    adapted = get_peft_model(model, LoraConfig(target_modules=r".*language_model.*q_proj", lora_dropout=0.9))
    adapted.get_base_model().activation_checkpointing_enable({"use_reentrant": False})
    adapted.train()
    adapted.base_model.model.lm_head.eval()
    modes = [module.training for module in adapted.modules()]
    settings, randomness = model.generation_config, torch.get_rng_state()
    assert texts_of(AnswerGenerator(adapted, family, LIMIT, 8), examples) == plain
    assert [module.training for module in adapted.modules()] == modes
    assert model.generation_config is settings
    assert torch.equal(torch.get_rng_state(), randomness)


def test_with_its_adapter_disabled_a_model_answers_as_its_base(model, family, examples):
    plain = texts_of(AnswerGenerator(model, family, LIMIT, 8), examples)
    config = LoraConfig(
        target_modules=r".*language_model.*(q|o)_proj", init_lora_weights=False, lora_alpha=64
    )
    adapted = get_peft_model(model, config)
    generator = AnswerGenerator(adapted, family, LIMIT, 8)
    assert texts_of(generator, examples) != plain
    with adapted.disable_adapter():
        assert texts_of(generator, examples) == plain


def test_completed_examples_are_skipped_and_the_other_batches_stay(model, family, examples):
    generator = AnswerGenerator(model, family, LIMIT, batch_size=2)
    order = [answer.index for answer in generator.generate(examples)]
    assert sorted(order) == list(range(len(examples)))
    assert [answer.index for answer in generator.generate(examples, done=order[:3])] == order[3:]


def test_generation_ends_when_a_stop_is_requested(model, family, examples):
    calls = iter([False] * LIMIT * 2)
    generator = AnswerGenerator(model, family, LIMIT, batch_size=2, stop=lambda: next(calls, True))
    assert len(list(generator.generate(examples))) == 2


def test_the_default_limit_is_1_5_times_the_longest_ground_truth(family, examples):
    lengths = [len(family.encode_completion(example.row.completion)) - 1 for example in examples]
    assert 1.5 * max(lengths) <= max_answer_tokens(family, examples) <= 1.5 * max(lengths) + 10
    short = [replace(examples[0], row=replace(examples[0].row, completion="{}"))]
    assert max_answer_tokens(family, short) == MIN_ANSWER_TOKENS
