"""Prints the results of experiments: a table, the headline, and the paths of the files."""

from collections.abc import Iterable
from pathlib import Path

import click
from rich.box import SIMPLE
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from finscribe_trainer.tuning.experiments.report import columns, headline, notes, row
from finscribe_trainer.tuning.experiments.results import Experiments


def show(experiments: Experiments, paths: Iterable[Path]) -> None:
    """Print the results to stdout."""
    table = Table(box=SIMPLE)
    for number, head in enumerate(columns(experiments)):
        last = number == len(columns(experiments)) - 1
        table.add_column(head, justify="left" if number < 2 or last else "right")
    for run in experiments.runs:
        table.add_row(*map(escape, row(run, experiments)))
    Console().print(table)
    click.echo(headline(experiments))
    for note in notes(experiments):
        click.echo(note)
    click.echo(f"Written: {', '.join(map(str, paths))}.")
