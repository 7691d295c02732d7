"""Reads a .jsonl file line by line; a bad line becomes a finding, not a crash."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from finscribe_trainer.data.findings import Findings
from finscribe_trainer.data.rows import Row, RowError, parse_row

MAX_LINE_BYTES = 16 * 2**20
"""A longer line is no row of text and paths: often it is a whole file written without line ends."""


def read_rows(path: Path, source: str, findings: Findings) -> Iterator[tuple[int, Row]]:
    """Every good row with its line number (from 1); what is wrong goes to `findings`.

    Args:
        path: the file.
        source: how messages call it (its URI, say).
        findings: takes what is wrong.
    """
    with path.open("rb") as file:
        for number, line in _lines(file):
            where = f"{source}:{number}"
            if line is None:
                findings.add(where, f"the line is longer than {MAX_LINE_BYTES // 2**20} MiB")
                continue
            if not line.strip():
                continue
            try:
                yield number, parse_row(json.loads(line.decode("utf-8-sig" if number == 1 else "utf-8")))
            except RowError as error:
                findings.add(where, str(error))
            except json.JSONDecodeError as error:
                hint = "" if line.endswith(b"\n") else "; the file may be truncated here"
                findings.add(where, f"not valid JSON ({error.msg}, column {error.colno}){hint}")
            except UnicodeDecodeError as error:
                findings.add(where, f"not UTF-8 (byte {error.start} of the line)")
            except ValueError as error:  # a number of thousands of digits
                findings.add(where, f"not readable as JSON ({error})")
            except RecursionError:
                findings.add(where, "the JSON is nested too deeply")


def _lines(file: BinaryIO) -> Iterator[tuple[int, bytes | None]]:
    """Lines with their numbers; None stands for one that is too long, which is never held as a whole."""
    number = 0
    while line := file.readline(MAX_LINE_BYTES + 1):
        number += 1
        too_long = len(line) > MAX_LINE_BYTES
        while line and not line.endswith(b"\n") and too_long:
            line = file.readline(MAX_LINE_BYTES)
        yield number, None if too_long else line
