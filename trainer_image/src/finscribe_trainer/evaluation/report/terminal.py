"""A comparison on the terminal: a table, the headline, and where the report is."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import click
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from finscribe_trainer.evaluation.compare import Comparison
from finscribe_trainer.evaluation.report.headline import headline, notes
from finscribe_trainer.evaluation.report.labels import LABELS, p_value, percent, points
from finscribe_trainer.evaluation.results import Results
from finscribe_trainer.metrics.corpus import Figure


def show(comparison: Comparison, paths: Iterable[Path]) -> None:
    """Print it to stdout."""
    table = Table(box=SIMPLE)
    table.add_column("Figure")
    for column in ("Base", "Tuned", "Difference", "Chance"):
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
    click.echo(headline(comparison))
    for note in notes(comparison):
        click.echo(note)
    click.echo(
        f"Documents read better: {comparison.better}, as well: {comparison.equal}, worse: {comparison.worse}."
    )
    click.echo(f"The report is in {' and '.join(map(str, paths))}.")


def summary_lines(results: Results) -> Iterator[str]:
    """`Field Accuracy: 94.2% [92.8%, 95.6%]` and so on, with what they were measured on."""
    for metric, name in LABELS.items():
        yield f"{name}: {_shown(results.summary.metrics.get(metric))}"
    yield ""
    yield f"{'Gate, passed by':<24} {'answers':>24}   right answers themselves"
    for gate, figure in results.summary.gates.items():
        yield f"{gate:<24} {_shown(figure):>24}   {percent(results.ceiling[gate].value)}"
    cut_off = sum(record.cut_off for record in results.documents)
    yield ""
    yield (
        f"{len(results.documents)} documents of {results.data.source}, "
        f"{results.timing.seconds / max(1, len(results.documents)):.2g} s each on {results.timing.device}; "
        f"in brackets: 95 % intervals."
    )
    if cut_off:
        yield f"{cut_off} answers were cut off after {results.settings.max_new_tokens} tokens."


def _shown(figure: Figure | None) -> str:
    if figure is None or not figure.documents:
        return "does not apply to these documents"
    return f"{percent(figure.value)} [{percent(figure.low)}, {percent(figure.high)}]"
