"""Prints jobs as tables, JSON, YAML or names."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import click
import yaml

from finscribe_client.jobs import Job
from finscribe_core.constants import GROUP, KIND
from finscribe_core.texts import printable

FORMATS = ("table", "wide", "json", "yaml", "name")
_UNITS = ((86400, "d"), (3600, "h"), (60, "m"))
_COLUMNS = ("NAME", "STATE", "PROGRESS", "ETA", "LOSS", "AGE")
_WIDE = ("SAMPLES/S", "ATTEMPTS", "RUN", "REASON")


def print_jobs(jobs: Sequence[Job], output: str, *, with_namespace: bool = False) -> None:
    """Print jobs; those of several namespaces with a column for it."""
    match output:
        case "json" | "yaml":
            items = [written(job.raw) for job in jobs]
            print_data({"apiVersion": "v1", "kind": "List", "items": items}, output)
        case "name":
            for job in jobs:
                click.echo(full_name(job))
        case _:
            rows = [_row(job, wide=output == "wide") for job in jobs]
            header = _COLUMNS + (_WIDE if output == "wide" else ())
            if with_namespace:
                header = ("NAMESPACE", *header)
                rows = [[job.namespace, *row] for job, row in zip(jobs, rows, strict=True)]
            print_table(header, rows)


def print_job(job: Job, output: str) -> None:
    """Print a job as JSON, YAML or by its name."""
    if output == "name":
        click.echo(full_name(job))
    else:
        print_data(written(job.raw), output)


def print_data(data: Any, output: str) -> None:
    """Print any data as `json` or `yaml`."""
    text = json.dumps(data, indent=2) if output == "json" else yaml.safe_dump(data, sort_keys=False)
    click.echo(text.rstrip("\n"))


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print left-aligned columns, the last one as it is."""
    shown = [header, *([printable(cell).replace("\n", " ") or "-" for cell in row] for row in rows)]
    widths = [max(len(row[i]) for row in shown) for i in range(len(header))]
    for row in shown:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        click.echo("   ".join(cells).rstrip())


def full_name(job: Job) -> str:
    """The job as kubectl names it."""
    return f"{KIND.lower()}.{GROUP}/{job.name}"


def written(raw: dict[str, Any]) -> dict[str, Any]:
    """The object without the record of who set which field."""
    metadata = {key: value for key, value in raw["metadata"].items() if key != "managedFields"}
    return {**raw, "metadata": metadata}


def age(time: str | None, now: datetime | None = None) -> str:
    """How long ago a time (RFC 3339) was, in its largest unit, two for small numbers of it; `-` without one.

    >>> now = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
    >>> age("2026-03-01T11:59:30Z", now), age("2026-03-01T09:20:00Z", now), age("2026-02-01T12:00:00Z", now)
    ('30s', '2h40m', '28d')
    """
    if not time:
        return "-"
    then = datetime.fromisoformat(time.replace("Z", "+00:00"))
    return duration(max(0, int(((now or datetime.now(UTC)) - then).total_seconds())))


def duration(seconds: int) -> str:
    """Seconds in the largest unit, two for small numbers of it.

    >>> duration(59), duration(600), duration(90), duration(400000)
    ('59s', '10m', '1m30s', '4d15h')
    """
    for index, (size, unit) in enumerate(_UNITS):
        if seconds >= size:
            small, small_unit = _UNITS[index + 1] if index + 1 < len(_UNITS) else (1, "s")
            rest = seconds % size // small
            return f"{seconds // size}{unit}" + (
                f"{rest}{small_unit}" if rest and seconds // size < 10 else ""
            )
    return f"{seconds}s"


def _row(job: Job, *, wide: bool) -> list[str]:
    summary, run = job.status.summary, job.status.run
    row = [job.name, str(job.state), summary.progress, summary.eta, summary.loss, age(job.created)]
    if not wide:
        return row
    attempts = str(run.attempts) if run else "0"
    speed = job.status.progress.samples_per_second or "-"
    return [*row, speed, attempts, run.name if run else "-", job.explanation[0]]
