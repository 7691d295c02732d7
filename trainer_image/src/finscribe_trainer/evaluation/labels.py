"""What people call the figures, and one line on each (docs/metrics.md has the formulas)."""

from finscribe_core.trainer_config import DocumentMetric

LABELS: dict[str, str] = {
    DocumentMetric.field_accuracy: "Field accuracy",
    DocumentMetric.field_f1: "Field F1",
    DocumentMetric.nted: "Tree similarity (nTED)",
    DocumentMetric.anls_star: "ANLS*",
    DocumentMetric.teds_score: "TEDS",
    DocumentMetric.teds_structure_score: "TEDS, structure",
    DocumentMetric.numeric_accuracy: "Numeric accuracy",
    DocumentMetric.validation_pass_rate: "Validation pass rate",
    DocumentMetric.parse_rate: "Parse rate",
}
MEANINGS: dict[str, str] = {
    DocumentMetric.field_accuracy: "fields read exactly",
    DocumentMetric.field_f1: "fields found and right, wrong extras counted",
    DocumentMetric.nted: "the answer as a tree, near misses counted in part",
    DocumentMetric.anls_star: "likeness of texts, lists matched at their best",
    DocumentMetric.teds_score: "the table: its rows, columns and cells",
    DocumentMetric.teds_structure_score: "the table's rows and columns alone",
    DocumentMetric.numeric_accuracy: "numbers read right, to half a cent",
    DocumentMetric.validation_pass_rate: "answers that are valid and add up",
    DocumentMetric.parse_rate: "answers that are strict JSON",
}


def words(name: str) -> str:
    """A name of code as words: `line_items` is "line items", `grand-total` is "grand total"."""
    return name.replace("_", " ").replace("-", " ")


def percent(value: float) -> str:
    """A share, as "83.2%"."""
    return f"{100 * value:.1f}%"


def points(value: float) -> str:
    """A difference of shares in percentage points, with its sign: "+81.2", "0.0"."""
    text = f"{100 * value:+.1f}"
    return "0.0" if float(text) == 0 else text.replace("-", "\N{MINUS SIGN}")


def p_value(value: float) -> str:
    """A p-value, as "p = 0.03" or "p < 0.001"."""
    return "p < 0.001" if value < 0.001 else f"p = {value:.3f}"
