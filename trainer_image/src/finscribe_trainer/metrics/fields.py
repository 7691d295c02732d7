"""Field accuracy, field F1 and numeric accuracy of one document."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from finscribe_trainer.documents.paths import field_of, region_of
from finscribe_trainer.metrics.alignment import field_pairs
from finscribe_trainer.metrics.amounts import read_amount
from finscribe_trainer.metrics.normalization import TEXT_FIELDS
from finscribe_trainer.metrics.ratio import Ratio

TOLERANCE = Decimal("0.005")
"""Largest absolute difference at which a number counts as correct: half a cent."""
RELATIVE_TOLERANCE = Decimal("0.01")

Leaves = list[tuple[str, str, str | None]]
"""Path, gold value and predicted value of each leaf, as `align` yields them."""


def field_accuracy(leaves: Leaves) -> Ratio:
    """Share of the ground truth's leaves whose predicted value is equal; missing values are wrong."""
    return Ratio(sum(gold == predicted for _, gold, predicted in leaves), len(leaves))


def by_field(leaves: Leaves) -> dict[str, Ratio]:
    """Field accuracy of each field, without list indices: `line_items.quantity`."""
    return _accuracy_by_name((field_of(path), gold == predicted) for path, gold, predicted in leaves)


def by_region(leaves: Leaves) -> dict[str, Ratio]:
    """Field accuracy of each of the page's regions (documents/paths.py)."""
    return _accuracy_by_name((region_of(path), gold == predicted) for path, gold, predicted in leaves)


def _accuracy_by_name(results: Iterable[tuple[str, bool]]) -> dict[str, Ratio]:
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for name, correct in results:
        counts[name][0] += correct
        counts[name][1] += 1
    return {writable(name): Ratio(*count) for name, count in counts.items()}


def writable(name: str) -> str:
    """A field's name in valid Unicode: keys of JSON may contain unpaired surrogates."""
    return name.encode("utf-8", "backslashreplace").decode()


def field_f1(gold: Any, predicted: Any) -> Ratio:
    """F1 of the (field, value) pairs of two normalized answers, without list indices.

    As a ratio, tp / (tp + (fp + fn) / 2), so that sums over documents give the micro F1.

    Source: Kim et al. 2022, "OCR-free document understanding transformer" (Donut),
    `JSONParseEvaluator.cal_f1`.
    """
    gold_pairs, predicted_pairs = Counter(field_pairs(gold)), Counter(field_pairs(predicted))
    return Ratio((gold_pairs & predicted_pairs).total(), (gold_pairs.total() + predicted_pairs.total()) / 2)


def read_number(path: str, value: str | None) -> Decimal | None:
    """The number in a leaf, or None if it is not a number or its field is a text field of the schema."""
    name = field_of(path).rpartition(".")[2]
    return None if value is None or name in TEXT_FIELDS else read_amount(value)


def numeric_accuracy(leaves: Leaves) -> tuple[Ratio, Ratio]:
    """Share of the ground truth's numbers that are predicted within TOLERANCE, and within RELATIVE_TOLERANCE.

    Both sides are parsed as printed amounts (`read_amount`); missing numbers are wrong.
    """
    exact = close = total = 0
    for path, gold, predicted in leaves:
        expected = read_number(path, gold)
        if expected is None:
            continue
        total += 1
        number = read_number(path, predicted)
        if number is not None:
            difference = abs(number - expected)
            exact += difference <= TOLERANCE
            close += difference <= max(TOLERANCE, RELATIVE_TOLERANCE * abs(expected))
    return Ratio(exact, total), Ratio(close, total)


def numeric_precision(correct: float, predicted: Any) -> Ratio:
    """Share of a predicted answer's numbers that are correct.

    Args:
        correct: number of correct numbers, the numerator of `numeric_accuracy`.
        predicted: the normalized answer.
    """
    numbers = sum(read_number(field[1:], value) is not None for field, value in field_pairs(predicted))
    return Ratio(correct, numbers)
