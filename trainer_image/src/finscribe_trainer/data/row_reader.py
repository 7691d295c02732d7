"""Iterates over the rows of a data set in constant memory, for training, evaluation and validation alike."""

from collections.abc import Iterator
from typing import Any

from finscribe_trainer.data.files import DataFile
from finscribe_trainer.data.jsonl import scan_jsonl
from finscribe_trainer.data.parquet import scan_parquet
from finscribe_trainer.data.row_fields import RowError
from finscribe_trainer.data.row_problems import RowProblems
from finscribe_trainer.data.rows import Row, parse_row
from finscribe_trainer.documents.problems import Problem


def scan_values(file: DataFile) -> Iterator[tuple[str, Any]]:
    """Yield every row as (`file:line`, JSON value or `Problem`), in order.

    Rules of these problems: `json`, `encoding`, `row-too-long`, `damaged-file`, `expansion`, `image-bytes`,
    `row-format`.

    Raises:
        UserError: the file does not exist, or its suffix is unsupported.
    """
    for shard in file.shards():
        scan = scan_parquet if shard.path.suffix.lower() == ".parquet" else scan_jsonl
        for number, value in scan(shard.path):
            yield f"{shard.source}:{number}", value


def scan_rows(file: DataFile) -> Iterator[tuple[str, Row | Problem]]:
    """Yield every row as (`file:line`, `Row` or `Problem`).

    Problems are those of `scan_values` and of `parse_row` (rules `row-format` and `empty-answer`).

    Raises:
        UserError: as `scan_values`.
    """
    for where, value in scan_values(file):
        if isinstance(value, Problem):
            yield where, value
            continue
        try:
            yield where, parse_row(value, file.root)
        except RowError as error:
            yield where, Problem(error.rule, "", str(error))


def read_rows(file: DataFile, problems: RowProblems) -> Iterator[tuple[str, Row]]:
    """Yield every valid row with its `file:line`; problems are added to `problems`.

    Raises:
        UserError: as `scan_values`.
    """
    for where, row in scan_rows(file):
        if isinstance(row, Problem):
            problems.add(where, row.message)
        else:
            yield where, row
