"""Rows that training reads, of LLaMA-Factory, ERNIEKit and others: imported when pages are no images."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finscribe_trainer.data.files import ROW_SUFFIXES
from finscribe_trainer.data.row_fields import RowError
from finscribe_trainer.data.rows import parse_row
from finscribe_trainer.data_tools.importing.json_files import first_row, values
from finscribe_trainer.data_tools.importing.source import Document, Dropped, EmbeddedImage, Source, missing


@dataclass(frozen=True)
class Rows:
    """Rows that have one of these sets of keys."""

    key_sets: tuple[frozenset[str], ...]

    def recognise(self, source: Source) -> str | None:
        """A file has rows with such keys."""
        for path in _files(source):
            found = first_row(path).keys()
            for keys in self.key_sets:
                if keys <= found:
                    return f"{source.name(path)} has rows with {' and '.join(sorted(keys))}"
        return None

    def read(self, source: Source) -> Iterator[Document | Dropped]:
        """A document for each row."""
        for path in _files(source):
            if not any(keys <= first_row(path).keys() for keys in self.key_sets):
                continue
            for where, value in values(source, path):
                yield value if isinstance(value, Dropped) else row_document(source, path, where, value)


def row_document(
    source: Source, path: Path, where: str, value: Any, embedded: dict[str, EmbeddedImage] | None = None
) -> Document | Dropped:
    """The document of a row in a format that training reads.

    Args:
        source: the folder.
        path: the file of the row.
        where: its position.
        value: its JSON value.
        embedded: images in the file, by the name that the row has for them.
    """
    try:
        row = parse_row(value, path.parent)
    except RowError as error:
        return Dropped(where, str(error))
    pages: list[Path | EmbeddedImage] = []
    for name in row.images:
        page = (embedded or {}).get(name) or source.find(name, path)
        if page is None:
            return missing(where, name)
        pages.append(page)
    return Document(where, tuple(pages), row.completion, row.turns)


def _files(source: Source) -> list[Path]:
    return [path for path in source.with_suffix(*ROW_SUFFIXES) if path.suffix.lower() != ".parquet"]


SHAREGPT = Rows((frozenset({"conversations"}),))
ALPACA = Rows((frozenset({"instruction", "output"}), frozenset({"prompt", "completion"})))
ERNIEKIT = Rows((frozenset({"image_info", "text_info"}),))
MESSAGES = Rows((frozenset({"messages"}), frozenset({"query", "response"})))
