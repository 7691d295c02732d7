"""What people call the figures, and one line on each (docs/metrics.md has the formulas)."""

from finscribe_core.trainer_config import DocumentMetric

LABELS: dict[DocumentMetric, str] = {
    DocumentMetric.field_accuracy: "Field Accuracy",
    DocumentMetric.teds_score: "TEDS Score",
    DocumentMetric.numeric_accuracy: "Numeric Accuracy",
    DocumentMetric.validation_pass_rate: "Validation Pass Rate",
    DocumentMetric.parse_rate: "Parse Rate",
    DocumentMetric.field_f1: "Field F1",
    DocumentMetric.nted: "nTED",
    DocumentMetric.anls_star: "ANLS*",
    DocumentMetric.teds_structure_score: "TEDS Structure Score",
}
"""In the order in which they are shown: the training guide's four first."""
MEANINGS: dict[DocumentMetric, str] = {
    DocumentMetric.field_accuracy: "fields read exactly",
    DocumentMetric.teds_score: "the table: its rows, columns and cells",
    DocumentMetric.numeric_accuracy: "numbers read right, to half a cent",
    DocumentMetric.validation_pass_rate: "answers that are valid and add up",
    DocumentMetric.parse_rate: "answers that are strict JSON",
    DocumentMetric.field_f1: "fields read exactly, wrong extras counted",
    DocumentMetric.nted: "the answer as a tree, near misses counted in part",
    DocumentMetric.anls_star: "likeness of texts, lists matched at their best",
    DocumentMetric.teds_structure_score: "the table's rows and columns alone",
}
EXTRA = {
    "parse_rate_repaired": "Parse Rate, repaired",
    "numeric_accuracy_1_percent": "Numeric Accuracy, to 1%",
    "numeric_precision": "Numeric Precision",
}
"""Figures beside the metrics, which nothing is judged by."""
EXTRA_MEANINGS = {
    "parse_rate_repaired": "answers that are JSON, or can be mended to be",
    "numeric_accuracy_1_percent": "numbers read right, or nearly so",
    "numeric_precision": "numbers written that are right",
}
GATES = {
    "json": "is strict JSON",
    "schema": "keeps the schema",
    "arithmetic": "adds up",
    "required": "has every number",
}
"""Each gate as what an answer does that passes it."""


def words(name: str) -> str:
    """A name of code as words: `line_items` is "line items", `grand-total` is "grand total"."""
    return name.replace("_", " ").replace("-", " ")


def percent(share: float) -> str:
    """A share, as "83.2%"."""
    return f"{100 * share:.1f}%"


def points(change: float) -> str:
    """A difference of shares in percentage points, with its sign: "+81.2", "0.0"."""
    text = f"{100 * change:+.1f}"
    return "0.0" if float(text) == 0 else text.replace("-", "\N{MINUS SIGN}")


def p_value(value: float) -> str:
    """A p-value, as "p = 0.030" or "p < 0.001"."""
    return "p < 0.001" if value < 0.001 else f"p = {value:.3f}"
