"""Prints a comparison, and the summary of one model's results, on the terminal."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import click
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from finscribe_trainer.evaluation.compare import Comparison
from finscribe_trainer.evaluation.report.labels import LABELS, p_value, percent, percent_with_interval, points
from finscribe_trainer.evaluation.report.summary import caveats, summary_sentence
from finscribe_trainer.evaluation.results import Results
from finscribe_trainer.metrics.corpus import MetricEstimate


def print_comparison(comparison: Comparison, paths: Iterable[Path]) -> None:
    """Print metrics, summary, caveats and the report's paths to stdout."""
    table = Table(box=SIMPLE)
    table.add_column("Metric")
    for column in ("Base", "Tuned", "Difference", "p-value"):
        table.add_column(column, justify="right", no_wrap=True)
    for pair in comparison.metrics:
        by = pair.difference
        table.add_row(
            LABELS[pair.name],
            percent(pair.base.value),
            percent(pair.tuned.value),
            f"{points(by.value)} ({points(by.low)} to {points(by.high)})",
            p_value(by.p_value),
        )
    Console().print(table)
    click.echo(summary_sentence(comparison))
    for note in caveats(comparison):
        click.echo(note)
    click.echo(
        f"Documents improved: {comparison.improved}, unchanged: {comparison.unchanged}, "
        f"regressed: {comparison.regressed}."
    )
    click.echo(f"Report: {' and '.join(map(str, paths))}.")


def summary_lines(results: Results) -> Iterator[str]:
    """Metrics (`Field Accuracy: 94.2% [92.8%, 95.6%]`), gates, number of documents and time, line by line."""
    for metric, name in LABELS.items():
        yield f"{name}: {_metric(results.summary.metrics.get(metric))}"
    yield ""
    yield f"{'Gate, passed by':<24} {'answers':>24}   ground truths"
    for gate, passed in results.summary.gates.items():
        yield f"{gate:<24} {_metric(passed):>24}   {percent(results.ceiling[gate].value)}"
    errors = results.summary.all_errors
    yield ""
    yield f"Errors: {errors.missing} values missing, {errors.wrong} wrong, {errors.invented} invented"
    cut_off = sum(record.cut_off for record in results.documents)
    yield ""
    yield (
        f"{len(results.documents)} documents of {results.data.source}, "
        f"{results.timing.seconds / max(1, len(results.documents)):.2g} s each on {results.timing.device}; "
        f"in brackets: 95 % confidence intervals."
    )
    if cut_off:
        yield f"{cut_off} answers were cut off after {results.settings.max_new_tokens} tokens."


def _metric(metric: MetricEstimate | None) -> str:
    if metric is None or not metric.documents:
        return "does not apply to these documents"
    return percent_with_interval(metric)
