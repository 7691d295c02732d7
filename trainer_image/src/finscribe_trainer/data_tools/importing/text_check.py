"""Finds the values of an answer that the text layer of its document does not have."""

import re
import unicodedata
from typing import Any

from finscribe_trainer.data_tools.importing.mapping import canonical_fields, fields_of

_NOT_PRINTED = ("document_type", "financial_summary.currency", "metadata.", "line_items[].bbox")
"""Fields, or prefixes of fields, whose values a page need not have as they are."""
_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_NUMBER = re.compile(r"-?\d+(\.\d+)?")


def not_in_text(answer: Any, text: str) -> list[str]:
    """The paths of the values that are not in the text, each once.

    Compared are letters and digits alone, without case: `1.204,50` has 1204.50 and 1204.5. Dates are not
    compared, as they are printed in many ways; nor are fields such as the currency, for which a page may have
    a symbol.

    Args:
        answer: an object with fields.
        text: of all pages.
    """
    printed, kinds = _letters(text), canonical_fields()
    missing = {
        path: None
        for path, _, value in fields_of(answer)
        if kinds.get(path) != "date" and not path.startswith(_NOT_PRINTED) and not _is_in(str(value), printed)
    }
    return list(missing)


def _is_in(value: str, printed: str) -> bool:
    if _ISO_DATE.fullmatch(value):
        return True
    if _NUMBER.fullmatch(value) and "." in value:
        value = value.rstrip("0")
    return _letters(value) in printed


def _letters(text: str) -> str:
    """Letters and digits in lower case, with ligatures and wide forms as plain ones."""
    return re.sub(r"[\W_]", "", unicodedata.normalize("NFKC", text).casefold())
