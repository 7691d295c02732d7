"""The problem type that every check of documents and rows returns."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """One violated rule, in a document or in a row."""

    rule: str
    """Stable identifier, in kebab case, documented in docs/data-quality.md; e.g. `sum-of-lines`."""
    path: str
    """The field, such as `financial_summary.subtotal` or `line_items[2].sku`; empty for the whole row."""
    message: str
    """What is wrong, with the values."""
    remedy: str = ""
    """How to correct it; empty for the rule's general remedy."""

    @property
    def text(self) -> str:
        """The message, after the field if there is one."""
        return f"{self.path}: {self.message}" if self.path else self.message
