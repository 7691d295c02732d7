"""Generates line items from the catalogue of an industry."""

import random
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal

from finscribe_trainer.data_tools.synthetic.locales import Locale, words
from finscribe_trainer.data_tools.synthetic.parties import fill, person
from finscribe_trainer.documents.schema import LineItem

CENT = Decimal("0.01")
_BRANDS = ("Norwin", "Talveo", "Brixor", "Kemaro", "Solvea", "Ardent", "Pluvia", "Hexon", "Mirova", "Tecla")
_SKU_PATTERNS = ("%####", "%##-####", "@@-####", "@%##.%#", "40%##########", "%#-%##-%#")
_BRANDED = ("office", "hardware", "medical")
_DETAILS = {"consulting": "services", "logistics": "services", "groceries": "food"}
_WEIGHED = ("kg", "lb")


@dataclass(frozen=True)
class GeneratedLine:
    """A line item with the description lines and the unit on its page."""

    item: LineItem
    description: tuple[str, ...]
    unit: str


@dataclass(frozen=True)
class LineStyle:
    """Settings that all lines of a document share."""

    kind: str
    """The document's type."""
    sku_pattern: str | None
    branded: bool
    """Whether all goods have a brand and model, instead of only those that occur twice."""
    details: float
    """Fraction of the lines with a description of several text lines."""
    discounts: float
    """Fraction of the lines with a discount."""
    largest_quantity: int
    issued: date
    """Issue date; dates in descriptions are shortly before it."""


def cents(value: Decimal) -> Decimal:
    """Round to two decimal places, half away from zero, as on invoices."""
    return value.quantize(CENT, ROUND_HALF_UP)


def pick_line_style(kind: str, branch: str, issued: date, rng: random.Random) -> LineStyle:
    """A random style for the lines of a document."""
    receipt = kind == "receipt"
    goods = branch in ("office", "hardware", "medical", "groceries")
    return LineStyle(
        kind=kind,
        sku_pattern=rng.choice(_SKU_PATTERNS) if goods and rng.random() < (0.2 if receipt else 0.7) else None,
        branded=rng.random() < 0.5,
        details=0 if receipt or branch == "restaurant" else rng.choice([0, 0, 0.3, 0.6]),
        discounts=rng.choice([0.3, 0.6]) if rng.random() < (0.08 if receipt else 0.2) else 0,
        largest_quantity=4 if receipt else rng.choice([5, 12, 60]),
        issued=issued,
    )


def make_lines(
    count: int, branch: str, style: LineStyle, locale: Locale, rates: tuple[Decimal, ...], rng: random.Random
) -> list[GeneratedLine]:
    """Generate lines from a catalogue; with several tax `rates`, each line has its own rate."""
    catalogue = list(words(locale)["catalogue"][branch]["items"].items())
    picked = rng.sample(catalogue, min(count, len(catalogue)))
    picked += rng.choices(catalogue, k=count - len(picked))
    lines, seen = [], set()
    for name, (unit, low, high) in picked:
        branded = unit and branch in _BRANDED and (style.branded or name in seen)
        named = f"{name} {rng.choice(_BRANDS)} {fill('@@%##', rng)}" if branded else name
        seen.add(name)
        description = (named, *_details(style, branch, locale, rng))
        price = _price(low, high, locale, rng)
        quantity = _quantity(unit, style, locale, rng)
        gross = cents(quantity * price)
        discount = (
            cents(gross * rng.choice([5, 10, 15, 20]) / 100) if rng.random() < style.discounts else None
        )
        item = LineItem(
            description=" ".join(description),
            sku=fill(style.sku_pattern, rng) if style.sku_pattern else None,
            quantity=quantity,
            unit_price=price,
            discount=discount,
            tax_rate=rng.choice(rates) if len(rates) > 1 else None,
            line_total=gross - (discount or 0),
        )
        lines.append(GeneratedLine(item, description, unit))
    return lines


def _details(style: LineStyle, branch: str, locale: Locale, rng: random.Random) -> tuple[str, ...]:
    if rng.random() >= style.details:
        return ()
    spoken = words(locale)["details"]
    known = spoken[_DETAILS.get(branch, "goods")] + (spoken["delivery"] if style.kind == "invoice" else [])
    texts = rng.sample(known, min(len(known), rng.choice([1, 1, 1, 2])))
    day = (style.issued - timedelta(days=rng.randint(3, 60))).isoformat()
    return tuple(
        text.format(
            month=day[5:7],
            year=day[:4],
            day=locale.day(day),
            number=fill("%####", rng),
            person=" ".join(person(locale, rng)),
        )
        for text in texts
    )


def _price(low: float, high: float, locale: Locale, rng: random.Random) -> Decimal:
    """A price between the bounds at the locale's price level, mostly ending in .90, .00 or the like."""
    price = Decimal(str(rng.uniform(low, high))) * locale.price_level
    ending = rng.choice(["0.90", "0.95", "0.99", "0.50", "0.00", ""])
    if price >= 100 and rng.random() < 0.7:
        ending = "0.00"
    return cents(price) if not ending or price < 1 else price // 1 + Decimal(ending)


def _quantity(unit: str, style: LineStyle, locale: Locale, rng: random.Random) -> Decimal:
    largest = style.largest_quantity
    if unit in words(locale)["fractional"] and rng.random() < 0.6:
        if unit in _WEIGHED and style.kind == "receipt":  # weighed at the till
            return Decimal(rng.randint(120, 2600)) / 1000
        return Decimal(rng.randint(2, 4 * min(largest, 20))) / 4
    return Decimal(min(rng.randint(1, largest), rng.randint(1, largest)))
