"""Reads tables of text: comma, semicolon or tab between the columns, UTF-8 or Windows-1252."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from finscribe_trainer.data_tools.importing.source import Dropped, Source, too_large

_DELIMITERS = ",;\t|"
_MAX_CELL = 2**20


def read_table(source: Source, path: Path) -> Iterator[tuple[str, dict[str, Any] | Dropped]]:
    """Each row by its column names, with `file:line`."""
    name = source.name(path)
    if too_large(path):
        yield name, Dropped(name, "has more than 256 MiB")
        return
    content = path.read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("cp1252", "replace")
    header = text.partition("\n")[0]
    csv.field_size_limit(_MAX_CELL)
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=max(_DELIMITERS, key=header.count))
    columns: list[str] = []
    try:
        for cells in lines:
            where = f"{name}:{lines.line_num}"
            if not columns:
                columns = [column.strip() for column in cells]
            elif len(cells) > len(columns):
                yield (
                    where,
                    Dropped(where, f"has {len(cells)} cells, but the table has {len(columns)} columns"),
                )
            elif any(cell.strip() for cell in cells):
                yield where, dict(zip(columns, cells, strict=False))
    except csv.Error as error:
        yield name, Dropped(f"{name}:{lines.line_num}", f"is no row of a table ({error})")
