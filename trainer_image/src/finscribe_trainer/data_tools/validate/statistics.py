"""Collects statistics of a data set, row by row."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from finscribe_trainer.data.rows import Row
from finscribe_trainer.documents.paths import field_of, leaves

MAX_FIELDS = 1000
"""Largest number of distinct fields that are counted."""
MAX_NAME = 100
"""Longest field name, in characters; longer ones are truncated."""


@dataclass
class Statistics:
    """Counts over all valid rows."""

    rows: int = 0
    """All rows, including invalid ones."""
    rows_with_errors: int = 0
    with_images: int = 0
    images: int = 0
    document_types: Counter[str] = field(default_factory=Counter)
    fields: Counter[str] = field(default_factory=Counter)
    """Number of rows with each field."""
    answer_characters: Counter[int] = field(default_factory=Counter)
    """Histogram: number of rows by the smallest power of two above the answer's length."""
    prompt_characters: Counter[int] = field(default_factory=Counter)
    tokens: Counter[int] = field(default_factory=Counter)
    """Histogram of the tokens of prompt (including image tokens) and answer; only with --model."""
    line_items: Counter[int] = field(default_factory=Counter)

    def add(self, row: Row, answer: Any, tokens: int | None) -> None:
        """Count a row and its answer's JSON value (None if it is not JSON)."""
        self.with_images += bool(row.images)
        self.images += len(row.images)
        self.answer_characters[bucket(len(row.completion))] += 1
        self.prompt_characters[bucket(sum(len(turn.text) for turn in row.turns))] += 1
        if tokens is not None:
            self.tokens[bucket(tokens)] += 1
        if isinstance(answer, dict):
            self._add_answer(answer)

    def _add_answer(self, answer: dict[str, Any]) -> None:
        self.document_types[str(answer.get("document_type", "(none)"))[:40]] += 1
        items = answer.get("line_items")
        if isinstance(items, list):
            self.line_items[bucket(len(items))] += 1
        for name in dict.fromkeys(field_of(path)[:MAX_NAME] for path, _ in leaves(answer)):
            if name in self.fields or len(self.fields) < MAX_FIELDS:
                self.fields[name] += 1


def bucket(length: int) -> int:
    """The smallest power of two above a length.

    >>> bucket(0), bucket(100), bucket(128)
    (1, 128, 256)
    """
    return 1 << length.bit_length()
