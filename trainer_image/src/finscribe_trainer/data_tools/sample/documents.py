"""Random content of small receipts and invoices, whose sums are right, and its canonical answer."""

import json
import random
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from functools import cache
from typing import Any

from finscribe_trainer.data_tools.small_pages.values import choose_new, dictionary

CURRENCIES = ("EUR", "USD", "GBP")
_TAX_RATES = (7, 19, 20)
_FIRST_DAY, _DAYS = date(2015, 1, 1), 7000
_LONGEST_NAME = 18


@dataclass(frozen=True)
class Item:
    """A line of a document; its total in cents."""

    name: str
    total: int


@dataclass(frozen=True)
class Document:
    """The content of a page.

    Attributes:
        kind: "receipt" or "invoice".
        vendor: Name of the seller.
        client: Name of the buyer; None of a receipt.
        number: Of the document.
        issued: Date of issue.
        items: One to three lines.
        tax_rate: In percent; None if the document shows no tax.
        currency: ISO 4217 code.
    """

    kind: str
    vendor: str
    client: str | None
    number: str
    issued: date
    items: tuple[Item, ...]
    tax_rate: int | None
    currency: str

    @property
    def subtotal(self) -> int:
        """Sum of the lines, in cents."""
        return sum(item.total for item in self.items)

    @property
    def tax(self) -> int:
        """Tax on the subtotal, in cents."""
        return round(Decimal(self.subtotal * (self.tax_rate or 0)) / 100)

    @property
    def total(self) -> int:
        """Subtotal and tax, in cents."""
        return self.subtotal + self.tax

    def answer(self) -> str:
        """Canonical JSON with the fields of the page, without spaces; the totals in the order of the page."""
        taxed = {"subtotal": money(self.subtotal), "tax_amount": money(self.tax)}
        content: dict[str, Any] = {
            "document_type": self.kind,
            "vendor": {"name": self.vendor},
            **({} if self.client is None else {"client": {"name": self.client}}),
            "invoice_number": self.number,
            "issue_date": self.issued.isoformat(),
            "line_items": [
                {"description": item.name, "line_total": money(item.total)} for item in self.items
            ],
            "financial_summary": {
                **({} if self.tax_rate is None else taxed),
                "currency": self.currency,
                "grand_total": money(self.total),
            },
        }
        return json.dumps(content, ensure_ascii=False, separators=(",", ":"))


def money(cents: int) -> str:
    """Format cents.

    >>> money(12050)
    '120.50'
    """
    return f"{cents // 100}.{cents % 100:02d}"


def random_document(rng: random.Random, *, test: bool) -> Document:
    """A document; words, number, date and line totals of the test occur in no other data set."""

    def cents() -> int:
        amount = choose_new(lambda: money(rng.randrange(10 ** rng.choice((3, 4, 4, 5)))), test=test)
        return int(amount.replace(".", ""))

    def day() -> str:
        return (_FIRST_DAY + timedelta(rng.randrange(_DAYS))).isoformat()

    def number() -> str:
        pattern = rng.choice(("#####", "@-####", "@@-####", "@####", "########"))
        signs = {"#": "0123456789", "@": "ABCDEFGHKLMNPRSTUVWXYZ"}
        return "".join(rng.choice(signs.get(sign, sign)) for sign in pattern)

    kind = rng.choice(("receipt", "invoice"))
    return Document(
        kind=kind,
        vendor=_name(rng, test=test),
        client=rng.choice(_words(test=test, capital=True)) if kind == "invoice" else None,
        number=choose_new(number, test=test),
        issued=date.fromisoformat(choose_new(day, test=test)),
        items=tuple(Item(rng.choice(_words(test=test)), cents()) for _ in range(rng.randint(1, 3))),
        tax_rate=rng.choice((*_TAX_RATES, None)),
        currency=rng.choice(CURRENCIES),
    )


@cache
def _words(*, test: bool, capital: bool = False) -> tuple[str, ...]:
    return tuple(
        word for word in dictionary(test=test) if word.isalpha() and (word[0].isupper() or not capital)
    )


def _name(rng: random.Random, *, test: bool) -> str:
    names = _words(test=test, capital=True)
    first, second = rng.choices(names, k=2)
    return both if len(both := f"{first} {second}") <= _LONGEST_NAME else first
