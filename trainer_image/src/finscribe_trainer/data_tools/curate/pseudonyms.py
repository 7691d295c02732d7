"""Generates pseudonyms: names, addresses and numbers of the same kind, deterministic for each original.

The random generator is seeded with HMAC-SHA-256 (RFC 2104) of the original, so that originals can't be found
by trying candidates without the key.
"""

import hashlib
import hmac
import random
import re
import string
import unicodedata
from functools import cache
from typing import Any

from faker.factory import Factory

_LEGAL_FORMS = (
    (r"GmbH(?: & Co\. KG)?|AG|KG|OHG|UG|e\.K\.", "de_DE"),
    (r"SARL|S\.A\.R\.L\.|SAS|EURL", "fr_FR"),
    (r"S\.r\.l\.|S\.p\.A\.|SRL|SpA", "it_IT"),
    (r"S\.L\.|SL", "es_ES"),
    (r"B\.V\.|BV|N\.V\.", "nl_NL"),
    (r"Sp\. z o\.o\.", "pl_PL"),
    (r"Ltda\.?", "pt_BR"),
    (r"Pvt\.? Ltd\.?|Private Limited", "en_IN"),
    (r"Ltd\.?|Limited|PLC|LLP", "en_GB"),
    (r"Inc\.?|LLC|Corp\.?|Co\.", "en_US"),
)
_STREETS = (
    (r"stra(?:ß|ss)e|str\.|\b(?:weg|platz|allee)\b|gasse", "de_DE"),
    (r"\b(?:rue|avenue de|boulevard)\b", "fr_FR"),
    (r"\b(?:via|piazza|corso)\b", "it_IT"),
    (r"\b(?:calle|plaza|avenida)\b", "es_ES"),
    (r"straat|laan\b|gracht", "nl_NL"),
)
_DEFAULT = "en_US"


class Pseudonyms:
    """Generates pseudonyms.

    Args:
        key: the secret; the same key gives the same pseudonyms in other data sets, too.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key

    def name(self, original: str) -> str:
        """A company name with the original's legal form, or a person's name."""
        rng = self._rng("name", _folded(original))
        for pattern, locale in _LEGAL_FORMS:
            if match := re.search(rf"\s(?:{pattern})$", original, re.IGNORECASE):
                faker = _faker(locale, rng)
                return f"{faker.last_name()} & {faker.last_name()}{match[0]}"
        faker = _faker(_DEFAULT, rng)
        return f"{faker.first_name()} {faker.last_name()}"

    def street(self, original: str) -> str:
        """A street with a number."""
        folded = _folded(original)
        locale = next((code for words, code in _STREETS if re.search(words, folded)), _DEFAULT)
        return str(_faker(locale, self._rng("street", folded)).street_address()).replace("\n", " ")

    def city(self, original: str) -> str:
        """A town."""
        return str(_faker(_DEFAULT, self._rng("city", _folded(original))).city())

    def email(self, original: str) -> str:
        """An email address in the reserved domain `.example`."""
        faker = _faker(_DEFAULT, self._rng("email", _folded(original)))
        return f"{faker.first_name()}.{faker.last_name()}@{faker.domain_word()}.example".lower()

    def website(self, original: str) -> str:
        """A web address in the reserved domain `.example`."""
        host = re.sub(r"^\w+://", "", _folded(original)).rstrip("/").removeprefix("www.")
        start = re.match(r"(?:\w+://)?(?:www\.)?", original, re.IGNORECASE)
        return (
            f"{start[0] if start else ''}{_faker(_DEFAULT, self._rng('website', host)).domain_word()}.example"
        )

    def phone(self, original: str) -> str:
        """Random digits in the original's format; a country code such as +49 is kept."""
        kept = 3 if original.startswith("+") else 0
        return original[:kept] + self._same_format("phone", original[kept:], original)

    def number(self, original: str) -> str:
        """A tax number in the original's format; the country code of a VAT number is kept."""
        kept = 2 if re.match(r"[A-Z]{2}[ -]?\d", original) else 0
        return original[:kept] + self._same_format("number", original[kept:], original)

    def postcode(self, original: str) -> str:
        """A postal code in the original's format."""
        return self._same_format("postcode", original, original)

    def iban(self, original: str) -> str:
        """An IBAN of the same country and format, with valid check digits (ISO 13616)."""
        account = self._same_format("iban", original[4:], original)
        compact = account.replace(" ", "") + original[:2] + "00"
        check = 98 - int("".join(str(int(sign, 36)) for sign in compact)) % 97
        return f"{original[:2]}{check:02}{account}"

    def _same_format(self, kind: str, shape: str, original: str) -> str:
        compact = "".join(sign for sign in original.casefold() if sign.isalnum())
        rng = self._rng(kind, compact)
        return "".join(_random_like(sign, rng) for sign in shape)

    def _rng(self, kind: str, original: str) -> random.Random:
        digest = hmac.digest(self._key, f"{kind}\0{original}".encode(), hashlib.sha256)
        return random.Random(int.from_bytes(digest, "big"))  # noqa: S311 - the secret is in the seed


def _random_like(sign: str, rng: random.Random) -> str:
    if sign.isdigit():
        return rng.choice(string.digits)
    if sign.isalpha():
        return rng.choice(string.ascii_uppercase if sign.isupper() else string.ascii_lowercase)
    return sign


def _folded(text: str) -> str:
    """Normalize case and white space, so that spellings of a name have the same pseudonym."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _faker(locale: str, rng: random.Random) -> Any:
    faker = _make_faker(locale)
    faker.random = rng
    return faker


@cache
def _make_faker(locale: str) -> Any:
    providers = ["faker.providers.person", "faker.providers.address", "faker.providers.internet"]
    return Factory.create(locale, providers=[*providers, "faker.providers.company"])
