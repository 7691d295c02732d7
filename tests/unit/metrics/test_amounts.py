from decimal import Decimal

import pytest

from finscribe_trainer.metrics.amounts import read_amount

AMOUNTS = {
    "1204.50": "1204.50",
    "1.204,50 €": "1204.50",
    "$1,204.50": "1204.50",
    "CHF 1'204.50": "1204.50",
    "1\u202f204,50": "1204.50",
    "1.204.500": "1204500",
    "1,20,450.00": "120450.00",
    "1,204": "1204",
    "1.204": "1.204",
    "0,125": "0.125",
    "12,5": "12.5",
    ",5": "0.5",
    "19 %": "19",
    "USD 7": "7",
    "7 kr": "7",
    "(12.50)": "-12.50",
    "12.50-": "-12.50",
    "-€ 12": "-12",
    "\u221212": "-12",
    "\uff11\uff12": "12",
}


@pytest.mark.parametrize(("text", "number"), AMOUNTS.items())
def test_a_printed_amount_is_parsed(text, number):
    assert read_amount(text) == Decimal(number)


@pytest.mark.parametrize(
    "text",
    ["", "N/A", "-", "12 pieces", "2024-02-29", "29.02.2024", "1,2,3", "1.2.3", "12 34", "(12", "--12", "1e5",
     "NaN", "Infinity", "9" * 31, "9" * 100_000, "12\x00", "\ud800"],
    ids=range(18),
)  # fmt: skip
def test_other_texts_are_not_amounts(text):
    assert read_amount(text) is None
