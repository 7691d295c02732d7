"""Hugging Face ImageFolder: a `metadata.jsonl` or `.csv` beside the images, with their `file_name`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from finscribe_trainer.data_tools.importing.csv_files import read_table
from finscribe_trainer.data_tools.importing.json_files import first_row, values
from finscribe_trainer.data_tools.importing.source import Document, Dropped, Source, missing

_NAMES = ("metadata.jsonl", "metadata.csv")
_ANSWER_KEYS = ("text", "answer", "output", "completion")


def recognise(source: Source) -> str | None:
    """There is metadata with file names, which is not Donut's."""
    found = [path for path in metadata_files(source) if "ground_truth" not in _first(path)]
    return f"{source.name(found[0])} has file_name and no ground_truth" if found else None


def read(source: Source) -> Iterator[Document | Dropped]:
    """A document for each line."""
    for path in metadata_files(source):
        rows = read_table(source, path) if path.suffix == ".csv" else values(source, path)
        for where, row in rows:
            if isinstance(row, Dropped):
                yield row
            elif not isinstance(row, dict) or "ground_truth" in row:
                yield Dropped(where, "is no object with file_name and an answer")
            else:
                yield _document(source, path, where, row)


def metadata_files(source: Source) -> list[Path]:
    """The files of metadata with file names."""
    return [
        path
        for path in source.files
        if (path.name.lower() in _NAMES or (path == source.path and path.suffix == ".jsonl"))
        and {"file_name", "file_names"} & _first(path).keys()
    ]


def pages_of(source: Source, path: Path, where: str, row: dict[str, Any]) -> tuple[Path, ...] | Dropped:
    """The pages that a line of metadata names."""
    named = row.get("file_names", row.get("file_name"))
    names = named if isinstance(named, list) else [named]
    pages = []
    for name in names:
        page = source.find(name, path) if isinstance(name, str) and name.strip() else None
        if page is None:
            return missing(where, name)
        pages.append(page)
    return tuple(pages)


def answer_of(row: dict[str, Any], named: set[str]) -> Any:
    """The answer of a table's row: the one column of that purpose, or all that do not name pages."""
    for key in _ANSWER_KEYS:
        if key in row and row[key] not in (None, ""):
            return row[key]
    return {key: value for key, value in row.items() if key not in named and value not in (None, "")}


def _document(source: Source, path: Path, where: str, row: dict[str, Any]) -> Document | Dropped:
    pages = pages_of(source, path, where, row)
    if isinstance(pages, Dropped):
        return pages
    return Document(where, pages, answer_of(row, {"file_name", "file_names"}))


def _first(path: Path) -> dict[str, Any]:
    if path.suffix == ".csv":
        return next((row for _, row in read_table(Source(path), path) if isinstance(row, dict)), {})
    return first_row(path)
