"""Locales: language, currency, number and date formats, taxes, addresses and paper size of a country."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Any, Literal

import yaml
from pydantic import TypeAdapter

TaxSystem = Literal["sales_tax", "vat", "gst"]


@dataclass(frozen=True)
class Locale:
    """A country's conventions, in `LOCALES`; `content.pick_style` derives a variant for each document."""

    code: str
    """Language and country: de_CH."""
    language: str
    """Two letters: names `words/<language>.yaml`."""
    country: str
    """The country's name in its language."""
    currency: str
    """ISO 4217."""
    symbol: str
    """Currency symbol, including the space between it and the amount: " €" for "12,50 €"."""
    symbol_first: bool
    decimal: str
    grouping: str
    date_formats: tuple[str, ...]
    """Formats of `str.format` with d, m (numbers), b, B (names of the month) and y: "{d:02}.{m:02}.{y}"."""
    tax: TaxSystem
    tax_name: str
    """Name of the tax, as printed."""
    tax_rates: tuple[Decimal, ...]
    """Rates in percent, the standard rate first; sales tax depends on the place."""
    tax_id: str
    """Label of the tax number."""
    price_level: Decimal
    """Price level relative to 1 euro."""
    lakh: bool = False
    """Groups of two digits beyond the thousands: 12,34,567.00."""
    paper: Literal["a4", "letter"] = "a4"
    percent_space: bool = False
    city_line: str = "{zip} {city}"
    """Format of the address line with zip, city and state."""
    street_line: str = "{street} {number}"
    spelling: tuple[tuple[str, str], ...] = ()
    """Spelling differences from the words of its language: pairs of text and replacement."""
    date_format: str = ""
    labels: Mapping[str, str] = field(default_factory=dict, hash=False)
    """All labels of a page, in its language; keys as in `words/en.yaml`."""

    def number(self, value: Decimal) -> str:
        """Format a number with the country's separators, keeping its decimal places.

        >>> LOCALES["de_DE"].number(Decimal("-1204.50")), LOCALES["en_IN"].number(Decimal("1234567"))
        ('-1.204,50', '12,34,567')
        """
        whole, _, fraction = f"{abs(value):f}".partition(".")
        step, groups = (2 if self.lakh else 3), [whole[-3:]]
        rest = whole[:-3]
        while rest:
            groups.append(rest[-step:])
            rest = rest[:-step]
        text = self.grouping.join(reversed(groups)) + (self.decimal + fraction if fraction else "")
        return f"-{text}" if value < 0 else text

    def money(self, value: Decimal) -> str:
        """Format an amount with its currency symbol.

        >>> LOCALES["en_US"].money(Decimal("-5.00")), LOCALES["de_DE"].money(Decimal("5.00"))
        ('-$5.00', '5,00 €')
        """
        sign = "-" if value < 0 else ""
        text = self.number(abs(value))
        return f"{sign}{self.symbol}{text}" if self.symbol_first else f"{sign}{text}{self.symbol}"

    def percent(self, value: Decimal) -> str:
        """Format a rate in percent.

        >>> LOCALES["de_DE"].percent(Decimal("19")), LOCALES["en_US"].percent(Decimal("8.875"))
        ('19 %', '8.875%')
        """
        return self.number(value) + (" %" if self.percent_space else "%")

    def day(self, iso: str) -> str:
        """Format an ISO date.

        >>> LOCALES["en_US"].day("2026-03-09"), LOCALES["de_DE"].day("2026-03-09")
        ('03/09/2026', '09.03.2026')
        """
        day = date.fromisoformat(iso)
        month = words(self)["months"][day.month - 1]
        short = month if len(month) <= 4 else month[:3]
        return self.date_format.format(d=day.day, m=day.month, y=day.year, B=month, b=short)


def words(locale: Locale) -> dict[str, Any]:
    """The labels, months and catalogue of `words/<language>.yaml`, in the country's spelling."""
    return _read(locale.language, locale.spelling)


@cache
def _read(language: str, spelling: tuple[tuple[str, str], ...]) -> dict[str, Any]:
    text = _text(language)
    for usual, local in spelling:
        text = text.replace(usual, local)
    found: dict[str, Any] = yaml.safe_load(text)
    return found


@cache
def read_words(name: str) -> dict[str, Any]:
    """The file `words/<name>.yaml`."""
    found: dict[str, Any] = yaml.safe_load(_text(name))
    return found


def _text(name: str) -> str:
    return files(__package__).joinpath("words", f"{name}.yaml").read_text(encoding="utf-8")


def _load() -> dict[str, Locale]:
    """Read all locales, each with its first date format and the first synonym of each label."""
    adapter, found = TypeAdapter(Locale), {}
    for code, settings in read_words("countries").items():
        locale = adapter.validate_python({"code": code, "language": code.partition("_")[0], **settings})
        labels = {key: synonyms[0] for key, synonyms in words(locale)["labels"].items()}
        found[code] = replace(locale, labels=labels, date_format=locale.date_formats[0])
    return found


LOCALES = _load()
"""All locales by code."""
