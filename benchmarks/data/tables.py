"""Makes pairs of line-item tables as HTML: ground truth, and prediction with errors."""

from random import Random

from finscribe_trainer.metrics.tables import Cell, Section, Table
from tests.reference.table_html import to_html

Pairs = list[tuple[str, str]]
"""Ground truth and prediction."""

_NAMES = ("description", "sku", "quantity", "unit_price", "tax_rate", "line_total")
_GOODS = ("Paper", "Ink", "Desk", "Chair", "Lamp", "Cable", "Transport", "Consulting", "Hosting", "Filter")
_DIGITS = "0123456789"


def make_pairs(lines: int, count: int, *, misread: float) -> Pairs:
    """Make `count` pairs of tables.

    Args:
        lines: Lines of each ground truth table.
        count: Pairs.
        misread: Probability that a cell has one wrong character; a line is lost with half of it.
    """
    random = Random(f"{lines} {misread}")  # noqa: S311 - test data, not secrets
    pairs = []
    for _ in range(count):
        gold = [_line(random) for _ in range(lines)]
        predicted = [
            [_wrong(text, random) if random.random() < misread else text for text in line]
            for line in gold
            if random.random() >= misread / 2
        ]
        pairs.append((to_html(_table(gold)), to_html(_table(predicted))))
    return pairs


def _line(random: Random) -> list[str]:
    quantity, price = random.randint(1, 40), random.randint(100, 90_000)
    return [
        " ".join(random.choices(_GOODS, k=random.randint(2, 5))),
        f"{random.choice('ABC')}-{random.randrange(100_000):05}",
        str(quantity),
        f"{price / 100:.2f}",
        random.choice(("7", "19")),
        f"{quantity * price / 100:.2f}",
    ]


def _wrong(text: str, random: Random) -> str:
    place = random.randrange(len(text))
    return text[:place] + random.choice(_DIGITS) + text[place + 1 :]


def _table(lines: list[list[str]]) -> Table:
    body = tuple(tuple(map(Cell, line)) for line in lines)
    return Table((Section("thead", (tuple(map(Cell, _NAMES)),)), Section("tbody", body)))
