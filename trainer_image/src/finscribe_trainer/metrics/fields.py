"""Fields read exactly, F1 of fields, and numbers read right."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from finscribe_trainer.documents.paths import field_of, region_of
from finscribe_trainer.metrics.alignment import field_pairs
from finscribe_trainer.metrics.amounts import read_amount
from finscribe_trainer.metrics.normal_form import TEXT_FIELDS
from finscribe_trainer.metrics.ratio import Ratio

TOLERANCE = Decimal("0.005")
"""A number is right when it is no further from the right one: half a cent."""
RELATIVE_TOLERANCE = Decimal("0.01")

Leaves = list[tuple[str, str, str | None]]
"""Path, right value and read value of each leaf, as `align` gives them."""


def field_accuracy(leaves: Leaves) -> Ratio:
    """Share of the right answer's leaves that are read exactly, in normal form; missing ones are wrong."""
    return Ratio(sum(gold == read for _, gold, read in leaves), len(leaves))


def by_field(leaves: Leaves) -> dict[str, Ratio]:
    """Field accuracy of each field, positions in lists left out: `line_items.quantity`."""
    return _grouped((field_of(path), gold == read) for path, gold, read in leaves)


def by_region(leaves: Leaves) -> dict[str, Ratio]:
    """Field accuracy of each of the page's regions (documents/paths.py)."""
    return _grouped((region_of(path), gold == read) for path, gold, read in leaves)


def _grouped(marks: Iterable[tuple[str, bool]]) -> dict[str, Ratio]:
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for name, right in marks:
        counts[name][0] += right
        counts[name][1] += 1
    return {_writable(name): Ratio(*count) for name, count in counts.items()}


def _writable(name: str) -> str:
    """A field's name that any file can hold: JSON's keys may be half a character."""
    return name.encode("utf-8", "backslashreplace").decode()


def field_f1(gold: Any, predicted: Any) -> Ratio:
    """F1 of the (field, value) pairs of two answers in normal form, positions in lists left out.

    As a ratio, tp / (tp + (fp + fn) / 2), so that sums over documents give the micro F1.

    Source: Kim et al. 2022, "OCR-free document understanding transformer" (Donut),
    `JSONParseEvaluator.cal_f1`.
    """
    right, read = Counter(field_pairs(gold)), Counter(field_pairs(predicted))
    return Ratio((right & read).total(), (right.total() + read.total()) / 2)


def read_number(path: str, value: str | None) -> Decimal | None:
    """The number that a leaf is, or None: in a field that the schema has as text nothing is a number."""
    name = field_of(path).rpartition(".")[2]
    return None if value is None or name in TEXT_FIELDS else read_amount(value)


def numeric_accuracy(leaves: Leaves) -> tuple[Ratio, Ratio]:
    """Share of the right answer's numbers that are read right: within TOLERANCE, and within
    RELATIVE_TOLERANCE.

    Both sides are read as printed amounts are (`read_amount`); missing numbers are wrong.
    """
    exact = close = total = 0
    for path, gold, read in leaves:
        right = read_number(path, gold)
        if right is None:
            continue
        total += 1
        number = read_number(path, read)
        if number is not None:
            difference = abs(number - right)
            exact += difference <= TOLERANCE
            close += difference <= max(TOLERANCE, RELATIVE_TOLERANCE * abs(right))
    return Ratio(exact, total), Ratio(close, total)


def numeric_precision(right: float, predicted: Any) -> Ratio:
    """Share of an answer's numbers that are right.

    Args:
        right: numbers that are right, the numerator of `numeric_accuracy`.
        predicted: the answer in normal form.
    """
    numbers = sum(read_number(field[1:], value) is not None for field, value in field_pairs(predicted))
    return Ratio(right, numbers)
