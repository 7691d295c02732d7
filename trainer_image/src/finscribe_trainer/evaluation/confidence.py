"""The confidence of an answer and of each of its fields: the probability that the model gives to them."""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from finscribe_trainer.documents.paths import leaves
from finscribe_trainer.evaluation.token_probabilities import Token
from finscribe_trainer.loss.value_spans import find_spans_before_error, find_value_spans
from finscribe_trainer.metrics.answer_parsing import ParsedAnswer, parse_answer
from finscribe_trainer.metrics.validation_gates import contradicts_itself


def is_document(gold: str) -> bool:
    """Whether a ground truth is a JSON object or list."""
    answer = parse_answer(gold)
    return answer.strict and isinstance(answer.raw, dict | list)


def document_confidence(
    answer: ParsedAnswer, tokens: Sequence[Token], *, cut_off: bool, expects_json: bool
) -> float:
    """The probability that the model gives to the whole answer: the product of those of all its tokens.

    It is 0 for an answer that is known to be wrong: one that was cut off or has no tokens and, where JSON is
    expected, one that is no strict JSON or contradicts itself.
    """
    if cut_off or not tokens or (expects_json and (not answer.strict or contradicts_itself(answer.raw))):
        return 0.0
    return math.exp(sum(token.log_prob for token in tokens))


def field_confidences(text: str, answer: ParsedAnswer, tokens: Sequence[Token]) -> dict[str, float]:
    """The confidence of each field that has a value, by path (`line_items[0].quantity`).

    It is the product of the probabilities of all tokens with a character of the value, or with the one that
    ends it: a closing quote, or what follows a number. Without that one, `12` would be as certain as `12.50`
    of which it is the start.

    Of an answer that had to be repaired, the fields before the first error have one. Its other fields, and
    those of an answer that is no JSON, have none.

    Args:
        text: the answer.
        answer: the same, parsed.
        tokens: the tokens of the text, and the end token if it has one.
    """
    if not isinstance(answer.raw, dict | list):
        return {}
    values = find_value_spans(text) if answer.strict else find_spans_before_error(text)
    known = {path for path, _ in leaves(answer.raw)}
    ends, starts = [token.end for token in tokens], [token.start for token in tokens]
    found = {}
    for value in values:
        first, last = bisect_right(ends, value.start), bisect_left(starts, value.end + 1)
        has_ended = bool(tokens) and value.end < ends[-1]
        if value.path in known and has_ended:
            found[value.path] = math.exp(sum(token.log_prob for token in tokens[first:last]))
    return found
