"""Reads the rows of a .parquet file as JSON values, in small batches."""

import math
from collections.abc import Iterator
from datetime import date, time
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from finscribe_trainer.data.expansion import Expansion
from finscribe_trainer.data.jsonl import MAX_ROW_BYTES, row_too_long
from finscribe_trainer.data.table_images import (
    BATCH_ROWS,
    BUFFER_BYTES,
    IMAGE_COLUMNS,
    MAX_GROUP_BYTES,
    holds_images,
    with_names,
)
from finscribe_trainer.documents.problems import Problem

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

_BATCH_ROWS = 1024
_REPEATS_PREFIXES = "DELTA_BYTE_ARRAY"
"""The encoding in which a text repeats the start of the text before: it expands when it is read."""
_PREFIXED_BATCH_ROWS = BATCH_ROWS
_IMPORT = "run `finscribe data import --from hf-parquet IN OUT`, which writes rows"
_VALUE_BYTES = 8
"""Least memory of a value: a column of nulls is stored in no bytes at all."""


def scan_parquet(path: Path) -> Iterator[tuple[int, Any]]:
    """Yield every row's number (from 1) and JSON value or `Problem`.

    A column is a key; null is a missing key, as a table can't distinguish them. Dates become ISO 8601, and
    the bytes of an image its name (`TableImage.label`).
    """
    import pyarrow as pa  # noqa: PLC0415 - slow to import, and seldom needed
    import pyarrow.parquet as pq  # noqa: PLC0415

    number = 0
    try:
        with pq.ParquetFile(path, buffer_size=BUFFER_BYTES, read_dictionary=_text_columns(path)) as file:
            expansion = Expansion(path.stat().st_size)
            images = [field.name for field in file.schema_arrow if _is_image_column(field)]
            problem = _unread_bytes(file.schema_arrow) or _large_group(file.metadata, images)
            if problem := problem or declared_expansion(file.metadata, expansion):
                yield 1, problem
                return
            size = BATCH_ROWS if images else _batch_rows(file.metadata)
            for batch in _batches(file, size):
                if problem := expansion.add(sum(map(expanded_bytes, batch.columns)), batch.num_rows):
                    yield number + 1, problem
                    return
                texts, cells = _without(batch, images)
                for value, pages in zip(_rows(texts), cells, strict=True):
                    number += 1
                    if isinstance(value, dict):
                        named = {key: with_names(cell, path.name, number, key) for key, cell in pages.items()}
                        value |= {key: name for key, name in named.items() if name is not None}
                    yield number, value
    except (pa.ArrowException, OSError, UnicodeDecodeError, OverflowError) as error:
        message = f"the .parquet file is cut off or damaged here, after {number} rows ({_first_line(error)})"
        yield number + 1, Problem("damaged-file", "", message)


def _text_columns(path: Path) -> list[str]:
    """The columns of texts, to be read as dictionaries: a text that a file has once is in memory once."""
    import pyarrow.parquet as pq  # noqa: PLC0415

    schema = pq.read_metadata(path).schema
    columns = [schema.column(index) for index in range(len(schema))]
    return [column.path for column in columns if column.logical_type.type in ("STRING", "JSON")]


def _column_chunks(metadata: "pq.FileMetaData") -> "Iterator[pq.ColumnChunkMetaData]":
    for group in range(metadata.num_row_groups):
        row_group = metadata.row_group(group)
        yield from (row_group.column(column) for column in range(row_group.num_columns))


def _batch_rows(metadata: "pq.FileMetaData") -> int:
    repeats = any(_REPEATS_PREFIXES in chunk.encodings for chunk in _column_chunks(metadata))
    return _PREFIXED_BATCH_ROWS if repeats else _BATCH_ROWS


def declared_expansion(metadata: "pq.FileMetaData", expansion: Expansion) -> Problem | None:
    """The problem of a file with columns that need too much memory to be decompressed or decoded."""
    for chunk in _column_chunks(metadata):
        size = chunk.total_uncompressed_size
        if _REPEATS_PREFIXES in chunk.encodings:  # each value may repeat nearly all of the chunk
            size *= min(chunk.num_values, _PREFIXED_BATCH_ROWS)
        if size > expansion.limit:
            return expansion.add(size)
    return None


