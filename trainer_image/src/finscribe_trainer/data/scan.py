"""Reads rows wherever they are kept; the one way for training, evaluation and every check."""

from collections.abc import Iterator
from typing import Any

from finscribe_trainer.data.files import DataFile
from finscribe_trainer.data.row_problems import Findings
from finscribe_trainer.data.lines import scan_lines
from finscribe_trainer.data.parquet import scan_parquet
from finscribe_trainer.data.rows import Row, RowError, parse_row
from finscribe_trainer.documents.problems import Problem


def scan_values(file: DataFile) -> Iterator[tuple[str, Any]]:
    """Every row as (`file:line`, its JSON value or the `Problem` it has), in order; memory stays constant.

    The rules of such problems: `json`, `encoding`, `row-too-long`, `damaged-file`, `image-bytes`,
    `row-format`.

    Raises:
        UserError: there is no such file, or it is none of rows.
    """
    for shard in file.shards():
        scan = scan_parquet if shard.path.suffix == ".parquet" else scan_lines
        for number, value in scan(shard.path):
            yield f"{shard.source}:{number}", value


def scan_rows(file: DataFile) -> Iterator[tuple[str, Row | Problem]]:
    """Every row as (`file:line`, `Row` or the `Problem` it has): those of `scan_values`, and of `parse_row`
    (`row-format`, `empty-answer`).

    Raises:
        UserError: as `scan_values`.
    """
    for where, value in scan_values(file):
        if isinstance(value, Problem):
            yield where, value
            continue
        try:
            yield where, parse_row(value)
        except RowError as error:
            yield where, Problem(error.rule, "", str(error))


def read_rows(file: DataFile, findings: Findings) -> Iterator[tuple[str, Row]]:
    """Every good row with its `file:line`; what is wrong goes to `findings`.

    Raises:
        UserError: as `scan_values`.
    """
    for where, row in scan_rows(file):
        if isinstance(row, Problem):
            findings.add(where, row.message)
        else:
            yield where, row
