"""Writes the report of a validation as JSON, Markdown and HTML."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from finscribe_core.atomic_files import write_atomically
from finscribe_core.look.style import style
from finscribe_trainer.data.image_count import image_count
from finscribe_trainer.data_tools.validate.rules import RULES, Severity
from finscribe_trainer.data_tools.validate.validate import Report
from finscribe_trainer.runtime.markdown import code, escape

_MAX_LISTED = 200
"""Most findings in the Markdown and HTML reports; the JSON report has all that are kept."""


@dataclass(frozen=True)
class Bar:
    """One bar of a histogram."""

    label: str
    count: int
    share: float
    """Fraction of the highest bar, or of the rows."""


@dataclass(frozen=True)
class Histogram:
    """A bar chart of counts."""

    title: str
    unit: str
    bars: list[Bar]


def to_json(report: Report, sources: list[str]) -> dict[str, Any]:
    """The JSON report."""
    counted = vars(report.statistics)
    return {
        "input": sources,
        "complete": not report.interrupted,
        "rows": report.statistics.rows,
        "rows_with_errors": report.statistics.rows_with_errors,
        "pass_rate": report.pass_rate,
        "errors": report.count(Severity.error),
        "warnings": report.count(Severity.warning),
        "hints": report.count(Severity.hint),
        "findings_by_rule": dict(report.by_rule.most_common()),
        "findings": [{"severity": finding.severity, **asdict(finding)} for finding in report.findings],
        "findings_not_listed": report.by_rule.total() - len(report.findings),
        "statistics": {
            name: dict(sorted(value.items())) if isinstance(value, dict) else value
            for name, value in counted.items()
        },
    }


def report_files(output: Path) -> tuple[Path, Path, Path]:
    """The files of a report: JSON, Markdown, HTML."""
    return output, output.with_suffix(".md"), output.with_suffix(".html")


def write_reports(report: Report, sources: list[str], output: Path) -> list[Path]:
    """Write the JSON report to `output`, and the .md and .html reports beside it, each atomically.

    Returns:
        the files.

    Raises:
        OSError: a file can't be written; an existing file is unchanged.
    """
    output.parent.mkdir(parents=True, exist_ok=True)
    _, markdown, html = report_files(output)
    texts = {
        output: json.dumps(to_json(report, sources), indent=2, ensure_ascii=False) + "\n",
        markdown: _render("report.md.jinja", report, sources),
        html: _render("report.html.jinja", report, sources),
    }
    for path, text in texts.items():
        write_atomically(path, text.encode(errors="replace"))
    return list(texts)


def histograms(report: Report) -> Iterator[Histogram]:
    """The bar charts of lengths, line items, document types and fields."""
    counted = report.statistics
    for title, unit, counts in (
        ("Length of answers", "characters", counted.answer_characters),
        ("Length of prompts", "characters", counted.prompt_characters),
        ("Length of rows", "tokens", counted.tokens),
        ("Line items", "lines", counted.line_items),
    ):
        if counts:
            yield Histogram(title, unit, _by_length(counts))
    for title, named in (("Document types", counted.document_types), ("Fields", counted.fields)):
        if named:
            most = named.most_common()
            answers = max(1, counted.document_types.total())
            yield Histogram(title, "rows", [Bar(name, count, count / answers) for name, count in most])


def _by_length(counts: Counter[int]) -> list[Bar]:
    highest = max(counts.values())
    bars, limit = [], min(counts)
    while limit <= max(counts):
        label = f"{limit // 2 if limit > 1 else 0} to {limit - 1}" if limit > 2 else f"{limit - 1}"
        bars.append(Bar(label, counts[limit], counts[limit] / highest))
        limit *= 2
    return bars


def _render(template: str, report: Report, sources: list[str]) -> str:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=template.endswith(".html.jinja"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["style"] = Markup(style())  # noqa: S704 - a file of this package
    environment.filters |= {"markdown": escape, "code": code}
    return environment.get_template(template).render(
        report=report,
        sources=sources,
        rules=RULES,
        severities={severity: report.count(severity) for severity in Severity},
        findings=report.findings[:_MAX_LISTED],
        unlisted=report.by_rule.total() - min(len(report.findings), _MAX_LISTED),
        histograms=list(histograms(report)),
        image_count=image_count(report.statistics.with_images, report.statistics.rows),
    )
