"""All rules of `finscribe data validate`: severity, meaning and remedy."""

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """The severity of a finding."""

    error = "error"
    """The row can't be used, or is wrong."""
    warning = "warning"
    """The row can be used, but should be reviewed."""
    hint = "hint"
    """For information."""


@dataclass(frozen=True)
class Rule:
    """One rule."""

    severity: Severity
    meaning: str
    remedy: str


_E, _W, _H = Severity.error, Severity.warning, Severity.hint

RULES: dict[str, Rule] = {
    "json": Rule(_E, "The line is not JSON.", "Write one JSON object per line."),
    "encoding": Rule(_E, "The line is not UTF-8.", "Save the file as UTF-8."),
    "row-too-long": Rule(_E, "The row is longer than 16 MiB.", "Name images by path; end each row's line."),
    "damaged-file": Rule(_E, "A .gz or .parquet file is cut off or damaged.", "Write the file again."),
    "expansion": Rule(
        _E,
        "A .gz or .parquet file expands to more than 256 MiB and 1,000 times its size.",
        "Write the rows as .jsonl; remove repeated rows.",
    ),
    "image-bytes": Rule(_E, "A parquet table has bytes that are not read.", "[Import](import.md) the table."),
    "row-format": Rule(
        _E, "The row has none of the supported formats.", "See the row formats in docs/data.md."
    ),
    "empty-answer": Rule(_E, "The answer is empty.", "Write the answer, or remove the row."),
    "answer-json": Rule(
        _E, "The answer is not strict JSON.", "Correct it, or pass --schema none for free texts."
    ),
    "schema": Rule(
        _E,
        "The answer violates the schema.",
        "Correct the field; data/schema.json is FinScribe's own schema.",
    ),
    "line-total": Rule(
        _E, "A line's quantity x unit_price - discount is not its line_total.", "Compare with the page."
    ),
    "sum-of-lines": Rule(_E, "The lines do not add up to the subtotal.", "Compare with the page."),
    "grand-total": Rule(
        _E, "subtotal - discount + shipping + tax_amount is not the grand_total.", "Compare with the page."
    ),
    "tax": Rule(_E, "The tax_amount is not the tax_rate of the subtotal.", "Compare with the page."),
    "due-before-issue": Rule(
        _W, "The document was due before it was issued.", "Compare both dates with the page."
    ),
    "image": Rule(
        _E,
        "An image is missing, damaged, too large, or outside the data set.",
        "Correct the image, or remove the row.",
    ),
    "duplicate": Rule(_W, "An earlier row has the same prompt, images and answer.", "Keep one of the rows."),
    "conflict": Rule(
        _W, "An earlier row has the same prompt and images with another answer.", "Keep the correct row."
    ),
    "leakage": Rule(
        _E,
        "The validation or test set has the same page, answer or, for texts, the same prompt.",
        "Keep the row in one of the sets.",
    ),
    "reserved-token": Rule(_E, "A text contains a special token of the model.", "Remove the token."),
    "chat-template": Rule(
        _E, "The model's chat template refuses the row.", "Change its messages as the template requires."
    ),
    "dropped-message": Rule(
        _W,
        "The model's chat template leaves out a message.",
        "Move the message's text to the first user message.",
    ),
    "too-many-tokens": Rule(
        _W,
        "The row has more tokens than --max-sequence-length and would be excluded.",
        "Raise the limit, or shrink the image.",
    ),
    "pii-iban": Rule(
        _H,
        "A text contains a bank account number (IBAN).",
        "Replace it, or make sure that you may train on it.",
    ),
    "pii-card": Rule(
        _H, "A text contains a possible card number.", "Replace it, or make sure that you may train on it."
    ),
    "pii-ssn": Rule(
        _H,
        "A text contains a possible US social security number.",
        "Replace it, or make sure that you may train on it.",
    ),
    "pii-email": Rule(
        _H, "A text contains a private email address.", "Replace it, or make sure that you may train on it."
    ),
}
"""Rules by name; see `Problem.rule`."""


@dataclass(frozen=True)
class Finding:
    """A problem found in a row."""

    where: str
    """`file:line`."""
    path: str
    """The field in the answer; empty for the whole row."""
    rule: str
    message: str
    remedy: str

    @property
    def severity(self) -> Severity:
        """The severity of its rule."""
        return RULES[self.rule].severity

    def __str__(self) -> str:
        path = f"{self.path}: " if self.path else ""
        return f"{self.where}: {path}{self.message} [{self.rule}]"