def _rows(batch: "pa.RecordBatch") -> Iterator[Any]:
    fits = sum(map(expanded_bytes, batch.columns)) <= MAX_ROW_BYTES
    for row in range(0, batch.num_rows, batch.num_rows if fits else 1):
        part = batch if fits else batch.slice(row, 1)
        if not fits and sum(map(expanded_bytes, part.columns)) > MAX_ROW_BYTES:
            yield row_too_long()
            continue
        for value in part.to_pylist():
            try:
                yield _as_json(value)
            except TypeError as error:
                yield Problem("row-format", "", str(error))


def expanded_bytes(array: "pa.Array") -> int:
    """Size of an array's values, each of which counts as often as it occurs."""
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.compute as pc  # noqa: PLC0415

    if pa.types.is_dictionary(array.type):
        lengths = pc.binary_length(array.dictionary).cast(pa.int64())
        return pc.sum(lengths.take(array.indices)).as_py() or 0
    if pa.types.is_struct(array.type):
        return sum(map(expanded_bytes, array.flatten()))
    if pa.types.is_list(array.type) or pa.types.is_large_list(array.type) or pa.types.is_map(array.type):
        return _VALUE_BYTES * len(array) + expanded_bytes(array.flatten())
    return max(int(array.nbytes), _VALUE_BYTES * len(array))


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


def _batches(file: "pq.ParquetFile", size: int) -> "Iterator[pa.RecordBatch]":
    """The rows in batches, none of which is of two row groups: Arrow can't join their nested dictionaries."""
    for group in range(file.num_row_groups):
        yield from file.iter_batches(batch_size=size, row_groups=[group], use_threads=False)


def _without(batch: "pa.RecordBatch", images: list[str]) -> "tuple[pa.RecordBatch, Iterator[dict[str, Any]]]":
    """The batch with nulls in its columns of images, and what these contain for each row."""
    import pyarrow as pa  # noqa: PLC0415

    cells = iter(batch.select(images).to_pylist() if images else [{}] * batch.num_rows)
    for name in images:
        place = batch.schema.get_field_index(name)
        batch = batch.set_column(place, name, pa.nulls(batch.num_rows))
    return batch, cells


def _is_image_column(field: "pa.Field") -> bool:
    return field.name in IMAGE_COLUMNS and holds_images(field.type)


def _unread_bytes(schema: "pa.Schema") -> Problem | None:
    """The problem of the first column of bytes that are not read as images; None without one."""
    for field in schema:
        if _holds_bytes(field.type) and not _is_image_column(field):
            return Problem(
                "image-bytes",
                field.name,
                f"column {field.name!r} contains bytes ({field.type}); of a Hugging Face table, only the "
                f"columns {' and '.join(IMAGE_COLUMNS)} are read as images; {_IMPORT}",
            )
    return None


def _large_group(metadata: "pq.FileMetaData", images: list[str]) -> Problem | None:
    """The problem of the first row group with more images than can be passed for each of them."""
    for group in range(metadata.num_row_groups):
        row_group = metadata.row_group(group)
        chunks = [row_group.column(column) for column in range(row_group.num_columns)]
        pages = [chunk for chunk in chunks if chunk.path_in_schema.split(".")[0] in images]
        size = sum(chunk.total_uncompressed_size for chunk in pages)
        if size > MAX_GROUP_BYTES:
            return Problem(
                "image-bytes",
                images[0],
                f"row group {group + 1} of this Hugging Face table has {size // 2**20} MiB of images, but "
                f"{MAX_GROUP_BYTES // 2**20} MiB at most can be read in place; write it again with "
                f"row_group_size=100, or {_IMPORT}",
            )
    return None


def _holds_bytes(kind: "pa.DataType") -> bool:
    import pyarrow as pa  # noqa: PLC0415

    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind):
        return True
    return any(_holds_bytes(kind.field(index).type) for index in range(kind.num_fields))


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
