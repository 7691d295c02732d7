"""Generates header fields of all document types: numbers, dates, payment terms, client names."""

import random
from datetime import date, timedelta
from typing import Any

from finscribe_trainer.data_tools.synthetic.locales import Locale, words
from finscribe_trainer.data_tools.synthetic.parties import Place, company, fill, person
from finscribe_trainer.documents.schema import FinancialSummary, LineItem

_NUMBERS = ("{p}-{y}-%###", "{p}%####", "{y}/%##", "{y}%###", "%#####", "{p}{y}0###", "%##-%###")


def client_name(is_company: bool, place: Place, locale: Locale, rng: random.Random) -> str:
    """The client's name: mostly a company, else a person."""
    if is_company or rng.random() < 0.7:
        return company(locale, rng.choice(list(words(locale)["catalogue"])), place.city, rng)
    return " ".join(person(locale, rng))


def pick_day(rng: random.Random) -> date:
    """A random day from 2023 to 2026."""
    return date(2023, 1, 2) + timedelta(days=rng.randrange(1400))


def dates_and_terms(locale: Locale, rng: random.Random) -> tuple[date, int, str]:
    """The issue date, the days until payment is due, and the payment terms as text."""
    days, texts = rng.choice(list(words(locale)["terms"].items()))
    return pick_day(rng), days, rng.choice(texts)


def number_of(kind: str, issued: date, locale: Locale, rng: random.Random) -> str:
    """A random document number."""
    return fill(number_pattern(kind, issued, locale, rng), rng)


def number_pattern(kind: str, issued: date, locale: Locale, rng: random.Random) -> str:
    """The pattern of a company's document numbers, for `parties.fill`."""
    return rng.choice(_NUMBERS).format(p=words(locale)["prefixes"][kind], y=issued.year)


def amounts(items: list[LineItem], summary: FinancialSummary) -> dict[str, Any]:
    """Line items and totals under the schema's keys."""
    return {
        "line_items": [item.model_dump() for item in items],
        "financial_summary": summary.model_dump(),
    }
