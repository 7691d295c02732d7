"""Words, names, amounts, dates and numbers of pages; each belongs either to training or to the test."""

import random
import re
import string
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from functools import cache
from zlib import crc32

from finscribe_trainer.data_tools.small_pages.characters import characters
from finscribe_trainer.data_tools.synthetic.locales import LOCALES, Locale, read_words, words

HELD_OUT = 8
"""One of so many values is held out."""
_LONGEST_WORD = 12
_SPACE = re.compile(r"\s")
_ANY = "".join(characters()).replace(" ", "")


def held_out(value: str) -> bool:
    """Whether a value occurs on test pages only."""
    return crc32(value.encode()) % HELD_OUT == 0


def choose_new(make: Callable[[], str], *, test: bool) -> str:
    """The first value that `make` returns of the training, or of the test."""
    while held_out(value := make()) != test:
        pass
    return value


@cache
def dictionary(*, test: bool) -> tuple[str, ...]:
    """Words of the goods, towns and companies of all countries, of the training or of the test."""
    texts: list[str] = []
    for locale in LOCALES.values():
        for branch in words(locale)["catalogue"].values():
            texts += branch["names"] + list(branch["items"])
    for country in read_words("parties").values():
        texts += re.findall(r"[^\W\d_]{3,}", str(country)) if isinstance(country, dict) else []
    found = {word for text in texts for word in re.split(r"[\s{}]+", text)}
    known = set(characters())
    return tuple(
        sorted(
            word
            for word in found
            if 2 < len(word) <= _LONGEST_WORD and set(word) <= known and held_out(word) == test
        )
    )


@cache
def _labels() -> tuple[str, ...]:
    """Labels of the synthetic documents, such as "Total"; they occur in training and test."""
    found = {
        label
        for locale in LOCALES.values()
        for synonyms in words(locale)["labels"].values()
        for label in synonyms
    }
    known = set(characters())
    return tuple(sorted(label for label in found if len(label) <= _LONGEST_WORD and set(label) <= known))


@cache
def _locales() -> tuple[Locale, ...]:
    return tuple(LOCALES.values())


@dataclass(frozen=True)
class Values:
    """A source of random values.

    Attributes:
        rng: All randomness.
        test: Whether values are those of the test; they never occur in training.
    """

    rng: random.Random
    test: bool

    def word(self) -> str:
        """A word of the synthetic documents, or random letters."""
        kind = self.rng.random()
        if kind < 0.55:
            return self.rng.choice(dictionary(test=self.test))
        letters = string.ascii_lowercase if kind < 0.8 else string.ascii_uppercase
        if kind > 0.93:
            letters = _ANY  # an adapter can't teach a character that the base has never written

        def make() -> str:
            word = "".join(self.rng.choices(letters, k=self.rng.randint(3, 9)))
            capital = word.isascii() and self.rng.random() < 0.3  # others may have no known lower case
            return word.capitalize() if capital else word

        return choose_new(make, test=self.test)

    def label(self) -> str:
        """A label such as "Total"."""
        return self.rng.choice(_labels())

    def plain_amount(self) -> str:
        """An amount without currency."""
        return self._amount(self.rng.choice(_locales()))

    def amount(self) -> str:
        """An amount in the notation of some country, sometimes with its currency."""
        locale = self.rng.choice(_locales())
        amount, symbol = self._amount(locale), _SPACE.sub(" ", locale.symbol)
        if self.rng.random() < 0.7:
            return amount
        return f"{symbol}{amount}" if locale.symbol_first else f"{amount}{symbol}"

    def _amount(self, locale: Locale) -> str:
        def make() -> str:
            cents = self.rng.randrange(10 ** self.rng.choice((3, 3, 4, 4, 5, 6)))
            value = Decimal(cents).scaleb(-2)
            grouped = self.rng.random() < 0.3
            text = locale.number(value) if grouped else f"{value}".replace(".", locale.decimal)
            return _SPACE.sub(" ", text)

        return choose_new(make, test=self.test)

    def number(self) -> str:
        """A number with letters, such as that of an invoice, or only digits."""
        pattern = self.rng.choice(("#####", "@@-####", "####/##", "@####", "##-###-#", "########", "# @##"))
        signs = {"#": string.digits, "@": string.ascii_uppercase}
        return choose_new(
            lambda: "".join(self.rng.choice(signs.get(sign, sign)) for sign in pattern), test=self.test
        )

    def day(self) -> str:
        """A date in one of the formats of some country, in figures."""
        locale = self.rng.choice(_locales())
        formats = [known for known in locale.date_formats if "b" not in known.lower()] or [
            "{y}-{m:02}-{d:02}"
        ]
        style = self.rng.choice(formats)

        def make() -> str:
            day = date(2015, 1, 1) + timedelta(self.rng.randrange(7000))
            return _SPACE.sub(" ", style.format(d=day.day, m=day.month, y=day.year))

        return choose_new(make, test=self.test)
