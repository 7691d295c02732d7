"""Finds rows of the same document, which must not be in two of the training, validation and test sets."""

import hashlib
from collections.abc import Hashable, Iterable, Sequence

from finscribe_trainer.data.dataset import Example
from finscribe_trainer.data.rows import Row
from finscribe_trainer.documents.numbers import load_json
from finscribe_trainer.documents.paths import leaves

_MIN_VALUES = 6
"""An answer with fewer values, such as a category or a single total, is often that of another document."""

Key = tuple[str, str]
"""What is the same (`page`, `prompt` or `answer`), and its digest."""


def document_keys(row: Row, image_hashes: Sequence[str]) -> list[Key]:
    """Rows with a common key show the same document.

    Keys are each image, or the prompt of a row without images, and an answer that is a JSON object of at
    least six values: two scans of one document have the same answer.

    Args:
        row: the row.
        image_hashes: a digest of each of its images that is known.
    """
    keys = [("page", digest) for digest in image_hashes]
    if not row.images:
        keys.append(("prompt", _digest(f"{turn.role}:{turn.text}" for turn in row.turns)))
    if _has_document(row.completion):
        keys.append(("answer", _digest([row.completion])))
    return keys


def find_overlap(known: Iterable[Example], examples: Iterable[Example]) -> list[tuple[Example, Example]]:
    """The examples that show a document of the known ones, each with the first of these that does."""
    first_with: dict[Key, Example] = {}
    for example in known:
        for key in document_keys(example.row, example.image_hashes):
            first_with.setdefault(key, example)
    pairs = []
    for example in examples:
        keys = document_keys(example.row, example.image_hashes)
        same = next((first_with[key] for key in keys if key in first_with), None)
        if same is not None:
            pairs.append((example, same))
    return pairs


class Groups:
    """Joins rows that share a key, also by way of other rows (union-find)."""

    def __init__(self) -> None:
        self._parents: list[int] = []
        self._first_with: dict[Hashable, int] = {}

    def add(self, keys: Iterable[Hashable]) -> None:
        """Add the next row."""
        row = len(self._parents)
        self._parents.append(row)
        for key in keys:
            other, own = self._find(self._first_with.setdefault(key, row)), self._find(row)
            self._parents[max(own, other)] = min(own, other)

    def first_rows(self) -> list[int]:
        """For each row, the first row of its group."""
        return [self._find(row) for row in range(len(self._parents))]

    def _find(self, row: int) -> int:
        while self._parents[row] != row:
            self._parents[row] = self._parents[self._parents[row]]
            row = self._parents[row]
        return row


def _has_document(answer: str) -> bool:
    try:
        value = load_json(answer)
    except ValueError:
        return False
    if not isinstance(value, dict):
        return False
    return sum(leaf not in (None, "") for _, leaf in leaves(value)) >= _MIN_VALUES


def _digest(texts: Iterable[str]) -> str:
    digest = hashlib.sha256()
    for text in texts:
        data = text.encode()
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.hexdigest()
