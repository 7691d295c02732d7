"""A field's confidence is the probability of its value, including where it ends."""

import math

import pytest

from finscribe_trainer.evaluation.confidence import field_confidences
from finscribe_trainer.evaluation.token_probabilities import Token
from finscribe_trainer.metrics.answer_parsing import parse_answer

WHOLE = '{"name": "Kim", "items": [{"price": 12.5}, {"price": 7}], "none": null}'
# text, whether it has ended, and its fields with the characters that count
CASES = {
    "values with the character that ends them": (
        WHOLE,
        True,
        {"name": 'Kim"', "items[0].price": "12.5}", "items[1].price": "7}"},
    ),
    "an escape is part of the value": ('{"a": "x\\"y"}', True, {"a": 'x\\"y"'}),
    "an empty text has its quote": ('{"a": ""}', True, {"a": '"'}),
    "a list": ("[1, true]", True, {"[0]": "1,", "[1]": "true]"}),
    "no field of an answer that is one number": ("12", True, {}),
    "a text that is cut off": ('{"a": "x", "b": "yz', False, {"a": 'x"'}),
    "a number that is cut off": ('{"a": 3, "b": 12', False, {"a": "3,"}),
    "what is before an error": ('{"a": "x", "b: "y"}', True, {"a": 'x"'}),
    "a code fence": ('```json\n{"a": "x"}\n```', True, {"a": 'x"'}),
    "no JSON": ("Total 12.50", True, {}),
    "the second of two equal keys, as the answer": ('{"a": "x", "a": "yy"}', True, {"a": 'yy"'}),
}


def tokens_of(text, has_ended, size):
    """Tokens of `size` characters; each has a probability of its own."""
    spans = [(start, min(start + size, len(text))) for start in range(0, len(text), size)]
    spans += [(len(text), len(text) + 1)] * has_ended
    return [Token(start, end, math.log(1 - 1 / (index + 2))) for index, (start, end) in enumerate(spans)]


@pytest.mark.parametrize("size", [1, 3])
@pytest.mark.parametrize(("text", "has_ended", "expected"), CASES.values(), ids=CASES)
def test_a_confidence_is_the_product_of_the_probabilities_of_the_values_tokens(
    text, has_ended, expected, size
):
    tokens = tokens_of(text, has_ended, size)
    found = field_confidences(text, parse_answer(text), tokens)
    assert found.keys() == expected.keys()
    for path, value in expected.items():
        start = text.rindex(value)
        overlapping = [token for token in tokens if token.start < start + len(value) and token.end > start]
        assert found[path] == pytest.approx(math.prod(math.exp(token.log_prob) for token in overlapping))


def test_without_probabilities_there_is_no_confidence():
    assert field_confidences(WHOLE, parse_answer(WHOLE), []) == {}
