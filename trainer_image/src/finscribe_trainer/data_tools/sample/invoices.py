"""Generates simple invoices from a seed, and their answers in the canonical schema."""

import json
import random
from dataclasses import dataclass
from datetime import date, timedelta

VENDORS = ("Acme Ltd", "Borealis GmbH", "Cobalt Inc", "Delta Foods", "Ember Works")
CLIENTS = ("Harbor Bank", "Ivy School", "Juniper Cafe", "Kestrel Air")
PRODUCTS = ("paper", "toner", "desk", "lamp", "chair", "cable")
CURRENCIES = ("EUR", "USD", "GBP")
TAX_RATES = (0, 7, 19)


@dataclass(frozen=True)
class LineItem:
    """One line of an invoice; money in cents."""

    description: str
    quantity: int
    unit_price: int

    @property
    def total(self) -> int:
        """Quantity times price."""
        return self.quantity * self.unit_price


@dataclass(frozen=True)
class Invoice:
    """The content of a page."""

    number: str
    issue_date: date
    vendor: str
    client: str
    items: tuple[LineItem, ...]
    tax_rate: int
    currency: str

    @property
    def subtotal(self) -> int:
        """Sum of the lines, in cents."""
        return sum(item.total for item in self.items)

    @property
    def tax(self) -> int:
        """Tax on the subtotal, in cents."""
        return round(self.subtotal * self.tax_rate / 100)

    def to_json(self) -> str:
        """The completion: canonical JSON with the fields of this page."""
        return json.dumps(
            {
                "document_type": "invoice",
                "vendor": {"name": self.vendor},
                "client": {"name": self.client},
                "invoice_number": self.number,
                "issue_date": self.issue_date.isoformat(),
                "line_items": [
                    {
                        "description": item.description,
                        "quantity": item.quantity,
                        "unit_price": money(item.unit_price),
                        "line_total": money(item.total),
                    }
                    for item in self.items
                ],
                "financial_summary": {
                    "subtotal": money(self.subtotal),
                    "tax_rate": self.tax_rate,
                    "tax_amount": money(self.tax),
                    "grand_total": money(self.subtotal + self.tax),
                    "currency": self.currency,
                },
            }
        )

    def to_text(self) -> str:
        """The page as plain text, for rows without an image."""
        lines = "; ".join(
            f"{item.quantity} x {item.description} at {money(item.unit_price)}" for item in self.items
        )
        return (
            f"Invoice {self.number} of {self.issue_date.isoformat()}, {self.vendor} to {self.client}: "
            f"{lines}; tax {self.tax_rate} %, {self.currency}"
        )


def money(cents: int) -> str:
    """Format cents.

    >>> money(12050)
    '120.50'
    """
    return f"{cents // 100}.{cents % 100:02d}"


def random_invoice(rng: random.Random) -> Invoice:
    """Generate an invoice."""
    return Invoice(
        number=f"INV-{rng.randrange(1000, 10000)}",
        issue_date=date(2026, 1, 1) + timedelta(days=rng.randrange(365)),
        vendor=rng.choice(VENDORS),
        client=rng.choice(CLIENTS),
        items=tuple(
            LineItem(product, rng.randrange(1, 10), rng.randrange(1, 200) * 50)
            for product in rng.sample(PRODUCTS, rng.randrange(1, 4))
        ),
        tax_rate=rng.choice(TAX_RATES),
        currency=rng.choice(CURRENCIES),
    )
