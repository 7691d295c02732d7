"""Reads the JSON values of a .jsonl, .jsonl.gz or .json file one by one; an invalid one yields a problem."""

import gzip
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

from finscribe_core.errors import FailureReason, UserError
from finscribe_trainer.data.expansion import Expansion
from finscribe_trainer.data.exports import is_json_document, json_object_refusal
from finscribe_trainer.data.json_array import elements
from finscribe_trainer.documents.numbers import UNPAIRED_SURROGATE, has_unpaired_surrogate, load_json
from finscribe_trainer.documents.problems import Problem

_HEAD_BYTES = 2**20
"""How much of a file that is one JSON document is read, to say which format it has."""
MAX_ROW_BYTES = 16 * 2**20
"""Longest line; a longer one is often a whole file written without line breaks."""


def row_too_long() -> Problem:
    """The problem of a row longer than MAX_ROW_BYTES."""
    return Problem("row-too-long", "", f"the row is longer than {MAX_ROW_BYTES // 2**20} MiB")


def scan_jsonl(path: Path) -> Iterator[tuple[int, Any]]:
    """Yield every line's number (from 1) and JSON value or `Problem`; blank lines are skipped.

    Of a file that is one JSON array, yield each element with its number. One that is another JSON document
    yields one problem.

    Memory holds one row, of at most MAX_ROW_BYTES, also for a .gz that decompresses to more.
    """
    with _open(path) as file:
        number = 0
        expansion = Expansion(path.stat().st_size) if _is_compressed(path) else None
        try:
            rows = _rows(file)
            if isinstance(rows, Problem):
                yield 1, rows
                return
            for number, line in rows:
                if expansion and (problem := expansion.add(MAX_ROW_BYTES if line is None else len(line))):
                    yield number, problem
                    return
                if line is None:
                    yield number, row_too_long()
                elif line.strip():
                    yield number, _value(line, "utf-8-sig" if number == 1 else "utf-8")
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            message = f"the file is cut off or damaged here, after {number} rows ({error})"
            yield number + 1, Problem("damaged-file", "", message)


def _is_compressed(path: Path) -> bool:
    return path.suffix.lower() == ".gz"


def _open(path: Path) -> BinaryIO:
    try:
        return cast("BinaryIO", gzip.open(path, "rb")) if _is_compressed(path) else path.open("rb")
    except OSError as error:  # a dangling link, no permission
        raise UserError(
            FailureReason.DatasetNotFound,
            f"{path} can't be read: {error.strerror}.",
            "Check the file and its permissions.",
        ) from None


def _rows(file: BinaryIO) -> Iterator[tuple[int, bytes | None]] | Problem:
    """The texts of the rows; a problem if the file is one JSON document, and no array of rows."""
    first = file.readline(_HEAD_BYTES)
    text = first.decode("utf-8-sig", "replace")
    array = text.lstrip().startswith("[")
    if is_json_document(text) and not array:
        head = (first + file.read(_HEAD_BYTES)).decode("utf-8-sig", "replace")
        return Problem("row-format", "", json_object_refusal(head))
    file.seek(0)
    if is_json_document(text):
        return enumerate(elements(file, MAX_ROW_BYTES), start=1)
    return _lines(file)


def _value(line: bytes, encoding: str) -> Any:
    try:
        text = line.decode(encoding)
        return Problem("json", "", UNPAIRED_SURROGATE) if has_unpaired_surrogate(text) else load_json(text)
    except json.JSONDecodeError as error:
        hint = "" if line.endswith(b"\n") else "; the file may be truncated here"
        return Problem("json", "", f"not valid JSON ({error.msg}, column {error.colno}){hint}")
    except UnicodeDecodeError as error:
        return Problem("encoding", "", f"not UTF-8 (byte {error.start} of the line)")
    except ValueError as error:  # nested too deeply, NaN, a number with thousands of digits
        return Problem("json", "", f"not readable as JSON ({error})")


def _lines(file: BinaryIO) -> Iterator[tuple[int, bytes | None]]:
    """Lines with their numbers; None for a line that is too long, which is never read into memory."""
    number = 0
    while line := file.readline(MAX_ROW_BYTES + 1):
        number += 1
        too_long = len(line) > MAX_ROW_BYTES
        while line and not line.endswith(b"\n") and too_long:
            line = file.readline(MAX_ROW_BYTES)
        yield number, None if too_long else line
