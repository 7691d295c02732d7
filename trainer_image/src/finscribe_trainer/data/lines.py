"""JSON values of a .jsonl or .jsonl.gz file, line by line; a bad line becomes a problem, not a crash."""

import gzip
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

from finscribe_core.errors import FailureReason, UserError
from finscribe_trainer.documents.numbers import UNPAIRED_SURROGATE, has_unpaired_surrogate, load_json
from finscribe_trainer.documents.problems import Problem

MAX_ROW_BYTES = 16 * 2**20
"""A longer line is no row of text and paths: often it is a whole file written without line ends."""


def too_long() -> Problem:
    """A row of more than MAX_ROW_BYTES."""
    return Problem("row-too-long", "", f"the row is longer than {MAX_ROW_BYTES // 2**20} MiB")


def scan_lines(path: Path) -> Iterator[tuple[int, Any]]:
    """Every line's number (from 1) and JSON value, or the `Problem` it has; blank lines are passed over.

    One line is held at a time, and never more than MAX_ROW_BYTES of it, however far a .gz unpacks.
    """
    with _open(path) as file:
        number = 0
        try:
            for number, line in _lines(file):
                if line is None:
                    yield number, too_long()
                elif line.strip():
                    yield number, _value(line, "utf-8-sig" if number == 1 else "utf-8")
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            message = f"the .gz file is cut off or damaged here, after {number} lines ({error})"
            yield number + 1, Problem("damaged-file", "", message)


def _open(path: Path) -> BinaryIO:
    try:
        return cast("BinaryIO", gzip.open(path, "rb")) if path.suffix == ".gz" else path.open("rb")
    except OSError as error:  # a link to nowhere, no permission
        raise UserError(
            FailureReason.DatasetNotFound,
            f"{path} can't be read: {error.strerror}.",
            "Check the file and who may read it.",
        ) from None


def _value(line: bytes, encoding: str) -> Any:
    try:
        text = line.decode(encoding)
        return Problem("json", "", UNPAIRED_SURROGATE) if has_unpaired_surrogate(text) else load_json(text)
    except json.JSONDecodeError as error:
        hint = "" if line.endswith(b"\n") else "; the file may be truncated here"
        return Problem("json", "", f"not valid JSON ({error.msg}, column {error.colno}){hint}")
    except UnicodeDecodeError as error:
        return Problem("encoding", "", f"not UTF-8 (byte {error.start} of the line)")
    except ValueError as error:  # nested too deeply, NaN, a number of thousands of digits
        return Problem("json", "", f"not readable as JSON ({error})")


def _lines(file: BinaryIO) -> Iterator[tuple[int, bytes | None]]:
    """Lines with their numbers; None stands for one that is too long, which is never held as a whole."""
    number = 0
    while line := file.readline(MAX_ROW_BYTES + 1):
        number += 1
        too_long = len(line) > MAX_ROW_BYTES
        while line and not line.endswith(b"\n") and too_long:
            line = file.readline(MAX_ROW_BYTES)
        yield number, None if too_long else line
