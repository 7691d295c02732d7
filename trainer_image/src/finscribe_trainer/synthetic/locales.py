"""How a country writes its documents: language, money, numbers, dates, taxes, addresses, paper."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Any, Literal

import yaml

TaxSystem = Literal["sales_tax", "vat", "gst"]


@dataclass(frozen=True)
class Locale:
    """One country's way; `LOCALES` holds one of each, a document has its own (`made_up.pick_style`)."""

    code: str
    """Language and country: de_CH."""
    language: str
    """Two letters: names `words/<language>.yaml`."""
    country: str
    """The country, as its people write it."""
    currency: str
    """ISO 4217."""
    symbol: str
    """What stands beside an amount; with its space, if it has one: "€" is written "12,50 €"."""
    symbol_first: bool
    decimal: str
    grouping: str
    date_formats: tuple[str, ...]
    """Formats of `str.format` with d, m (numbers), b, B (names of the month) and y: "{d:02}.{m:02}.{y}"."""
    tax: TaxSystem
    tax_name: str
    """Name of the tax on a page."""
    tax_rates: tuple[Decimal, ...]
    """Rates in percent, the usual one first; sales tax goes by `places`."""
    tax_id: str
    """What a tax number is called."""
    price_level: Decimal
    """What costs one euro costs so much."""
    lakh: bool = False
    """Groups of two digits beyond the thousands: 12,34,567.00."""
    paper: Literal["a4", "letter"] = "a4"
    percent_space: bool = False
    city_line: str = "{zip} {city}"
    """The address' last line, of zip, city and state."""
    street_line: str = "{street} {number}"
    spelling: tuple[tuple[str, str], ...] = ()
    """What the country spells differently from its language's words."""
    date_format: str = ""
    labels: Mapping[str, str] = field(default_factory=dict, hash=False)
    """Every label that a page needs, in its language; keys as in `words/en.yaml`."""

    def number(self, value: Decimal) -> str:
        """A number with the country's marks, with the digits it has.

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
        """An amount with its currency.

        >>> LOCALES["en_US"].money(Decimal("-5.00")), LOCALES["de_DE"].money(Decimal("5.00"))
        ('-$5.00', '5,00 €')
        """
        sign = "-" if value < 0 else ""
        text = self.number(abs(value))
        return f"{sign}{self.symbol}{text}" if self.symbol_first else f"{sign}{text}{self.symbol}"

    def percent(self, value: Decimal) -> str:
        """A rate in percent.

        >>> LOCALES["de_DE"].percent(Decimal("19")), LOCALES["en_US"].percent(Decimal("8.875"))
        ('19 %', '8.875%')
        """
        return self.number(value) + (" %" if self.percent_space else "%")

    def day(self, iso: str) -> str:
        """An ISO date in the country's way.

        >>> LOCALES["en_US"].day("2026-03-09"), LOCALES["de_DE"].day("2026-03-09")
        ('03/09/2026', '09.03.2026')
        """
        day = date.fromisoformat(iso)
        month = words(self)["months"][day.month - 1]
        short = month if len(month) <= 4 else month[:3]
        return self.date_format.format(d=day.day, m=day.month, y=day.year, B=month, b=short)


def words(locale: Locale) -> dict[str, Any]:
    """The labels, months and catalogue of `words/<language>.yaml`, as the country spells them."""
    return _read(locale.language, locale.spelling)


@cache
def _read(language: str, spelling: tuple[tuple[str, str], ...]) -> dict[str, Any]:
    text = files(__package__).joinpath("words", f"{language}.yaml").read_text(encoding="utf-8")
    for usual, local in spelling:
        text = text.replace(usual, local)
    found: dict[str, Any] = yaml.safe_load(text)
    return found


def _decimals(*values: str) -> tuple[Decimal, ...]:
    return tuple(map(Decimal, values))


def _make(code: str, **settings: Any) -> Locale:
    """A locale with the first date format and the first synonym of each label."""
    locale = Locale(code, code.partition("_")[0], **settings)
    labels = {key: synonyms[0] for key, synonyms in words(locale)["labels"].items()}
    return replace(locale, labels=labels, date_format=locale.date_formats[0])


_EURO: dict[str, Any] = {"currency": "EUR", "symbol": " €", "symbol_first": False, "price_level": Decimal(1)}
_DOTTED: dict[str, Any] = {"decimal": ",", "grouping": "."}

LOCALES = {
    locale.code: locale
    for locale in (
        _make(
            "en_US",
            country="USA",
            currency="USD",
            symbol="$",
            symbol_first=True,
            decimal=".",
            grouping=",",
            date_formats=("{m:02}/{d:02}/{y}", "{B} {d}, {y}", "{b} {d}, {y}", "{m}/{d}/{y}"),
            tax="sales_tax",
            tax_name="Sales Tax",
            tax_rates=(),
            tax_id="EIN",
            price_level=Decimal("1.1"),
            paper="letter",
            city_line="{city}, {state} {zip}",
            street_line="{number} {street}",
            spelling=(("Ageing", "Aging"), ("Authorised", "Authorized")),
        ),
        _make(
            "en_GB",
            country="United Kingdom",
            currency="GBP",
            symbol="£",
            symbol_first=True,
            decimal=".",
            grouping=",",
            date_formats=("{d:02}/{m:02}/{y}", "{d} {B} {y}", "{d:02} {b} {y}"),
            tax="vat",
            tax_name="VAT",
            tax_rates=_decimals("20", "5"),
            tax_id="VAT Reg No",
            price_level=Decimal("0.9"),
            city_line="{city} {zip}",
            street_line="{number} {street}",
        ),
        _make(
            "en_IN",
            country="India",
            currency="INR",
            symbol="₹",
            symbol_first=True,
            decimal=".",
            grouping=",",
            lakh=True,
            date_formats=("{d:02}/{m:02}/{y}", "{d:02}-{b}-{y}", "{d:02}-{m:02}-{y}"),
            tax="gst",
            tax_name="GST",
            tax_rates=_decimals("18", "12", "5"),
            tax_id="GSTIN",
            price_level=Decimal(80),
            city_line="{city} {zip}, {state}",
            street_line="{number}, {street}",
        ),
        _make(
            "de_DE",
            country="Deutschland",
            **_EURO,
            **_DOTTED,
            date_formats=("{d:02}.{m:02}.{y}", "{d}. {B} {y}"),
            tax="vat",
            tax_name="MwSt.",
            tax_rates=_decimals("19", "7"),
            tax_id="USt-IdNr.",
            percent_space=True,
        ),
        _make(
            "de_CH",
            country="Schweiz",
            currency="CHF",
            symbol="CHF ",
            symbol_first=True,
            decimal=".",
            grouping="'",
            date_formats=("{d:02}.{m:02}.{y}", "{d}. {B} {y}"),
            tax="vat",
            tax_name="MWST",
            tax_rates=_decimals("8.1", "2.6"),
            tax_id="MWST-Nr.",
            price_level=Decimal("1.3"),
            spelling=(("ß", "ss"), ("MwSt.", "MWST")),
        ),
        _make(
            "fr_FR",
            country="France",
            **_EURO,
            decimal=",",
            grouping="\u00a0",
            date_formats=("{d:02}/{m:02}/{y}", "{d} {B} {y}"),
            tax="vat",
            tax_name="TVA",
            tax_rates=_decimals("20", "10", "5.5"),
            tax_id="N° TVA",
            percent_space=True,
            street_line="{number} {street}",
        ),
        _make(
            "es_ES",
            country="España",
            **_EURO,
            **_DOTTED,
            date_formats=("{d:02}/{m:02}/{y}", "{d} de {B} de {y}"),
            tax="vat",
            tax_name="IVA",
            tax_rates=_decimals("21", "10", "4"),
            tax_id="NIF",
            percent_space=True,
            street_line="{street}, {number}",
        ),
        _make(
            "it_IT",
            country="Italia",
            **_EURO,
            **_DOTTED,
            date_formats=("{d:02}/{m:02}/{y}", "{d} {B} {y}"),
            tax="vat",
            tax_name="IVA",
            tax_rates=_decimals("22", "10", "4"),
            tax_id="P. IVA",
            city_line="{zip} {city} {state}",
            street_line="{street}, {number}",
        ),
        _make(
            "nl_NL",
            country="Nederland",
            currency="EUR",
            symbol="€ ",
            symbol_first=True,
            **_DOTTED,
            date_formats=("{d:02}-{m:02}-{y}", "{d} {B} {y}"),
            tax="vat",
            tax_name="btw",
            tax_rates=_decimals("21", "9"),
            tax_id="Btw-nr.",
            price_level=Decimal(1),
        ),
        _make(
            "pl_PL",
            country="Polska",
            currency="PLN",
            symbol=" zł",
            symbol_first=False,
            decimal=",",
            grouping="\u00a0",
            date_formats=("{d:02}.{m:02}.{y}", "{y}-{m:02}-{d:02}"),
            tax="vat",
            tax_name="VAT",
            tax_rates=_decimals("23", "8", "5"),
            tax_id="NIP",
            price_level=Decimal("4.3"),
        ),
    )
}
