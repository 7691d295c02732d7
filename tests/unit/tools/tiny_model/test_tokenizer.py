"""Each character of the documents is one token, and any text survives."""

import pytest

from finscribe_trainer.data_tools.small_pages.characters import characters
from tools.tiny_model.processor import EOS, IMAGE
from tools.tiny_model.tokenizer import build_tokenizer


@pytest.fixture(scope="module")
def tokenizer():
    return build_tokenizer()


def test_each_character_of_the_documents_is_one_token(tokenizer):
    assert [len(tokenizer.encode(character)) for character in characters()] == [1] * len(characters())


@pytest.mark.parametrize(
    "text",
    [
        "Total 12,50 €",
        "Żółć Straße ₹1.00",
        '{"currency": "EUR"}',
        "two  spaces \n a\tline",
        "日本 🙂",
        "User: x",
    ],
)
def test_text_survives_encoding_and_decoding(tokenizer, text):
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_special_tokens_are_single_tokens_which_decoding_can_leave_out(tokenizer):
    ids = tokenizer.encode(f"{IMAGE}7.00{EOS}")

    assert ids[0] == tokenizer.image_token_id
    assert ids[-1] == tokenizer.eos_token_id
    assert tokenizer.decode(ids, skip_special_tokens=True) == "7.00"
