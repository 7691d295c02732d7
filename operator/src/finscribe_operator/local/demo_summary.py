"""Builds the demo's summary: metrics of base and tuned model, and their answers to one page."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

METRIC_LABELS = {
    "field_accuracy": "field accuracy",
    "numeric_accuracy": "numeric accuracy",
    "teds_score": "TEDS of line-item tables",
    "validation_pass_rate": "validation pass rate",
}
"""The rows of the table."""
ANSWER_WIDTH = 48
"""Characters of a line, before it is folded."""
SHOWN_LINES = 40
"""Of one answer; the report has the whole."""


@dataclass(frozen=True)
class Answer:
    """A model's answer to one document."""

    image: str
    """Its page, relative to the folder of the rows; empty without one."""
    gold: str
    predicted: str
    field_accuracy: float
    """From 0 to 1."""


@dataclass(frozen=True)
class Evaluated:
    """What the demo shows of a results file of the trainer."""

    metrics: Mapping[str, float]
    """Shares from 0 to 1, without the metrics that do not apply to these documents."""
    answers: tuple[Answer, ...]
    """In the order of the rows."""


def read_results(path: Path) -> Evaluated:
    """Read a file that `finscribe evaluate`, or the evaluation of a run, has written."""
    content = json.loads(path.read_bytes())
    metrics = content["summary"]["metrics"]
    return Evaluated(
        {name: metric["value"] for name, metric in metrics.items() if metric["documents"]},
        tuple(map(_answer, content["documents"])),
    )


def _answer(document: Mapping[str, Any]) -> Answer:
    correct, fields = document["score"]["metrics"]["field_accuracy"]
    image = next(iter(document["images"]), "")
    return Answer(image, document["gold"], document["predicted"], correct / fields if fields else 0.0)


def build_metrics(base: Evaluated, tuned: Evaluated, template: Evaluated) -> Table:
    """A table of the metrics, in percent.

    Args:
        base: the base model on the test documents.
        tuned: the tuned model on the same documents.
        template: the tuned model on documents of a template that was not trained.
    """
    unseen = f"tuned, on {len(template.answers)} of an unseen template"
    table = Table(f"{len(tuned.answers)} unseen documents", "base", "tuned", unseen, header_style="bold")
    for column in table.columns[1:]:
        column.justify = "right"
    for name, label in METRIC_LABELS.items():
        shares = [_percent(results.metrics.get(name)) for results in (base, tuned, template)]
        table.add_row(label, shares[0], Text(shares[1], "bold green"), shares[2])
    return table


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f} %"


def typical_document(tuned: Evaluated) -> int:
    """Index of the document with the median field accuracy of the tuned model."""
    order = sorted(range(len(tuned.answers)), key=lambda index: tuned.answers[index].field_accuracy)
    return order[len(order) // 2]


def build_answers(base: Answer, tuned: Answer) -> Group:
    """The ground truth of a document and both answers beside each other; lines that are wrong are red."""
    table = Table("ground truth", "base", "tuned", header_style="bold")
    for column in table.columns:
        column.max_width, column.overflow = ANSWER_WIDTH, "fold"
    right = _lines(tuned.gold)
    table.add_row(Text("\n".join(right[:SHOWN_LINES])), *(_marked(answer, right) for answer in (base, tuned)))
    title = Text(f"{tuned.image or 'A document'}: {_percent(tuned.field_accuracy)} of its fields are correct")
    return Group(title.append(f", {_percent(base.field_accuracy)} with the base model."), table)


def _marked(answer: Answer, right: list[str]) -> Text:
    lines = _lines(answer.predicted)[:SHOWN_LINES]
    return Text("\n").join(Text(line, "green" if line in right else "red") for line in lines)


def _lines(answer: str) -> list[str]:
    """One line for each value of a JSON answer; the lines of any other answer."""
    try:
        text = json.dumps(json.loads(answer), indent=1, ensure_ascii=False)
    except ValueError:
        text = answer
    # The last value of an object has no comma, which is no difference.
    return [line.removesuffix(",") for line in text.splitlines()]
