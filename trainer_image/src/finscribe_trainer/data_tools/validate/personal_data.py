"""Finds possible personal data in texts by patterns and check digits."""

import re
from collections.abc import Iterator

from finscribe_trainer.documents.problems import Problem

IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b")
"""The format of an IBAN; `is_iban` verifies the check digits."""
_CARD = re.compile(
    r"(?<![\d.,-])(?:[2-6]\d{3}([ -]?)\d{4}\1\d{4}\1\d{4}|3[47]\d{2} ?\d{6} ?\d{5})(?![\d.,-])"
)
_SSN = re.compile(r"(?<![\d-])(?!000|666|9)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\d-])")
_EMAIL = re.compile(
    r"\b[\w.+-]{1,64}@(?:gmail|googlemail|yahoo|hotmail|outlook|live|icloud|aol|gmx|web|mail|proton|protonmail)"
    r"\.[a-z]{2,3}(?:\.[a-z]{2})?\b",
    re.IGNORECASE,
)


def find_personal_data(text: str) -> Iterator[Problem]:
    """Yield a hint for each kind of personal data in a text, without the data itself."""
    for rule, found in (
        ("pii-iban", sum(is_iban(match[0]) for match in IBAN.finditer(text))),
        ("pii-card", sum(is_card(match[0]) for match in _CARD.finditer(text))),
        ("pii-ssn", len(_SSN.findall(text))),
        ("pii-email", len(_EMAIL.findall(text))),
    ):
        if found:
            yield Problem(rule, "", f"found {found} time{'' if found == 1 else 's'}")


def is_iban(text: str) -> bool:
    """Whether the check digits are valid (ISO 13616, MOD 97-10 of ISO 7064).

    >>> is_iban("DE89 3704 0044 0532 0130 00"), is_iban("DE88 3704 0044 0532 0130 00")
    (True, False)
    """
    compact = text.replace(" ", "")
    digits = "".join(str(int(character, 36)) for character in compact[4:] + compact[:4])
    return int(digits) % 97 == 1


def is_card(text: str) -> bool:
    """Whether the check digit is valid (Luhn, ISO/IEC 7812-1).

    >>> is_card("4111 1111 1111 1111"), is_card("4111 1111 1111 1112")
    (True, False)
    """
    digits = [int(character) for character in text if character.isdigit()]
    doubled = [
        digit if i % 2 == 0 else (2 * digit - 9 if digit > 4 else 2 * digit)
        for i, digit in enumerate(digits[::-1])
    ]
    return len(set(digits)) > 1 and sum(doubled) % 10 == 0
