"""Reads the rows of a .parquet file as JSON values, in small batches."""

import math
from collections.abc import Iterator
from datetime import date, time
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from finscribe_trainer.data.jsonl import MAX_ROW_BYTES, row_too_long
from finscribe_trainer.documents.problems import Problem

if TYPE_CHECKING:
    import pyarrow as pa

_BATCH_ROWS = 1024
_BUFFER_BYTES = 2**20
"""Read buffer of each column; without it, a row group's whole column is held in memory."""


def scan_parquet(path: Path) -> Iterator[tuple[int, Any]]:
    """Yield every row's number (from 1) and JSON value or `Problem`.

    A column is a key; null is a missing key, as a table can't distinguish them. Dates become ISO 8601.
    """
    import pyarrow as pa  # noqa: PLC0415 - slow to import, and seldom needed
    import pyarrow.parquet as pq  # noqa: PLC0415

    number = 0
    try:
        with pq.ParquetFile(path, buffer_size=_BUFFER_BYTES) as file:
            if problem := _bytes_column(file.schema_arrow):
                yield 1, problem
                return
            for batch in file.iter_batches(batch_size=_BATCH_ROWS):
                for value in _rows(batch):
                    number += 1
                    yield number, value
    except (pa.ArrowException, OSError, UnicodeDecodeError, OverflowError) as error:
        message = f"the .parquet file is cut off or damaged here, after {number} rows ({_first_line(error)})"
        yield number + 1, Problem("damaged-file", "", message)


def _rows(batch: "pa.RecordBatch") -> Iterator[Any]:
    fits = batch.nbytes <= MAX_ROW_BYTES
    for row in range(0, batch.num_rows, batch.num_rows if fits else 1):
        part = batch if fits else batch.slice(row, 1)
        if part.nbytes > MAX_ROW_BYTES:
            yield row_too_long()
            continue
        for value in part.to_pylist():
            try:
                yield _as_json(value)
            except TypeError as error:
                yield Problem("row-format", "", str(error))


def _as_json(value: Any) -> Any:
    """The value as `load_json` would return it.

    Raises:
        TypeError: JSON has no such type.
    """
    if isinstance(value, dict):
        return {key: _as_json(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_as_json(item) for item in value]
    if isinstance(value, date | time):
        return value.isoformat()
    if value is None or isinstance(value, str | bool | int | Decimal):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise TypeError(f"a column contains {value}, which JSON does not have; write null instead")
        return Decimal(repr(value))
    raise TypeError(f"a column contains a {type(value).__name__}, which JSON does not have")


def _bytes_column(schema: "pa.Schema") -> Problem | None:
    """The problem of the first column that contains bytes, such as embedded images; None without one."""
    for field in schema:
        if _holds_bytes(field.type):
            return Problem(
                "image-bytes",
                field.name,
                f"column {field.name!r} contains bytes ({field.type}), as Hugging Face image columns do, but "
                "images are read from files; write each image to a file beside the .parquet file, and its "
                f"path to a column {'images' if 'list' in str(field.type) else 'image'!r}",
            )
    return None


def _holds_bytes(kind: "pa.DataType") -> bool:
    import pyarrow as pa  # noqa: PLC0415

    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind):
        return True
    return any(_holds_bytes(kind.field(index).type) for index in range(kind.num_fields))


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
