"""Runs `finscribe data validate`: validates the data sets, prints and writes the reports."""

import json
import os
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from finscribe_core.errors import FailureReason, RetryableError, UserError, is_disk_full
from finscribe_core.trainer_config import StorageEndpoint
from finscribe_trainer.data.fetch import fetch_rows
from finscribe_trainer.data.files import DataFile
from finscribe_trainer.data.image_count import image_count
from finscribe_trainer.data_tools.validate.answers import AnswerCheck
from finscribe_trainer.data_tools.validate.reports import report_files, write_reports
from finscribe_trainer.data_tools.validate.rules import RULES, Severity
from finscribe_trainer.data_tools.validate.validate import Checks, Report, Validator
from finscribe_trainer.runtime.outputs import claim_files
from finscribe_trainer.runtime.progress import progress
from finscribe_trainer.runtime.stop_signal import StopRequested, StopSignal
from finscribe_trainer.storage import Storage

if TYPE_CHECKING:
    from finscribe_trainer.data_tools.validate.tokens import TokenCheck

SHOWN_FINDINGS = 20
_COLOURS = {Severity.error: "red", Severity.warning: "yellow", Severity.hint: "cyan"}


@dataclass(frozen=True)
class Request:
    """The options of a validation."""

    sources: tuple[str, ...]
    schema: str | None
    validation: str | None
    test: str | None
    image_root: str | None
    model: str | None
    max_sequence_length: int
    max_image_pixels: int
    max_findings: int


def run_validation(request: Request, output: Path | None, *, strict: bool, overwrite: bool = False) -> None:
    """Validate the data sets, print the findings and write the reports.

    Raises:
        UserError: DatasetInvalid when there are errors; InvalidConfig for invalid options.
        RetryableError: Interrupted, after the reports were written.
    """
    if output is None:
        _validate(request, None, strict=strict)
        return
    _check_output(output, overwrite=overwrite)
    with claim_files(*report_files(output), overwrite=True):
        _validate(request, output, strict=strict)


def _validate(request: Request, output: Path | None, *, strict: bool) -> None:
    report = Report(request.max_findings)
    checks = Checks(AnswerCheck(request.schema), request.max_image_pixels, _token_check(request))
    with tempfile.TemporaryDirectory(prefix="finscribe-validate-") as folder:
        stop = StopSignal()
        stop.install()
        try:
            _validate_all(request, checks, report, Path(folder), stop)
        except StopRequested:
            report.interrupted = True
    _print_report(report)
    if output is not None:
        _write(report, request, output)
    _raise_on_errors(report, strict=strict)


def _check_output(output: Path, *, overwrite: bool) -> None:
    """Check before the validation that the report can be written and overwrites no data set."""
    if output.suffix != ".json":
        raise UserError(
            FailureReason.InvalidConfig, f"--output {output} must end in .json.", "Name it report.json."
        )
    there = [path for path in report_files(output) if os.path.lexists(path)]
    if there and not overwrite and not _is_report(output):
        raise UserError(
            FailureReason.InvalidConfig,
            f"--output {output}: {there[0]} exists, and is not an earlier report.",
            "Name another --output, or pass --overwrite.",
        )


def _is_report(output: Path) -> bool:
    """Whether the output is an earlier report, which may be replaced."""
    try:
        return "findings_by_rule" in json.loads(output.read_bytes())
    except (OSError, ValueError, TypeError, RecursionError):
        return False


def _write(report: Report, request: Request, output: Path) -> None:
    try:
        for path in write_reports(report, list(request.sources), output):
            print(path)  # noqa: T201 - the command's output
    except OSError as error:
        kind, reason = (
            (RetryableError, FailureReason.DiskFull)
            if is_disk_full(error)
            else (UserError, FailureReason.InvalidConfig)
        )
        raise kind(
            reason, f"{output}: the report can't be written: {error}.", "Name another --output."
        ) from None


