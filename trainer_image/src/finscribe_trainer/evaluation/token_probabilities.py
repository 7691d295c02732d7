"""The probabilities of an answer's tokens, and the characters of the text that each token stands for."""

import logging
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from transformers import LogitsProcessor

log = logging.getLogger(__name__)

_INCOMPLETE = "\N{REPLACEMENT CHARACTER}"
"""What decoders write for the first bytes of a character whose other bytes are in the next tokens."""


class Token(NamedTuple):
    """A token of an answer."""

    start: int
    """The first of its characters in the text."""
    end: int
    """The character after its last one. The end token has one character after the text's last."""
    log_prob: float
    """Natural logarithm of its probability, given the prompt and the tokens before it."""


class ChosenTokens(LogitsProcessor):
    """Records the log-probability of the token that greedy decoding chooses, at each step.

    It keeps one number for each step and row: the scores of the whole vocabulary would take gigabytes.
    """

    def __init__(self) -> None:
        self._steps: list[torch.Tensor] = []

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> Any:
        """Record a step; the scores (rows, vocabulary) are returned unchanged."""
        self._steps.append(scores.amax(-1) - scores.logsumexp(-1))
        return scores

    def log_probs(self) -> list[list[float]]:
        """By row and step."""
        rows: list[list[float]] = torch.stack(self._steps, dim=1).tolist()
        return rows


def read_tokens(
    ids: Sequence[int], log_probs: Sequence[float], decode: Callable[[list[int]], str]
) -> list[Token]:
    """The tokens with their characters in `decode(ids)`; tokens that share a character have the same span.

    Args:
        ids: the answer, without its end token.
        log_probs: of each token; more are ignored.
        decode: the text of token ids.
    """
    spans = _spans(ids, decode)
    if spans and spans[-1][1] != len(decode([*ids])):
        log.warning("this tokenizer's texts can't be divided into tokens: an answer has no confidence")
        return []
    return [Token(start, end, log_probs[index]) for index, (start, end) in enumerate(spans)]


def _spans(ids: Sequence[int], decode: Callable[[list[int]], str]) -> list[tuple[int, int]]:
    """The character span of each token, by decoding token after token.

    Decoders join tokens in ways of their own: a space at the start is dropped, bytes become characters. A
    token is therefore decoded together with those of the character before it.
    """
    spans: list[tuple[int, int]] = []
    context = 0  # the first of the tokens that are decoded with the next one
    while len(spans) < len(ids):
        first = len(spans)
        before = decode([*ids[context:first]])
        start = spans[-1][1] if spans else 0
        for last in range(first + 1, len(ids) + 1):
            text = decode([*ids[context:last]])
            complete = len(text) > len(before) and not text.endswith(_INCOMPLETE)
            if complete or last == len(ids):
                end = start + max(0, len(text) - len(before))
                spans += [(start, end)] * (last - first)
                break
        context = first
    return spans
