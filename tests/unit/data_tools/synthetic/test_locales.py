from dataclasses import replace
from decimal import Decimal
from string import Formatter

import pytest

from finscribe_trainer.data_tools.synthetic.locales import LOCALES, read_words, words

MONEY = {
    "en_US": ("$1,234,567.80", "-$5.00"),
    "en_GB": ("£1,234,567.80", "-£5.00"),
    "en_IN": ("₹12,34,567.80", "-₹5.00"),
    "de_DE": ("1.234.567,80 €", "-5,00 €"),
    "de_CH": ("CHF 1'234'567.80", "-CHF 5.00"),
    "fr_FR": ("1\u00a0234\u00a0567,80 €", "-5,00 €"),
    "es_ES": ("1.234.567,80 €", "-5,00 €"),
    "it_IT": ("1.234.567,80 €", "-5,00 €"),
    "nl_NL": ("€ 1.234.567,80", "-€ 5,00"),
    "pl_PL": ("1\u00a0234\u00a0567,80 zł", "-5,00 zł"),
}


@pytest.mark.parametrize("code", LOCALES)
def test_amounts_are_formatted_by_country(code):
    locale = LOCALES[code]
    assert (locale.money(Decimal("1234567.80")), locale.money(Decimal("-5.00"))) == MONEY[code]


@pytest.mark.parametrize(
    ("code", "format_index", "written"),
    [
        ("en_US", 0, "03/09/2026"),
        ("en_US", 1, "March 9, 2026"),
        ("en_US", 2, "Mar 9, 2026"),
        ("en_GB", 0, "09/03/2026"),
        ("de_DE", 1, "9. März 2026"),
        ("es_ES", 1, "9 de marzo de 2026"),
        ("pl_PL", 1, "2026-03-09"),
    ],
)
def test_dates_are_formatted_by_country(code, format_index, written):
    locale = LOCALES[code]
    assert replace(locale, date_format=locale.date_formats[format_index]).day("2026-03-09") == written


def shape(value: object, path: str = "") -> set[str]:
    """All keys, except the names of items and the contents of industries."""
    if not isinstance(value, dict) or path.endswith(".items"):
        return {path}
    return {found for key, inner in value.items() for found in shape(inner, f"{path}.{key}")}


@pytest.mark.parametrize("code", LOCALES)
def test_every_language_has_the_same_words(code):
    assert shape(words(LOCALES[code])) == shape(words(LOCALES["en_US"]))


@pytest.mark.parametrize("code", LOCALES)
def test_every_word_is_a_text(code):
    """YAML parses an unquoted `on` or `no` as a boolean."""
    labels = words(LOCALES[code])["labels"]
    assert [label for synonyms in labels.values() for label in synonyms if not isinstance(label, str)] == []


@pytest.mark.parametrize("code", LOCALES)
def test_name_patterns_use_known_placeholders(code):
    country = read_words("parties")[code]
    fields = {name for text in country["companies"] for _, name, _, _ in Formatter().parse(text) if name}
    assert fields <= {"last", "last2", "branch", "legal", "city"}


def test_swiss_german_has_no_sharp_s():
    assert "ß" not in str(words(LOCALES["de_CH"]))
