"""Counts the rows of a file without validating them, in constant memory."""

import gzip
import zlib
from typing import BinaryIO, cast

from finscribe_core.errors import FailureReason, UserError
from finscribe_trainer.data.expansion import Expansion
from finscribe_trainer.data.exports import is_json_document
from finscribe_trainer.data.json_array import elements
from finscribe_trainer.data.jsonl import MAX_ROW_BYTES

_BLOCK_SIZE = 2**20
_LARGEST_FOOTER = 64 * 2**20
"""Bytes; the footer of a .parquet file, which has its number of rows, is read into memory."""


def count_rows(name: str, file: BinaryIO, size: int) -> int:
    """The number of rows: lines that are not blank, or what the footer of a .parquet file tells.

    Args:
        name: the URI or path, which tells the format.
        file: the open, seekable file.
        size: its bytes.

    Raises:
        UserError: DatasetInvalid: the file is damaged, or expands to too much.
    """
    try:
        if name.lower().endswith(".parquet"):
            return _count_in_table(file, size)
        if name.lower().endswith(".gz"):
            with gzip.open(file, "rb") as lines:
                return _count(cast("BinaryIO", lines), Expansion(size))
        return _count(file, None)
    except (EOFError, gzip.BadGzipFile, zlib.error, ValueError) as error:
        raise UserError(
            FailureReason.DatasetInvalid,
            f"{name}: the rows can't be counted, as the file is damaged: {error}.",
            "Upload the file again.",
        ) from error


def _count(file: BinaryIO, expansion: Expansion | None) -> int:
    """The number of elements of a JSON array, or else of lines."""
    first = file.readline(_BLOCK_SIZE).decode("utf-8-sig", "replace")
    file.seek(0)
    if not (is_json_document(first) and first.lstrip().startswith("[")):
        return _count_lines(file, expansion)
    rows = 0
    for element in elements(file, MAX_ROW_BYTES):
        if expansion and (problem := expansion.add(MAX_ROW_BYTES if element is None else len(element))):
            raise ValueError(problem.message)
        rows += 1
    return rows


def _count_lines(file: BinaryIO, expansion: Expansion | None) -> int:
    rows, line_has_text = 0, False
    while block := file.read(_BLOCK_SIZE):
        if expansion and (problem := expansion.add(len(block), rows=0)):
            raise ValueError(problem.message)
        *ends, rest = block.split(b"\n")
        for end in ends:
            rows += line_has_text or bool(end.strip())
            line_has_text = False
        line_has_text = line_has_text or bool(rest.strip())
    return rows + line_has_text


def _count_in_table(file: BinaryIO, size: int) -> int:
    import pyarrow as pa  # noqa: PLC0415 - slow to import, and seldom needed
    import pyarrow.parquet as pq  # noqa: PLC0415

    file.seek(max(0, size - 8))
    footer = int.from_bytes(file.read(4), "little")
    if footer > _LARGEST_FOOTER:
        raise ValueError(f"its footer has {footer:,} bytes")
    try:
        return int(pq.read_metadata(file).num_rows)
    except (pa.ArrowException, OSError) as error:
        raise ValueError(str(error).partition("\n")[0]) from error
