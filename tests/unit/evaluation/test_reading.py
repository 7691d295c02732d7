from dataclasses import replace

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import GenerationConfig

from finscribe_trainer.data.rows import Row, Turn
from finscribe_trainer.evaluation.generation import FEWEST_TOKENS, AnswerGenerator, answer_limit
from finscribe_trainer.model.families.registry import load_family
from finscribe_trainer.model.source import ModelSource

pytestmark = pytest.mark.train

LIMIT = 24


@pytest.fixture
def model(sample, family):
    return family.load_model(ModelSource(str(sample / "model"))).eval()


def texts_of(reader, examples):
    return [answer.text for answer in sorted(reader.read(examples), key=lambda answer: answer.index)]


@torch.no_grad()
def read_by_hand(model, family, example, end_tokens):
    """One token at a time, the whole text anew for each: no padding, no cache."""
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
    """Random weights never end an answer: let some tokens of these answers be ends, too."""
    answers = [
        family.tokenizer(text)["input_ids"]
        for text in texts_of(AnswerGenerator(model, family, LIMIT, 1), examples)
    ]
    ends = {ids[len(ids) // (2 + i)] for i, ids in enumerate(answers[:2])}
    model.generation_config.eos_token_id = sorted({family.tokenizer.eos_token_id, *ends})
    return AnswerGenerator(model, family, LIMIT, batch_size=3)


def test_a_batch_of_images_and_texts_is_read_as_each_alone_by_hand(model, family, examples):
    assert {len(example.images) for example in examples} == {0, 1}
    reader = with_ends_at_different_lengths(model, family, examples)
    answers = sorted(reader.read(examples), key=lambda answer: answer.index)
    by_hand = [read_by_hand(model, family, example, reader.end_tokens) for example in examples]
    assert [answer.text for answer in answers] == by_hand
    assert len({answer.tokens for answer in answers}) > 1
    assert [answer.cut_off for answer in answers] == [answer.tokens == LIMIT for answer in answers]


def test_a_text_model_without_padding_token_reads_a_batch_as_each_alone(text_model, examples):
    source = ModelSource(str(text_model))
    family = load_family(source)
    model = family.load_model(source).eval()
    plain = next(example for example in examples if not example.images)
    prompts = [replace(plain, row=Row((Turn("user", "total " * n, 0),), "{}", ())) for n in (1, 7, 3)]
    reader = with_ends_at_different_lengths(model, family, prompts)
    by_hand = [read_by_hand(model, family, prompt, reader.end_tokens) for prompt in prompts]
    assert texts_of(reader, prompts) == by_hand


def test_the_checkpoints_own_settings_change_no_answer(model, family, examples):
    plain = texts_of(AnswerGenerator(model, family, LIMIT, 8), examples)
    model.generation_config = GenerationConfig(
        do_sample=True, temperature=5.0, repetition_penalty=9.0, min_new_tokens=3, num_beams=2, max_length=7
    )
    assert texts_of(AnswerGenerator(model, family, LIMIT, 8), examples) == plain


def test_a_model_in_training_is_read_and_left_as_it_was(model, family, examples):
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


def test_with_its_adapter_switched_off_a_model_reads_as_its_base(model, family, examples):
    plain = texts_of(AnswerGenerator(model, family, LIMIT, 8), examples)
    config = LoraConfig(
        target_modules=r".*language_model.*(q|o)_proj", init_lora_weights=False, lora_alpha=64
    )
    adapted = get_peft_model(model, config)
    reader = AnswerGenerator(adapted, family, LIMIT, 8)
    assert texts_of(reader, examples) != plain
    with adapted.disable_adapter():
        assert texts_of(reader, examples) == plain


def test_what_is_done_is_not_read_again_and_the_other_batches_stay(model, family, examples):
    reader = AnswerGenerator(model, family, LIMIT, batch_size=2)
    order = [answer.index for answer in reader.read(examples)]
    assert sorted(order) == list(range(len(examples)))
    assert [answer.index for answer in reader.read(examples, done=order[:3])] == order[3:]


def test_reading_ends_when_it_is_asked_to(model, family, examples):
    asked = iter([False] * LIMIT * 2)
    reader = AnswerGenerator(model, family, LIMIT, batch_size=2, stop=lambda: next(asked, True))
    assert len(list(reader.read(examples))) == 2


def test_an_answer_may_be_half_as_long_again_as_the_longest_right_one(family, examples):
    lengths = [len(family.encode_completion(example.row.completion)) - 1 for example in examples]
    assert 1.5 * max(lengths) <= answer_limit(family, examples) <= 1.5 * max(lengths) + 10
    short = [replace(examples[0], row=replace(examples[0].row, completion="{}"))]
    assert answer_limit(family, short) == FEWEST_TOKENS
