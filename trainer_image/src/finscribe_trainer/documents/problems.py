"""A broken rule, as every check reports it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a document, or with a row."""

    rule: str
    """Stable identifier, in kebab case, documented in docs/data-quality.md; e.g. `sum-of-lines`."""
    path: str
    """Where in the answer: `financial_summary.subtotal`, `line_items[2].line_total`; empty for the whole."""
    message: str
    """What is wrong, with the values."""
    remedy: str = ""
    """What to do about it."""
