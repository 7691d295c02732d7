"""Counts the tokens of the rows, and finds the batches that need most memory."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from finscribe_trainer.data.dataset import Example
from finscribe_trainer.model.families.base import Family
from finscribe_trainer.training.sampler import DataOrder

_MAX_EPOCHS = 20
"""Epochs whose batches are looked at."""


@dataclass(frozen=True)
class Tokens:
    """The tokens of a row."""

    all: int
    answer: int
    """With the end token."""
    images: int
    largest_image: int

    @property
    def prompt(self) -> int:
        """With those of the images."""
        return self.all - self.answer


@dataclass(frozen=True)
class Batch:
    """Rows that are computed together."""

    lengths: tuple[int, ...]
    """Tokens of each row."""
    answers: int
    """Answer tokens of all rows."""
    images: int
    """Image tokens of all rows."""

    @property
    def num_padded(self) -> int:
        """Tokens with padding to the longest row."""
        return max(self.lengths) * len(self.lengths)


def count(examples: Sequence[Example], family: Family) -> list[Tokens]:
    """The tokens of each row, without decoding an image."""
    return [_tokens(example, family) for example in examples]


def _tokens(example: Example, family: Family) -> Tokens:
    text = family.count_prompt_tokens(replace(example, sizes=()))
    images = [family.count_prompt_tokens(replace(example, sizes=(size,))) - text for size in example.sizes]
    answer = len(family.encode_completion(example.row.completion))
    return Tokens(text + sum(images) + answer, answer, sum(images), max(images, default=0))


def largest(order: DataOrder, rows: Sequence[Tokens], batch_size: int, num_epochs: float) -> list[Batch]:
    """The batches of a training with most tokens, with most after padding, and with most answer tokens."""
    batches = list(_batches(order, rows, batch_size, num_epochs))
    keys = (lambda each: sum(each.lengths), lambda each: each.num_padded, lambda each: each.answers)
    return list(dict.fromkeys(max(batches, key=key) for key in keys))


def of_rows(rows: Sequence[Tokens], batch_size: int) -> list[Batch]:
    """The batches of an evaluation, in the order of the rows."""
    return [_batch(rows[first : first + batch_size]) for first in range(0, len(rows), batch_size)]


def _batches(order: DataOrder, rows: Sequence[Tokens], batch_size: int, num_epochs: float) -> Iterator[Batch]:
    for epoch in range(min(_MAX_EPOCHS, math.ceil(num_epochs))):
        used = [rows[number] for number in order.of(epoch)]
        used = used[: math.ceil(min(1.0, num_epochs - epoch) * len(used))]
        yield from of_rows(used, batch_size)


def _batch(rows: Sequence[Tokens]) -> Batch:
    return Batch(
        tuple(row.all for row in rows), sum(row.answer for row in rows), sum(row.images for row in rows)
    )
