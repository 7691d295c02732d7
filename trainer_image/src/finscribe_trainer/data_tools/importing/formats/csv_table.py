"""A table with a column that names files, and the fields or the answer in the others."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from finscribe_trainer.data.file_texts import names_file
from finscribe_trainer.data.rows import Turn
from finscribe_trainer.data_tools.importing.csv_files import read_table
from finscribe_trainer.data_tools.importing.formats.imagefolder import answer_of
from finscribe_trainer.data_tools.importing.source import Document, Dropped, Source, missing
from finscribe_trainer.documents.numbers import load_json

_PROMPTS = ("prompt", "instruction", "question")


def recognise(source: Source) -> str | None:
    """A table has a column of files."""
    for path in _tables(source):
        if column := _file_column(source, path):
            return f"column {column!r} of {source.name(path)} names files"
    return None


def read(source: Source) -> Iterator[Document | Dropped]:
    """A document for each row; its prompt is that of a column of that name."""
    for path in _tables(source):
        column = _file_column(source, path)
        if column is None:
            yield Dropped(source.name(path), "no column names files")
            continue
        for where, row in read_table(source, path):
            yield row if isinstance(row, Dropped) else _document(source, path, where, (column, row))


def _tables(source: Source) -> list[Path]:
    return source.with_suffix(".csv", ".tsv")


def _file_column(source: Source, path: Path) -> str | None:
    for number, (_, row) in enumerate(read_table(source, path)):
        if isinstance(row, dict):
            for column, value in row.items():
                if isinstance(value, str) and names_file(value):
                    return column
        if number > 20:
            break
    return None


def _document(
    source: Source, path: Path, where: str, found: tuple[str, dict[str, Any]]
) -> Document | Dropped:
    column, row = found
    page = source.find(row.get(column, ""), path)
    if page is None:
        return missing(where, row.get(column))
    prompt = next((row[key] for key in _PROMPTS if (row.get(key) or "").strip()), None)
    answer = answer_of(row, {column, *_PROMPTS})
    if isinstance(answer, str) and answer.lstrip().startswith("{"):
        try:
            answer = load_json(answer)
        except ValueError:
            return Dropped(where, "its answer starts like a JSON object, but is none")
    return Document(where, (page,), answer, (Turn("user", prompt, 1),) if prompt else ())
