"""Display names and short descriptions of the metrics, and number formats (formulas: docs/metrics.md)."""

from finscribe_core.trainer_config import DocumentMetric
from finscribe_trainer.metrics.corpus import MetricEstimate

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
"""In display order: the four metrics of the training guide first."""
MEANINGS: dict[DocumentMetric, str] = {
    DocumentMetric.field_accuracy: "exactly correct fields",
    DocumentMetric.teds_score: "similarity of tables' rows and cells",
    DocumentMetric.numeric_accuracy: "correct numbers, to half a cent",
    DocumentMetric.validation_pass_rate: "answers that are valid and add up",
    DocumentMetric.parse_rate: "answers that are strict JSON",
    DocumentMetric.field_f1: "the same, counting invented fields",
    DocumentMetric.nted: "similarity of the JSON trees",
    DocumentMetric.anls_star: "similarity of texts, lists matched",
    DocumentMetric.teds_structure_score: "similarity of tables' structure",
}
EXTRA_LABELS = {
    "parse_rate_repaired": "Parse Rate, repaired",
    "numeric_accuracy_1_percent": "Numeric Accuracy, to 1%",
    "numeric_precision": "Numeric Precision",
}
"""Additional metrics, which neither the gate nor the selection of the best adapter can use."""
EXTRA_MEANINGS = {
    "parse_rate_repaired": "answers that are JSON or can be repaired",
    "numeric_accuracy_1_percent": "correct numbers, to 1 %",
    "numeric_precision": "correct ones among the numbers in answers",
}
GATE_LABELS = {
    "json": "is strict JSON",
    "schema": "conforms to the schema",
    "arithmetic": "adds up",
    "required": "has all required numbers",
}
"""The condition of each gate, with the answer as its subject."""
ERROR_KINDS = (
    "Missing: the answer has no value for one of the ground truth. Wrong: it has another value. "
    "Invented: it has a value for which the ground truth has none."
)
"""What the kinds of errors are."""


def words(name: str) -> str:
    """An identifier as words: `line_items` is "line items", `grand-total` is "grand total"."""
    return name.replace("_", " ").replace("-", " ")


def percent(share: float) -> str:
    """A share, as "83.2%"."""
    return f"{100 * share:.1f}%"


def percent_with_interval(metric: MetricEstimate) -> str:
    """A metric with its confidence interval, as "83.2% [80.1%, 85.9%]"."""
    return f"{percent(metric.value)} [{percent(metric.low)}, {percent(metric.high)}]"


def points(change: float) -> str:
    """A difference of shares in percentage points, with sign: "+81.2", "0.0"."""
    text = f"{100 * change:+.1f}"
    return "0.0" if float(text) == 0 else text.replace("-", "\N{MINUS SIGN}")


def p_value(value: float) -> str:
    """A p-value, as "p = 0.030" or "p < 0.001"."""
    return "p < 0.001" if value < 0.001 else f"p = {value:.3f}"
