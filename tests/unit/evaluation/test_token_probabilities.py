"""Each token of an answer has its characters and its probability, whatever the tokenizer."""

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from finscribe_core.constants import BUILT_IN_MODEL
from finscribe_trainer.evaluation.generation import AnswerGenerator
from finscribe_trainer.evaluation.token_probabilities import read_tokens
from finscribe_trainer.model.families.registry import load_family
from finscribe_trainer.model.source import ModelSource, find_local_or_hub_model

ASCII = ['{"total": "1204.50", "note": "two  spaces"}', " starts and ends with a space ", "x"]


def spans_of(ids, decode):
    return [(token.start, token.end) for token in read_tokens(ids, [0.0] * len(ids), decode)]


@pytest.fixture(scope="module")
def characters():
    """A tokenizer with a token for each character."""
    return load_family(find_local_or_hub_model(BUILT_IN_MODEL, None)).tokenizer


@pytest.mark.parametrize(
    ("kind", "text"),
    [*(("characters", text) for text in (*ASCII, "größer")), *(("pieces", text) for text in ASCII)],
)
def test_the_characters_of_a_token_are_those_the_tokenizer_made_it_of(kind, text, characters, family):
    tokenizer = characters if kind == "characters" else family.tokenizer
    encoded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    ids = encoded["input_ids"]
    expected = [tuple(span) for span in encoded["offset_mapping"]]
    assert spans_of(ids, lambda part: tokenizer.decode(part, clean_up_tokenization_spaces=False)) == expected
    if kind == "pieces" and len(text) > 1:
        assert len(ids) < len(text)


@pytest.mark.parametrize("text", [*ASCII, "größer, 東京 🧾."])
def test_tokens_that_are_bytes_of_one_character_share_its_place(text):
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer = Tokenizer(models.BPE(vocab={byte: i for i, byte in enumerate(alphabet)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    expected = [(i, i + 1) for i, character in enumerate(text) for _ in character.encode()]
    assert spans_of(tokenizer.encode(text).ids, tokenizer.decode) == expected


def test_an_answer_that_is_cut_off_within_a_character_has_all_its_tokens():
    pieces = ["a", "b", "\N{REPLACEMENT CHARACTER}"]
    assert spans_of([0, 1, 2], lambda ids: "".join(pieces[i] for i in ids)) == [(0, 1), (1, 2), (2, 3)]


@pytest.mark.train
def test_a_tokens_probability_is_that_of_the_model_without_padding_and_cache(sample, family, examples):
    model = family.load_model(ModelSource(str(sample / "model"))).eval()
    generator = AnswerGenerator(model, family, 12, batch_size=3, score_tokens=True)
    for answer in generator.generate(examples):
        row = family.encode_prompt(examples[answer.index])
        prompt = len(row["input_ids"])
        ids = torch.tensor(family.tokenizer(answer.text, add_special_tokens=False)["input_ids"])
        if len(ids) != answer.tokens:  # random weights write texts that would be tokenized in another way
            continue
        row["input_ids"] = torch.cat([row["input_ids"], ids])
        if "mm_token_type_ids" in row:
            row["mm_token_type_ids"] = torch.cat([row["mm_token_type_ids"], torch.zeros_like(ids)])
        with torch.no_grad():
            logits = model(**family.model_inputs(family.collate([row])), use_cache=False).logits[0].float()
        expected = logits[prompt - 1 : -1].log_softmax(-1).gather(1, ids[:, None])[:, 0]
        found = torch.tensor([token.log_prob for token in answer.scored_tokens])
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
        break
    else:
        pytest.fail("no answer could be compared")