def _token_check(request: Request) -> "TokenCheck | None":
    if request.model is None:
        return None
    from finscribe_trainer.data_tools.validate.tokens import TokenCheck  # noqa: PLC0415 - imports torch

    return TokenCheck(request.model, request.max_sequence_length)


def _validate_all(request: Request, checks: Checks, report: Report, folder: Path, stop: StopSignal) -> None:
    storage = Storage.from_config(StorageEndpoint())
    validator = Validator(checks, report, stop.requested)
    for name, held_out in (("validation", request.validation), ("test", request.test)):
        if held_out is not None:
            file = fetch_rows(held_out, folder / name, storage, request.image_root)
            _run_with_progress(validator.read_held_out(file), file, name, stop)
    for index, source in enumerate(request.sources):
        file = fetch_rows(source, folder / str(index), storage, request.image_root)
        _run_with_progress(validator.validate(file), file, source, stop)
    if not report.statistics.rows:
        raise UserError(
            FailureReason.DatasetInvalid,
            f"{', '.join(request.sources)}: there are no rows.",
            "Write one row per line.",
        )


def _run_with_progress(rows: Iterator[None], file: DataFile, name: str, stop: StopSignal) -> None:
    total = count_lines(file)
    with stop.deferred():  # until the row is finished, so that counts and findings agree
        for _ in progress(rows, name[-40:], total=total, unit="rows"):
            if stop.requested.is_set():
                raise StopRequested


def count_lines(file: DataFile) -> int | None:
    """Number of rows for the progress bar; None without a terminal, or if a shard is not plain JSON lines."""
    shards = file.shards()
    if not sys.stderr.isatty() or any(shard.path.suffix.lower() != ".jsonl" for shard in shards):
        return None
    count = 0
    for shard in shards:
        with shard.path.open("rb") as content:
            while block := content.read(1 << 20):
                count += block.count(b"\n")
    return count


def _print_report(report: Report) -> None:
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    for finding in report.findings[:SHOWN_FINDINGS]:
        console.print(_printable(str(finding)), style=_COLOURS[finding.severity], markup=False)
        console.print(_printable(f"  -> {finding.remedy}"), markup=False)
    unshown = report.by_rule.total() - min(len(report.findings), SHOWN_FINDINGS)
    if unshown:
        console.print(f"... and {unshown} more; --output writes a report.")
    if report.by_rule:
        table = Table("Rule", "Severity", "Found", "Meaning", header_style="bold")
        table.columns[2].justify = "right"
        for rule, count in report.by_rule.most_common():
            table.add_row(rule, RULES[rule].severity, str(count), RULES[rule].meaning)
        console.print(table)
    rows = report.statistics.rows
    console.print(f"{_plural(rows, 'row')}, {100 * report.pass_rate:.2f} % without errors.")
    num_with_images = report.statistics.with_images
    console.print(f"{image_count(num_with_images, rows)}.", style=None if num_with_images else "yellow")


def _plural(count: int, thing: str) -> str:
    return f"{count} {thing}{'' if count == 1 else 's'}"


def _printable(text: str) -> str:
    """Replace control characters, which could affect the terminal."""
    return "".join(character if character.isprintable() else "\ufffd" for character in text)


def _raise_on_errors(report: Report, *, strict: bool) -> None:
    if report.interrupted:
        raise RetryableError(
            FailureReason.Interrupted,
            f"Stopped after {report.statistics.rows} rows; the others were not validated.",
            "Run the same command again.",
        )
    errors, warnings = report.count(Severity.error), report.count(Severity.warning)
    if errors or (strict and warnings):
        counted = _plural(errors, "error") + (f" and {_plural(warnings, 'warning')}" if strict else "")
        raise UserError(
            FailureReason.DatasetInvalid,
            f"{counted} in {_plural(report.statistics.rows, 'row')}.",
            "Correct or remove these rows; docs/data-quality.md explains each rule.",
        )
