"""Donut: a `metadata.jsonl` with `file_name` and `ground_truth`, the JSON text of a `gt_parse`."""

from collections.abc import Iterator
from typing import Any

from finscribe_trainer.data_tools.importing.formats.imagefolder import metadata_files, pages_of
from finscribe_trainer.data_tools.importing.json_files import first_row, values
from finscribe_trainer.data_tools.importing.source import Document, Dropped, Source
from finscribe_trainer.documents.numbers import load_json


def recognise(source: Source) -> str | None:
    """There is metadata with ground_truth."""
    found = [path for path in metadata_files(source) if "ground_truth" in first_row(path)]
    return f"{source.name(found[0])} has file_name and ground_truth" if found else None


def read(source: Source) -> Iterator[Document | Dropped]:
    """A document for each line."""
    for path in metadata_files(source):
        for where, row in values(source, path):
            if isinstance(row, Dropped):
                yield row
                continue
            try:
                answer = ground_truth(row)
            except ValueError as error:
                yield Dropped(where, str(error))
                continue
            pages = pages_of(source, path, where, row)
            yield pages if isinstance(pages, Dropped) else Document(where, pages, answer)


def ground_truth(row: Any) -> Any:
    """The answer of a row.

    Raises:
        ValueError: it has none.
    """
    text = row.get("ground_truth") if isinstance(row, dict) else None
    value = text
    if isinstance(text, str):
        try:
            value = load_json(text)
        except ValueError as error:
            raise ValueError(f"its ground_truth is no JSON ({error})") from None
    if not isinstance(value, dict) or not value.get("gt_parse", value.get("gt_parses")):
        raise ValueError("its ground_truth has no gt_parse")
    parses = value.get("gt_parse") or value["gt_parses"]
    return parses[0] if isinstance(parses, list) and len(parses) == 1 else parses
