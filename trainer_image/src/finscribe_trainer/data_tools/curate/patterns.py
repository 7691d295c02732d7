"""Finds email addresses, IBANs and telephone numbers in free text by their patterns."""

import re
from collections.abc import Iterator

from finscribe_trainer.data_tools.curate.name_matching import Replacement
from finscribe_trainer.data_tools.curate.pseudonyms import Pseudonyms
from finscribe_trainer.data_tools.validate.personal_data import IBAN, is_iban

_EMAIL = re.compile(r"[\w.+-]{1,64}@[\w-]+(?:\.[\w-]+)+")
_INTERNATIONAL = re.compile(r"(?<![\w.,+-])\+\d[\d ()/.-]{5,18}\d(?!\d)")
_LABELLED = re.compile(
    r"\b(?:tel|telefon|telephone|telefax|fax|phone|mobile|mobil)\b[.: ]+(\(?\d[\d ()/-]{4,18}\d)(?!\d)",
    re.IGNORECASE,
)


def find_patterns(text: str, pseudonyms: Pseudonyms) -> Iterator[Replacement]:
    """Find all matches with their pseudonyms; an IBAN must have valid check digits."""
    for match in _EMAIL.finditer(text):
        yield Replacement(match.start(), match.end(), "email", pseudonyms.email(match[0]))
    for match in IBAN.finditer(text):
        if iban := _trim(match[0]):
            yield Replacement(match.start(), match.start() + len(iban), "iban", pseudonyms.iban(iban))
    for pattern, group in ((_INTERNATIONAL, 0), (_LABELLED, 1)):
        for match in pattern.finditer(text):
            yield Replacement(*match.span(group), "phone", pseudonyms.phone(match[group]))


def _trim(text: str) -> str | None:
    """The IBAN at the start of a match, which may include the following word; None without one."""
    while text and not is_iban(text):
        text = text.rpartition(" ")[0]
    return text or None
