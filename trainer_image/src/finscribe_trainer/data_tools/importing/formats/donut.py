"""Donut: a `metadata.jsonl` with `file_name` and `ground_truth`, the JSON text of a `gt_parse`."""

from collections.abc import Iterator

from finscribe_trainer.data.row_dialects import ground_truth
from finscribe_trainer.data_tools.importing.formats.imagefolder import metadata_files, pages_of
from finscribe_trainer.data_tools.importing.json_files import first_row, values
from finscribe_trainer.data_tools.importing.source import Document, Dropped, Source


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
                answer = ground_truth(row if isinstance(row, dict) else {})
            except ValueError as error:
                yield Dropped(where, str(error))
                continue
            pages = pages_of(source, path, where, row)
            yield pages if isinstance(pages, Dropped) else Document(where, pages, answer)
