"""A comparison on the terminal: a table, the headline, and where the report is."""

from collections.abc import Iterable
from pathlib import Path

import click
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from finscribe_trainer.evaluation.compare import Comparison
from finscribe_trainer.evaluation.report.headline import headline, notes
from finscribe_trainer.evaluation.report.labels import LABELS, p_value, percent, points


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
