"""Mail addresses, bank accounts and telephone numbers in free text: what can be told by its shape."""

import re
from collections.abc import Iterator

from finscribe_trainer.data_tools.curate.mentions import Mention
from finscribe_trainer.data_tools.curate.pseudonyms import Pseudonyms
from finscribe_trainer.data_tools.validate.personal import IBAN, is_iban

_EMAIL = re.compile(r"[\w.+-]{1,64}@[\w-]+(?:\.[\w-]+)+")
_INTERNATIONAL = re.compile(r"(?<![\w.,+-])\+\d[\d ()/.-]{5,18}\d(?!\d)")
_LABELLED = re.compile(
    r"\b(?:tel|telefon|telephone|telefax|fax|phone|mobile|mobil)\b[.: ]+(\(?\d[\d ()/-]{4,18}\d)(?!\d)",
    re.IGNORECASE,
)


def find_patterns(text: str, pseudonyms: Pseudonyms) -> Iterator[Mention]:
    """Every place that looks like one; a bank account must have right check digits."""
    for match in _EMAIL.finditer(text):
        yield Mention(match.start(), match.end(), "email", pseudonyms.email(match[0]))
    for match in IBAN.finditer(text):
        if iban := _trim(match[0]):
            yield Mention(match.start(), match.start() + len(iban), "iban", pseudonyms.iban(iban))
    for pattern, group in ((_INTERNATIONAL, 0), (_LABELLED, 1)):
        for match in pattern.finditer(text):
            yield Mention(*match.span(group), "phone", pseudonyms.phone(match[group]))


def _trim(text: str) -> str | None:
    """The account at the start of a text: the pattern may have taken the next word for its end."""
    while text and not is_iban(text):
        text = text.rpartition(" ")[0]
    return text or None
